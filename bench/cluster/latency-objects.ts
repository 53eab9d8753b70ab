import { ANNOTATIONS } from '../../src/api/names.ts';
import { type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { Client } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { directiveKey, encodeDirective } from '../../src/rewrite/directive.ts';
import { succeeded } from '../../test/cluster/cluster.ts';
import { ROLLOUT, shippedScript, stepDirective, virtualService } from '../virtual-service.ts';
import type { BenchCluster } from './bench-cluster.ts';

/**
 * Which webhook is called for an object in a release: `none`, the `bare` one, or `sluice`; and for one that takes no part,
 * which Sluice knows by its match conditions (`apart`) or never looks at (`away`).
 */
export const VARIANTS = ['none', 'bare', 'sluice', 'apart', 'away'] as const;
export type Variant = (typeof VARIANTS)[number];

/** Names of equal length: nothing but the webhook should make a difference. */
export const NAMESPACES: Readonly<Record<Variant, string>> = {
  none: 'bench-none-0',
  bare: 'bench-bare-0',
  sluice: 'bench-ours-0',
  apart: 'bench-apart0',
  away: 'bench-away-0',
};

/** Namespaces that Sluice keeps out of. */
export const OUTSIDE = [NAMESPACES.none, NAMESPACES.bare, NAMESPACES.away];

export const OBJECT = 'checkout';
const ROUTES = 10;

export const VIRTUAL_SERVICES: Resource = {
  group: 'networking.istio.io',
  version: 'v1beta1',
  plural: 'virtualservices',
  kind: 'VirtualService',
  namespaced: true,
};

/** Makes one object for each variant: the same one in a release three times, and the same one at rest twice. */
export async function prepareObjects(
  { client, kubectl }: BenchCluster,
  accounts: { readonly controller: string },
): Promise<void> {
  for (const namespace of Object.values(NAMESPACES)) {
    if (namespace !== NAMESPACES.bare) succeeded(await kubectl(['create', 'namespace', namespace]));
  }
  for (const variant of ['sluice', 'apart', 'away'] as const) {
    await client.create(VIRTUAL_SERVICES, applied(NAMESPACES[variant]), { fieldManager: 'kubectl' });
  }
  const released = await release(accounts.controller);
  for (const variant of ['none', 'bare'] as const) {
    await client.create(VIRTUAL_SERVICES, copied(released, NAMESPACES[variant]), { fieldManager: 'kubectl' });
  }
}

/** A VirtualService as `kubectl apply` makes it. */
function applied(namespace: string): JsonMap {
  const object = virtualService(ROUTES, OBJECT);
  const metadata = object['metadata'] as JsonMap; // of an object that virtualService made
  const annotations = { ...(metadata['annotations'] as JsonMap), [ANNOTATIONS.lastApplied]: JSON.stringify(object) };
  return { ...object, metadata: { ...metadata, namespace, annotations } };
}

/** Sets the directive as the controller does. @returns the object as it is stored then */
async function release(kubeconfig: string): Promise<JsonMap> {
  const namespace = NAMESPACES.sluice;
  const directive = stepDirective({ number: 1, weight: 20 }, shippedScript());
  const text = encodeDirective({ ...directive, rollout: { ...ROLLOUT, namespace } });
  const body = { metadata: { annotations: { [directiveKey(ROLLOUT.name)]: text } } };
  const connection = connect({ kubeconfig, env: {} });
  const controller = new Client(connection);
  const stored = await controller.patch(VIRTUAL_SERVICES, { namespace, name: OBJECT }, 'merge', body, {
    fieldManager: 'sluice-controller',
  });
  connection.close();
  if (stringAt(stored, 'metadata', 'annotations', ANNOTATIONS.original) === undefined) {
    throw new Error('Sluice was not called: the object has no original');
  }
  return stored;
}

function copied(object: JsonMap, namespace: string): JsonMap {
  const { labels = {}, annotations = {} } = member(object, 'metadata') as JsonMap;
  return { ...object, metadata: { name: OBJECT, namespace, labels, annotations } };
}
