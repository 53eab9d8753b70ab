import { canaryName, LABELS } from '../api/names.ts';
import { isList, isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { copiedMetadata } from './copied-metadata.ts';
import { type Beneficiary, ownMarks } from './made-for.ts';

/**
 * Fields of a Service that make one reachable from outside the cluster or are given out by the API server: two Services
 * cannot share them, and a canary Service is only ever a gateway's backend (compat §4.3, W15).
 */
const NOT_COPIED = new Set([
  ...['type', 'clusterIP', 'clusterIPs', 'externalIPs', 'externalName', 'externalTrafficPolicy', 'ipFamilies'],
  ...['ipFamilyPolicy', 'loadBalancerIP', 'loadBalancerClass', 'loadBalancerSourceRanges', 'healthCheckNodePort'],
  ...['allocateLoadBalancerNodePorts', 'selector', 'ports'],
]);

/** Whether a field of a Service's spec is the same in its canary Service: what is taken out of the one goes from the other. */
export function isCopied(field: string): boolean {
  return !NOT_COPIED.has(field);
}

/**
 * The canary Service beside a stable one: the same ports, for pods of the new version only. It is Sluice's own object, and
 * follows the stable Service.
 *
 * @param selector the stable Service's selector without what Sluice adds to it.
 * @param podTemplateHash the label value of the new version's pods.
 */
export function canaryService(
  stable: JsonMap,
  selector: JsonMap,
  podTemplateHash: string,
  rollout: Beneficiary,
): JsonMap {
  const spec = isMap(stable['spec']) ? stable['spec'] : {};
  const { labels, annotations } = copiedMetadata(stable['metadata']);
  const name = canaryName(stringAt(stable, 'metadata', 'name') ?? '');
  const own = ownMarks(rollout, 'Service', name);
  const kept = Object.entries(spec).filter(([key]) => isCopied(key));
  const isHeadless = spec['clusterIP'] === 'None';
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: stringAt(stable, 'metadata', 'namespace') ?? '',
      labels: { ...labels, ...own.labels },
      annotations: { ...annotations, ...own.annotations },
    },
    spec: {
      ...Object.fromEntries(kept),
      ...(isHeadless ? { clusterIP: 'None' } : {}),
      ports: (isList(spec['ports']) ? spec['ports'] : []).map(withoutNodePort),
      selector: { ...selector, [LABELS.podTemplateHash]: podTemplateHash },
    },
  };
}

function withoutNodePort(port: Json): Json {
  if (!isMap(port)) return port;
  const { nodePort: _, ...rest } = port;
  return rest;
}
