import { setTimeout as sleep } from 'node:timers/promises';
import { at, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { outcomeOf } from '../../../src/kube/api-error.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { type Cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import type { Stage } from '../../release/actions.ts';
import { type Shop, VIRTUAL_SERVICE, virtualServiceOf } from './shop.ts';

/** A shop as the stage of what the model does to it. @param restart makes another controller lead */
export function stageOf(cluster: Cluster, shop: Shop, restart: () => Promise<void>): Stage {
  const { client, apply } = cluster;
  const { namespace, name } = shop;
  return {
    release: (version) => admitted(() => shop.release(version)),
    scale: (replicas) => shop.scale(replicas),
    plan: (strategy) => admitted(() => shop.plan(strategy)),
    request: (sub, release) => asked(() => shop.request(sub, release)),
    approve: () => asked(() => shop.approve()),
    edit: (from, timeout) =>
      admitted(async () => {
        if (from === 'source') return apply(namespace, virtualServiceOf(name, { timeout }));
        // As `kubectl edit` does: the whole object as it was read, with one field changed.
        const live = await shop.gateway();
        const [rule, ...others] = at(live, ['spec', 'http']) as JsonMap[];
        const http = [{ ...rule, timeout }, ...others];
        await client.replace(VIRTUAL_SERVICE, { ...live, spec: { ...(live['spec'] as JsonMap), http } });
      }),
    async takePod() {
      const { items } = await client.list(RESOURCES.pod, { namespace });
      const pod = items.find(({ metadata }) => member(metadata, 'deletionTimestamp') === undefined);
      if (pod === undefined) return;
      const place = { namespace, name: stringAt(pod, 'metadata', 'name') ?? '' };
      await client.delete(RESOURCES.pod, place).catch((error: unknown) => {
        if (outcomeOf(error) !== 'gone') throw error;
      });
    },
    async forget() {
      const named = ['delete', 'rollout', name, '-n', namespace];
      await admitted(async () => void succeeded(await cluster.kubectl(named)));
    },
    restart,
    strategy: async () => member((await shop.rollout())['spec'], 'strategy') as JsonMap,
    status: () => shop.status(),
    stands: () => shop.stands(),
    serving: () => shop.serving(),
    pass: (seconds) => sleep(1000 * seconds),
    milliseconds: () => performance.now(),
  };
}

/** Users repeat a write that met a conflict, or nobody who could admit it. */
async function admitted(write: () => Promise<void>): Promise<void> {
  await until('a write to be admitted', async () => {
    await write();
    return true;
  });
}

/** What is asked in the moment in which it has become moot is refused, and changes nothing. */
async function asked(request: () => Promise<void>): Promise<void> {
  await admitted(() =>
    request().catch((error: unknown) => {
      if (outcomeOf(error) !== 'refused') throw error;
    }),
  );
}
