import { at, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { controllerReference, isTerminating, listAt, mapAt, nameAndNamespace, selects, uidOf } from './fields.ts';
import { isOver, isReady } from './replica-set.ts';

/** How many endpoints one EndpointSlice holds unless the controller manager is told otherwise. */
const ENDPOINTS_PER_SLICE = 100;

/**
 * The EndpointSlices of a Service (k8s.io/endpointslice v0.36.3, utils.go): one endpoint for each pod that it selects,
 * that has an address and has not run to its end. A pod that is being deleted is never `ready`. Without a selector the
 * Service has none: somebody else writes them. How endpoints spread over slices is left to their order.
 *
 * @param pods pods of the Service's namespace
 */
export function endpointSlices(service: JsonMap, pods: readonly JsonMap[]): JsonMap[] {
  const selector = mapAt(service, 'spec', 'selector');
  if (Object.keys(selector).length === 0 || stringAt(service, 'spec', 'type') === 'ExternalName') return [];
  const selected = pods.filter((pod) => selects(selector, mapAt(pod, 'metadata', 'labels')));
  const placed = selected.filter((pod) => !isOver(pod) && stringAt(pod, 'status', 'podIP') !== undefined);
  const always = at(service, ['spec', 'publishNotReadyAddresses']) === true;
  const endpoints = placed.map((pod) => endpointOf(pod, always));
  const count = Math.max(1, Math.ceil(endpoints.length / ENDPOINTS_PER_SLICE));
  return Array.from({ length: count }, (_, i) =>
    sliceOf(service, i, endpoints.slice(i * ENDPOINTS_PER_SLICE, (i + 1) * ENDPOINTS_PER_SLICE)),
  );
}

function endpointOf(pod: JsonMap, always: boolean): JsonMap {
  const [serving, terminating] = [isReady(pod), isTerminating(pod)];
  return {
    addresses: [stringAt(pod, 'status', 'podIP') ?? ''],
    conditions: { ready: always || (serving && !terminating), serving, terminating },
    targetRef: { kind: 'Pod', ...nameAndNamespace(pod), uid: uidOf(pod) },
  };
}

function sliceOf(service: JsonMap, index: number, endpoints: readonly JsonMap[]): JsonMap {
  const { namespace, name } = nameAndNamespace(service);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${index}`,
      namespace,
      labels: {
        'kubernetes.io/service-name': name,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
      ownerReferences: [controllerReference(service)],
    },
    addressType: 'IPv4',
    endpoints,
    ports: listAt(service, 'spec', 'ports').map(portOf),
  };
}

/** A named target port is looked up in the pod; here all pods are alike, and the Service's port stands for it. */
function portOf(port: Json): JsonMap {
  const target = at(port, ['targetPort']);
  return {
    name: stringAt(port, 'name') ?? '',
    port: typeof target === 'number' ? target : (at(port, ['port']) ?? 0),
    protocol: stringAt(port, 'protocol') ?? 'TCP',
  };
}
