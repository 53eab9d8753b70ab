import { join } from 'node:path';
import { stringAt } from '../../src/json/value.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { objectPath, RESOURCES } from '../../src/kube/resource.ts';
import { until } from '../../test/cluster/until.ts';
import { percentile } from '../statistics.ts';
import { type BenchCluster, withCluster } from './bench-cluster.ts';
import { createAll, NAMESPACE_KIND, namespaceOf } from './fill.ts';
import { openPatcher, type PatchCall } from './patching.ts';
import { type Creation, creationsIn } from './size-objects.ts';
import { type Memory, type SluiceProcess, type SluiceProgram, startSluice } from './sluice-process.ts';

export type CrowdOptions = {
  readonly folder: string;
  readonly program: SluiceProgram;
  /** In one namespace. */
  readonly rollouts: number;
  /** Patches of each kind that count. */
  readonly rounds: number;
  readonly say: (line: string) => void;
};

/** Rollouts that all come at once to a controller that runs. */
export type Crowd = {
  readonly rollouts: number;
  /** From the first creation to the last answer of one. */
  readonly createdSeconds: number;
  /** From the first creation to the event by which the last Rollout is `Healthy`. */
  readonly readySeconds: number;
  readonly writesPerRollout: number;
  readonly memory: Memory;
  readonly cpuSeconds: number;
  readonly longestBusy: number;
  readonly writes: readonly CrowdWrite[];
};

/** A dry-run write of a workload: beside all of these Rollouts, and in a namespace that holds one. */
export type CrowdWrite = {
  readonly what: string;
  readonly crowded: { readonly p50: number; readonly p99: number };
  readonly alone: { readonly p50: number; readonly p99: number };
};

/** Of equal length, as the names in them. */
const NAMESPACES = { crowded: 'team-crowded', alone: 'team-of-one1' } as const;
type Place = keyof typeof NAMESPACES;
const PLACES: readonly Place[] = ['crowded', 'alone'];
const NAMED = 'service-00000';
/** A workload that no Rollout names: at a new template Sluice asks which one does. */
const UNNAMED = 'service-free0';
const CONNECTION_COUNT = 16;
const PATIENCE_SECONDS = 500;

export function measureCrowd({ folder, program, rollouts, rounds, say }: CrowdOptions): Promise<Crowd> {
  return withCluster(folder, [], async (cluster) => {
    cluster.pauseControllers();
    const accounts = await cluster.accounts();
    const start = (half: 'controller' | 'webhook') =>
      startSluice({ program, half, kubeconfig: accounts[half], log: join(folder, `${half}.log`) });
    const webhook = start('webhook');
    const controller = start('controller');
    try {
      await until('the webhook to be ready', () => webhook.isReady(), 60);
      const name = { name: 'zz-sluice-mutating' };
      await until('the webhook configurations', () => cluster.client.get(RESOURCES.mutatingWebhookConfiguration, name));
      const created = await createCrowd(cluster, controller, rollouts, say);
      await createAll(cluster.connection, [
        [...workloads(creationsIn(NAMESPACES.alone, NAMED, 0)), ...rolloutsOf(creationsIn(NAMESPACES.alone, NAMED, 0))],
        ...PLACES.map((place) => workloads(creationsIn(NAMESPACES[place], UNNAMED, 0))),
      ]);
      await until('the workload that is alone to be armed', () => isArmed(cluster, NAMESPACES.alone), 60);
      return { rollouts, ...created, writes: await measureWrites(cluster, rounds, say) };
    } finally {
      await webhook.stop();
      await controller.stop();
    }
  });
}

const workloads = (creations: Creation[]) => creations.filter(({ resource }) => resource === RESOURCES.deployment);
const rolloutsOf = (creations: Creation[]) => creations.filter(({ resource }) => resource === RESOURCES.rollout);

