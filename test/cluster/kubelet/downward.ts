import type { NodeAddress } from '../network.ts';
import type { Pod } from './pod-object.ts';

/** What a running pod knows of itself besides its object. */
export type Place = { readonly node: NodeAddress; readonly podIP: string };

/** A thing that the pod's specification asks for and that cannot be given (yet): the container does not start. */
export class NotAvailable extends Error {}

/**
 * The value of a downward API field.
 * @throws NotAvailable for a path that no kubelet knows
 */
export function fieldValue(pod: Pod, { node, podIP }: Place, fieldPath: string): string {
  const { metadata, spec } = pod;
  const entry = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (entry !== null) return metadata[entry[1] as 'labels' | 'annotations']?.[entry[2] ?? ''] ?? '';
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'metadata.labels': lines(metadata.labels),
    'metadata.annotations': lines(metadata.annotations),
    'spec.nodeName': node.name,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.hostIP': node.address,
    'status.hostIPs': node.address,
    'status.podIP': podIP,
    'status.podIPs': podIP,
  };
  const value = Object.hasOwn(fields, fieldPath) ? fields[fieldPath] : undefined;
  if (value === undefined) throw new NotAvailable(`the field ${fieldPath} is not known to this kubelet`);
  return value;
}

/** `key="value"`, one a line, in the order of keys: as a downward API file has it. */
function lines(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}
