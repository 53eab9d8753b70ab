import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { at, isList } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { until } from '../../test/cluster/until.ts';
import { type BenchCluster, withCluster } from './bench-cluster.ts';
import { fill } from './fill.ts';
import {
  type Half,
  type Memory,
  type SluiceProcess,
  type SluiceProgram,
  startSluice,
  untilLogged,
} from './sluice-process.ts';

/** What a cluster holds. */
export type Size = { readonly rollouts: number; readonly withGateways: boolean };

export type SizeOptions = {
  readonly folder: string;
  readonly program: SluiceProgram;
  readonly size: Size;
  readonly say: (line: string) => void;
};

/** One cold start of one half. */
export type Start = {
  readonly name: string;
  /** Until all objects have been seen; of the webhook until it is ready. */
  readonly seenSeconds: number;
  /** Until nothing is left to do. */
  readonly seconds: number;
  readonly memory: Memory;
  readonly longestBlock: number;
  /** The longest block in CPU time: what others on the machine took is not in it. */
  readonly longestBusy: number;
  readonly longestCollection: number;
  readonly requests: number;
  readonly requestsBy: Readonly<Record<string, number>>;
  readonly bytesReceived: number;
  readonly cpuSeconds: number;
  readonly heapUsed: number;
};

export type SizeFigures = {
  readonly title: string;
  /** Whether the goals are for this size. */
  readonly goals: boolean;
  readonly starts: readonly Start[];
};

/** So many Rollouts have a Service and a VirtualService each, whose steps are played. */
const WITH_GATEWAYS = 1_000;
const AT_REST_MILLISECONDS = 5_000;
const PATIENCE_SECONDS = 900;

/** The sizes that are measured. */
export function SIZES(rollouts: readonly number[]): Size[] {
  const plain = rollouts.map((count) => ({ rollouts: count, withGateways: false }));
  return [...plain, { rollouts: Math.min(WITH_GATEWAYS, Math.max(...rollouts)), withGateways: true }];
}

/** Fills a cluster, and starts each half in it. */
export function measureSize({ folder, program, size, say }: SizeOptions): Promise<SizeFigures> {
  const { rollouts, withGateways } = size;
  const title = `${rollouts.toLocaleString('en-US')}${withGateways ? ' with VirtualServices' : ''}`;
  return withCluster(folder, [], async (cluster) => {
    cluster.pauseControllers();
    say(`${title}: creating`);
    await fill(cluster.connection, rollouts, withGateways, say);
    const accounts = await cluster.accounts();
    const starts: Start[] = [];
    const begin = (half: Half, name: string) =>
      startSluice({ program, half, kubeconfig: accounts[half], log: join(folder, `${name.replaceAll(' ', '-')}.log`) });
    const run = async (half: Half, name: string, ready: (sluice: SluiceProcess) => Promise<Ready>) => {
      say(`${title}: ${name}`);
      const sluice = begin(half, name);
      const start = await figures(sluice, name, await ready(sluice));
      say(`  ${JSON.stringify(start)}`);
      starts.push(start);
      return sluice;
    };
    // As in an installation: API servers ask it about every workload that is armed.
    const beside = begin('webhook', 'webhook beside the first start');
    const first = await run('controller', 'controller, first start', untilAtRest);
    await checkConditions(cluster, rollouts);
    await beside.stop();
    const webhook = await run('webhook', 'webhook', untilReady);
    await first.stop();
    const second = await run('controller', 'controller, second start', untilAtRest);
    checkNoWrites(starts.at(-1));
    await second.stop();
    await webhook.stop();
    return { title, goals: true, starts };
  });
}

/** Milliseconds since the process was started. */
type Ready = { readonly seen: number; readonly atRest: number };

async function figures(sluice: SluiceProcess, name: string, { seen, atRest }: Ready): Promise<Start> {
  await sleep(AT_REST_MILLISECONDS); // memory goes down when work is over
  const { requests, bytesReceived, heapUsed, ...longest } = await sluice.observe();
  return {
    ...{ name, seenSeconds: seen / 1000, seconds: atRest / 1000, memory: sluice.memory(), ...longest },
    requests: Object.values(requests).reduce((sum, count) => sum + count, 0),
    ...{ requestsBy: requests, bytesReceived, cpuSeconds: sluice.cpu() / 1000, heapUsed: heapUsed / 2 ** 20 },
  };
}

async function untilReady({ isReady, started }: SluiceProcess): Promise<Ready> {
  await until('the webhook to be ready', isReady, PATIENCE_SECONDS);
  const seen = performance.now() - started;
  return { seen, atRest: seen };
}

/** Until it has begun to work on Rollouts and none is left. */
async function untilAtRest(controller: SluiceProcess): Promise<Ready> {
  const seen = await untilLogged(controller, 'the controller works on Rollouts', PATIENCE_SECONDS);
  await until(
    'the controller to have nothing left to do',
    async () => {
      const metrics = await controller.metrics();
      const size = (state: string) =>
        Number(new RegExp(`^sluice_queue_size{state="${state}"} (\\d+)`, 'm').exec(metrics)?.[1]);
      // What waits is the sweep of scripts and the next look at them; Rollouts wait only after a failure.
      return size('ready') + size('working') === 0 && size('waiting') <= 2;
    },
    PATIENCE_SECONDS,
  );
  return { seen, atRest: performance.now() - controller.started };
}

/** @throws unless every Rollout has been judged, and found good */
async function checkConditions({ client }: BenchCluster, wanted: number): Promise<void> {
  let good = 0;
  for await (const rollout of client.listAll(RESOURCES.rollout)) {
    const conditions = at(rollout, ['status', 'conditions']);
    const isGood =
      isList(conditions) && conditions.length > 0 && conditions.every((one) => at(one, ['status']) === 'True');
    if (!isGood) throw new Error(`a Rollout is not as it should be: ${JSON.stringify(conditions)}`);
    good += 1;
  }
  if (good !== wanted) throw new Error(`there are ${good} Rollouts, not ${wanted}`);
}

/** @throws when a start at which nothing had changed wrote Rollouts or workloads */
function checkNoWrites(start: Start | undefined): void {
  const writes = Object.entries(start?.requestsBy ?? {}).filter(([what]) => /^PATCH (rollouts|deployments)/.test(what));
  if (writes.length > 0) throw new Error(`the second start wrote: ${JSON.stringify(writes)}`);
}
