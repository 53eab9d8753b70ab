import { at } from '../json/value.ts';
import type { Client } from '../kube/client.ts';
import type { Resource } from '../kube/resource.ts';

type Kind = Pick<Resource, 'group' | 'plural'>;

/** Label by which the chart's ClusterRole `sluice-gateways` takes up what users grant. */
const AGGREGATION_LABEL = 'sluice.dev/aggregate-to-controller';

/** What the controller does with gateway objects: it watches them, reads them and sets one annotation. */
const VERBS = ['get', 'list', 'watch', 'patch'] as const;

/** The ClusterRole that gives the controller what it needs of a kind, as YAML to apply. */
export function gatewayClusterRole({ group, plural }: Kind): string {
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

/**
 * Which of these verbs on a kind nobody granted to the controller, in all namespaces.
 * @throws as {@link Client.ask}
 */
export async function missingVerbs(client: Pick<Client, 'ask'>, kind: Kind): Promise<string[]> {
  const allowed = await Promise.all(VERBS.map((verb) => mayWe(client, verb, kind)));
  return VERBS.filter((_, index) => !allowed[index]);
}

async function mayWe(client: Pick<Client, 'ask'>, verb: string, { group, plural }: Kind): Promise<boolean> {
  const review = await client.ask('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb, group, resource: plural } },
  });
  return at(review, ['status', 'allowed']) === true;
}