async function createCrowd(
  cluster: BenchCluster,
  controller: SluiceProcess,
  rollouts: number,
  say: (line: string) => void,
) {
  const { client, connection } = cluster;
  for (const name of Object.values(NAMESPACES)) await client.create(NAMESPACE_KIND, namespaceOf(name));
  const all = Array.from({ length: rollouts }, (_, i) =>
    creationsIn(NAMESPACES.crowded, `service-${String(i).padStart(5, '0')}`, i),
  );
  say(`crowd: creating ${rollouts} workloads`);
  await createAll(connection, all.map(workloads), CONNECTION_COUNT);
  const healthy = new Set<string>();
  const last = Promise.withResolvers<number>();
  const reflector = new Reflector<string>({
    client,
    resource: RESOURCES.rollout,
    trim: (object) => stringAt(object, 'status', 'phase') ?? '',
  });
  reflector.store.onChange(({ key, after }) => {
    if (after === 'Healthy') healthy.add(key);
    if (healthy.size === rollouts) last.resolve(performance.now());
  });
  await reflector.synced();
  const [before, cpu] = [await controller.observe(), controller.cpu()];
  say(`crowd: creating ${rollouts} Rollouts`);
  const started = performance.now();
  const timer = setInterval(() => say(`  ${healthy.size} are Healthy`), 10_000);
  const patience = setTimeout(
    () => last.reject(new Error(`only ${healthy.size} were Healthy`)),
    1000 * PATIENCE_SECONDS,
  );
  try {
    await createAll(connection, all.map(rolloutsOf), CONNECTION_COUNT);
    const createdSeconds = (performance.now() - started) / 1000;
    const readySeconds = ((await last.promise) - started) / 1000;
    const { requests, longestBusy } = await controller.observe();
    const writes = Object.entries(requests).filter(([what]) => /^(POST|PUT|PATCH|DELETE) (?!leases)/.test(what));
    const count = writes.reduce((sum, [what, value]) => sum + value - (before.requests[what] ?? 0), 0);
    return {
      ...{ createdSeconds, readySeconds, writesPerRollout: count / rollouts, memory: controller.memory() },
      ...{ cpuSeconds: (controller.cpu() - cpu) / 1000, longestBusy },
    };
  } finally {
    clearInterval(timer);
    clearTimeout(patience);
    reflector.close();
  }
}

async function isArmed({ client }: BenchCluster, namespace: string): Promise<boolean> {
  const { metadata } = await client.get(RESOURCES.deployment, { namespace, name: NAMED });
  return JSON.stringify(metadata).includes('directive.sluice.dev/');
}

const WRITES: Readonly<Record<string, (namespace: string, number: number) => PatchCall>> = {
  'template of a workload that is armed': (namespace, number) => call(namespace, NAMED, templateOf(number)),
  'template of a workload that no Rollout names': (namespace, number) => call(namespace, UNNAMED, templateOf(number)),
  'replicas of a workload that is armed': (namespace, number) =>
    call(namespace, NAMED, { spec: { replicas: 1 + (number % 1000) } }),
};

function templateOf(number: number): object {
  return { spec: { template: { metadata: { annotations: { 'shop.example.com/build': String(100_000 + number) } } } } };
}

function call(namespace: string, name: string, body: object): PatchCall {
  const path = objectPath(RESOURCES.deployment, { namespace, name });
  return {
    path: `${path}?dryRun=All&fieldManager=bench`,
    contentType: 'application/merge-patch+json',
    body: JSON.stringify(body),
  };
}

/** Both places in turns, in random order, over one connection. */
async function measureWrites(
  cluster: BenchCluster,
  rounds: number,
  say: (line: string) => void,
): Promise<CrowdWrite[]> {
  const patcher = openPatcher(cluster);
  const found: CrowdWrite[] = [];
  try {
    for (const [what, patch] of Object.entries(WRITES)) {
      say(`crowd: ${what}`);
      const times: Record<Place, number[]> = { crowded: [], alone: [] };
      // The first half warms up compilers, caches and connections.
      for (let round = 0; round < 2 * rounds; round++) {
        for (const place of Math.random() < 0.5 ? PLACES : PLACES.toReversed()) {
          const time = await patcher.time(patch(NAMESPACES[place], round));
          if (round >= rounds) times[place].push(time);
        }
      }
      const of = (place: Place) => ({ p50: percentile(times[place], 50), p99: percentile(times[place], 99) });
      found.push({ what, crowded: of('crowded'), alone: of('alone') });
    }
  } finally {
    patcher.close();
  }
  return found;
}
