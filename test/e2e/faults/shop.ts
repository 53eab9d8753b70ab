import { isMap, type JsonMap } from '../../../src/json/value.ts';
import { outcomeOf } from '../../../src/kube/api-error.ts';
import type { KubeObject } from '../../../src/kube/client.ts';
import { type ObjectName, RESOURCES } from '../../../src/kube/resource.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { CommandResult } from '../../cluster/command.ts';
import { until } from '../../cluster/until.ts';
import { deployment, httpRoute, ingress, type Subject, service, virtualService } from '../drift/objects.ts';
import type { InstallOptions } from '../installed.ts';
import { openShopInStep1, routing, type Shop } from '../release/shop.ts';
import { rollout } from '../rollout-controller.ts';

/** The gateways of a shop, which have to be there before it. */
export const GATEWAYS: InstallOptions = { gateways: ['istio', 'httpRoute'] };

/** What a release changes in a shop. */
export const TAKING_PART = [virtualService, httpRoute, service, deployment] as const;

/**
 * A shop that waits in step 1 of a release, with an HTTPRoute and an Ingress beside the VirtualService; objects `other` of
 * the same kinds, which take no part; and a Deployment `armed` at rest, which the Rollout `armed` names.
 */
export async function openShop(cluster: Cluster): Promise<Shop> {
  const others = [...TAKING_PART, ingress].map(({ source }) => renamed(source, 'other'));
  const armed = [renamed(deployment.source, 'armed'), armedRollout()];
  const shop = await openShopInStep1(cluster, {
    routing: { ...routing, gateway: { httpRouteName: 'web' }, ingress: { name: 'web', classType: 'nginx' } },
    beside: [httpRoute.source, ingress.source, ...others, ...armed],
  });
  await until('the Deployment to be armed', async () => {
    const { metadata } = await cluster.client.get(RESOURCES.deployment, { namespace: shop.namespace, name: 'armed' });
    return isMap(metadata) && JSON.stringify(metadata['annotations']).includes('directive.sluice.dev/armed');
  });
  return shop;
}

function armedRollout(): JsonMap {
  const { apiVersion, kind } = rollout();
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'armed' };
  const strategy = { canary: { steps: [{ replicas: '50%' }, { replicas: '100%' }] } };
  return { apiVersion, kind, metadata: { name: 'armed' }, spec: { workloadRef, strategy } } as JsonMap;
}

/** The same object under another name, with pods of its own. */
export function renamed(source: JsonMap, name: string): JsonMap {
  const { metadata, ...rest } = source;
  const text = JSON.stringify(rest).replaceAll('"app":"web"', `"app":"${name}"`);
  return { ...JSON.parse(text), metadata: { ...(metadata as JsonMap), name } };
}

/** The user's write: their source with the first edit of the subject. */
export function edited({ edits }: Subject, source: JsonMap): JsonMap {
  const [edit] = edits;
  if (edit === undefined) throw new Error('no edit');
  return edit.apply(source);
}

export function applyTo({ kubectl }: Cluster, { namespace }: Shop, object: JsonMap): Promise<CommandResult> {
  return kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: JSON.stringify(object) });
}

/** Where the object of a subject is. */
export function nameIn({ namespace }: Shop): ObjectName {
  return { namespace, name: 'web' };
}

export function live({ client }: Cluster, { resource }: Subject, shop: Shop): Promise<KubeObject> {
  return client.get(resource, nameIn(shop));
}

/** Whether admission by Sluice works now, seen by a dry run on an object in a release. */
export async function admits({ client }: Cluster, shop: Shop): Promise<boolean> {
  const patch = { metadata: { labels: { asked: String(performance.now()) } } };
  try {
    await client.patch(virtualService.resource, nameIn(shop), 'merge', patch, { dryRun: true });
    return true;
  } catch (error) {
    if (outcomeOf(error) === 'passing') return false;
    throw error;
  }
}
