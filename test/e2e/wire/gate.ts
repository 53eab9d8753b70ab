import type { JsonMap } from '../../../src/json/value.ts';
import type { Client } from '../../../src/kube/client.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';

/** Keeps pods of a version from becoming ready, so that a release stays in the state in which it waits for them. */
export type Gate = {
  /** Pods of this version that start from now on wait; those that have started go on serving. */
  hold(version: string): Promise<void>;
  /** All that wait, and all that come later, become ready. */
  open(): Promise<void>;
};

/** The ConfigMap by which a gate tells pods, which is one of their volumes. */
export const GATE: JsonMap & { readonly metadata: { readonly name: string } } = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'gate' },
  data: { held: '' },
};

/**
 * Fails as long as the ConfigMap holds a line of the pod's own labels, or cannot be read. Once it has succeeded Kubernetes asks no more,
 * which keeps apart the pods that serve and those that wait.
 */
export const startupProbe: JsonMap = {
  exec: { command: ['sh', '-c', `grep -qf /etc/${GATE.metadata.name}/held /etc/podinfo/labels; test $? -eq 1`] },
  periodSeconds: 1,
  timeoutSeconds: 5,
  failureThreshold: 600,
};

/** The gate of the pods of a namespace. */
export function gateOf(client: Client, namespace: string): Gate {
  const place = { namespace, name: GATE.metadata.name };
  const tell = async (held: string) =>
    void (await client.patch(RESOURCES.configMap, place, 'merge', { data: { held } }));
  return { hold: (version) => tell(`version="${version}"\n`), open: () => tell('') };
}
