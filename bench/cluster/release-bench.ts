import { join } from 'node:path';
import { isList, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { keyOf, type Store } from '../../src/kube/store.ts';
import { until } from '../../test/cluster/until.ts';
import { type BenchCluster, withCluster } from './bench-cluster.ts';
import { createAll, NAMESPACE_KIND, namespaceOf } from './fill.ts';
import { VIRTUAL_SERVICES } from './latency-objects.ts';
import { startReadyPods } from './ready-pods.ts';
import { releaseObjects, versionPatch } from './release-objects.ts';
import { type SluiceProcess, type SluiceProgram, startSluice } from './sluice-process.ts';

export type ReleaseBenchOptions = {
  readonly folder: string;
  readonly program: SluiceProgram;
  /** So long one release is waited for. */
  readonly patienceSeconds?: number;
  readonly say: (line: string) => void;
};

/** A Rollout and what it releases, of one name. */
export type Released = { readonly namespace: string; readonly name: string };

/** A cluster in which releases run: real controllers, pods that are ready at once, and both halves of Sluice. */
export type ReleaseBench = {
  readonly cluster: BenchCluster;
  readonly controller: SluiceProcess;
  /** Every Rollout's status as a watch shows it. */
  readonly rollouts: Store<JsonMap>;
  /** Creates workloads with their Rollouts, and waits until they are armed and all pods are ready. */
  prepare(shops: readonly (Released & { readonly strategy: JsonMap })[], replicas: number): Promise<void>;
  /** Writes a new version into the template. */
  release(shop: Released, version: number): Promise<void>;
  /** Resolves at the event of the watch by which a Rollout's VirtualService has this weight for the canary. */
  weight(shop: Released, percent: number): Promise<void>;
  /** Resolves at the event by which its Rollout's status is so. */
  stands(shop: Released, what: string, isSo: (status: Json | undefined) => boolean): Promise<void>;
  status(shop: Released, body: JsonMap): Promise<void>;
};

const PATIENCE_SECONDS = 120;

export function withReleases<T>(
  { folder, program, patienceSeconds = PATIENCE_SECONDS, say }: ReleaseBenchOptions,
  work: (bench: ReleaseBench) => Promise<T>,
): Promise<T> {
  return withCluster(folder, [], async (cluster) => {
    const pods = await startReadyPods(cluster);
    const watches = [
      new Reflector<JsonMap>({ client: cluster.client, resource: RESOURCES.rollout, trim: (object) => object }),
      new Reflector<number | undefined>({ client: cluster.client, resource: VIRTUAL_SERVICES, trim: canaryWeight }),
    ] as const;
    const [rollouts, gateways] = watches;
    const accounts = await cluster.accounts();
    const start = (half: 'controller' | 'webhook') =>
      startSluice({ program, half, kubeconfig: accounts[half], log: join(folder, `${half}.log`) });
    const webhook = start('webhook');
    const controller = start('controller');
    await until('the webhook to be ready', () => webhook.isReady(), 60);
    const name = { name: 'zz-sluice-mutating' };
    await until('the webhook configurations', () => cluster.client.get(RESOURCES.mutatingWebhookConfiguration, name));
    const patience = (what: string, shop: Released): Patience => ({
      seconds: patienceSeconds,
      error: () => `${what} of ${keyOf(shop)}: ${JSON.stringify(rollouts.store.get(keyOf(shop))?.['status'])}`,
    });
    try {
      return await work({
        cluster,
        controller,
        rollouts: rollouts.store,
        async prepare(shops, replicas) {
          say(`creating ${shops.length} Rollouts with ${replicas} pods each`);
          for (const namespace of new Set(shops.map((shop) => shop.namespace)))
            await cluster.client.create(NAMESPACE_KIND, namespaceOf(namespace));
          const creations = shops.map((shop) => releaseObjects(shop.namespace, shop.name, replicas, shop.strategy));
          await createAll(cluster.connection, creations);
          await until('all workloads to be armed, and their pods to be ready', () => isPrepared(cluster, shops), 150);
          await until('VirtualServices to be asked about', async () =>
            JSON.stringify(await cluster.client.get(RESOURCES.mutatingWebhookConfiguration, name)).includes(
              VIRTUAL_SERVICES.plural,
            ),
          );
        },
        async release({ namespace, name: workload }, version) {
          const options = { fieldManager: 'kubectl-set', isAnswerRead: false } as const;
          const deployment = { namespace, name: workload };
          await cluster.client.patch(RESOURCES.deployment, deployment, 'strategic', versionPatch(version), options);
        },
        weight: (shop, percent) =>
          seen(gateways.store, shop, (weight) => weight === percent, patience(`weight ${percent}`, shop)),
        stands: (shop, what, isSo) =>
          seen(rollouts.store, shop, (rollout) => isSo(rollout?.['status']), patience(what, shop)),
        async status({ namespace, name: rollout }, body) {
          const options = { subresource: 'status', isAnswerRead: false } as const;
          await cluster.client.patch(RESOURCES.rollout, { namespace, name: rollout }, 'merge', body, options);
        },
      });
    } finally {
      pods.close();
      for (const watch of watches) watch.close();
      await webhook.stop();
      await controller.stop();
    }
  });
}

async function isPrepared({ client }: BenchCluster, shops: readonly Released[]): Promise<boolean> {
  const ready = new Set<string>();
  for await (const { metadata, spec, status } of client.listAll(RESOURCES.deployment)) {
    const isArmed = JSON.stringify(member(metadata, 'annotations') ?? {}).includes('directive.sluice.dev/');
    if (!isArmed || member(status, 'readyReplicas') !== member(spec, 'replicas')) continue;
    ready.add(`${stringAt(metadata, 'namespace')}/${stringAt(metadata, 'name')}`);
  }
  return shops.every((shop) => ready.has(keyOf(shop)));
}

/** How long something is waited for, and what did not come then. */
type Patience = { readonly seconds: number; readonly error: () => string };

/** Waits for an event, without asking. @throws when it does not come in time */
function seen<T>(
  store: Store<T>,
  shop: Released,
  isSo: (value: T | undefined) => boolean,
  { seconds, error }: Patience,
): Promise<void> {
  const key = keyOf(shop);
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      stop();
    };
    const stop = store.onChange((change) => {
      if (change.key !== key || !isSo(change.after)) return;
      end();
      resolve();
    });
    const timer = setTimeout(() => {
      end();
      reject(new Error(`waited ${seconds} s for ${error()}`));
    }, seconds * 1000);
    if (!isSo(store.get(key))) return;
    end();
    resolve();
  });
}

/** Of the canary Service in the first rule; undefined without. */
function canaryWeight(object: JsonMap): number | undefined {
  const http = member(object['spec'], 'http');
  const route = isList(http) ? member(http[0], 'route') : undefined;
  const found = (isList(route) ? route : []).find((each) => stringAt(each, 'destination', 'host')?.endsWith('-canary'));
  const weight = member(found, 'weight');
  return typeof weight === 'number' ? weight : undefined;
}
