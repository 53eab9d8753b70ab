import type { Resource } from '../kube/resource.ts';

/** Label by which the chart's ClusterRole `sluice-gateways` takes up what users grant. */
const AGGREGATION_LABEL = 'sluice.dev/aggregate-to-controller';

/** What the controller does with gateway objects: it watches them and sets one annotation. */
const VERBS = ['get', 'list', 'watch', 'patch'];

/** The ClusterRole that gives the controller what it needs of a kind, as YAML to apply. */
export function gatewayClusterRole({ group, plural }: Pick<Resource, 'group' | 'plural'>): string {
  return [
    'apiVersion: rbac.authorization.k8s.io/v1',
    'kind: ClusterRole',
    'metadata:',
    `  name: sluice-gateways-${group === '' ? plural : `${plural}.${group}`}`,
    '  labels:',
    `    ${AGGREGATION_LABEL}: "true"`,
    'rules:',
    `  - apiGroups: [${JSON.stringify(group)}]`,
    `    resources: [${JSON.stringify(plural)}]`,
    `    verbs: [${VERBS.map((verb) => JSON.stringify(verb)).join(', ')}]`,
    '',
  ].join('\n');
}
