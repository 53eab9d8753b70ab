import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { equal } from '../../../src/json/equal.ts';
import type { JsonMap } from '../../../src/json/value.ts';
import { RESOURCES, type Resource } from '../../../src/kube/resource.ts';
import { until } from '../../cluster/until.ts';
import { type Change, type History, record } from '../release/history.ts';
import { openShop, type Shop, type ShopOptions, VIRTUAL_SERVICE } from '../release/shop.ts';
import { echoVersion } from './answers.ts';
import { shortfalls } from './capacity.ts';
import type { Front } from './front.ts';
import { GATE, type Gate, gateOf, startupProbe } from './gate.ts';
import { type Failure, type Outcome, sendAll, startLoad } from './load.ts';
import { placeOf, statusIn, turns } from './places.ts';
import { timeline } from './timeline.ts';

const KINDS: readonly Resource[] = [
  RESOURCES.deployment,
  RESOURCES.service,
  RESOURCES.pod,
  VIRTUAL_SERVICE,
  RESOURCES.replicaSet,
  RESOURCES.endpointSlice,
  RESOURCES.rollout,
  RESOURCES.event,
];

const PER_SECOND = 50;
/** How far around a failure the timeline is shown. */
const AROUND_MILLISECONDS = 4_000;
const MOST_LINES = 120;

/**
 * As pods behind a gateway are told to end: they go on serving while it gets to know that they are going (Kubernetes'
 * sleep action), which takes the gateway's control plane some hundred milliseconds.
 */
const container: JsonMap = { startupProbe, lifecycle: { preStop: { sleep: { seconds: 2 } } } };

/**
 * Nothing is tried twice. Istio's default would try a request two times more at another pod where no connection came
 * about or a stream was refused, and so hide that a pod was asked which is not there.
 */
const ONCE: JsonMap = { name: 'web', route: [{ destination: { host: 'web' } }], retries: { attempts: 0 } };

/** What a story is told with. */
export type Play = {
  readonly shop: Shop;
  readonly gate: Gate;
  /** Waits until the release stands there (see `placeOf`). */
  stands(place: string): Promise<void>;
  /** Applies this version, which is to come while the release stands there. */
  apply(version: string, place: string): Promise<void>;
};

/**
 * Opens a shop behind the gateway, sends it 50 requests a second as long as `story` takes, and holds that none was lost,
 * that no version ever had fewer ready pods than its share of the traffic needs (none may be missing: the Deployment's
 * maxUnavailable is 0), and that the release stood where the story says in the very moment in which a version came.
 */
export async function withoutLoss(
  { server, mesh }: Front,
  options: ShopOptions,
  story: (play: Play) => Promise<void>,
): Promise<Outcome> {
  const namespace = await server.namespace();
  const host = `${namespace}.example`;
  const { gateway, port, host: address, log } = mesh();
  const virtualService: JsonMap = { hosts: [host], gateways: ['web'], http: [ONCE] };
  const behind = { namespace, container, configMap: GATE.metadata.name, virtualService };
  const shop = await openShop(server, { ...options, ...behind, beside: [gateway('web'), GATE] });
  const target = { address, port, host };
  await until('the gateway to lead to the shop', async () => {
    return (await sendAll(5, target, PER_SECOND, echoVersion)).failures.length === 0;
  });
  const history = await record(server.client, namespace, KINDS);
  const begin = new Date();
  const load = startLoad(target, PER_SECOND, echoVersion);
  const planned: string[] = [];
  const told = await story(playOf(shop, history, gateOf(server.client, namespace), planned)).then(
    () => undefined,
    (error: unknown) => error,
  );
  const outcome = await load.stop();
  const changes = await history.stop();
  const short = shortfalls(changes, history.begin, 0);
  const [failure] = outcome.failures;
  const turned = turns(changes);
  if (failure !== undefined || short.length > 0 || told !== undefined || !equal(turned, planned)) {
    const all = await evidence(changes, outcome.failures, await log(begin));
    const file = join(server.facts.folder, `${namespace}.timeline`);
    writeFileSync(file, all.join('\n'));
    const moment = failure?.at ?? new Date(short[0]?.at ?? Date.now());
    process.stderr.write(`The timeline is in ${file}\n${around(all, moment).join('\n')}\n`);
  }
  expect({ failures: outcome.failures, short }).toEqual({ failures: [], short: [] });
  if (told !== undefined) throw told;
  expect(turned).toEqual(planned);
  return outcome;
}

/** @param planned gets what `turns` is to find in the end */
function playOf(shop: Shop, history: History, gate: Gate, planned: string[]): Play {
  // Seen by the watch that is there anyway: it costs a busy API server nothing.
  const stands = async (place: string) => {
    let last = '';
    const isThere = () => {
      last = placeOf(statusIn(history.changes()));
      return last === place;
    };
    await until(`the place ${place}`, isThere, 90).catch((error: unknown) => {
      throw new Error(`${String(error)}; it is ${last}`, { cause: error });
    });
  };
  return {
    shop,
    gate,
    stands,
    async apply(version, place) {
      planned.push(`${version} in ${place}`);
      await shop.release(version);
    },
  };
}

/** Changes of the cluster, pushes of the control plane and lost requests, in the order of their times. */
function evidence(changes: readonly Change[], failures: readonly Failure[], log: string): string[] {
  const pushes = log
    .split('\n')
    .filter((line) => /PUSH|Push/.test(line))
    .map((line) => `${line.slice(11, 23)} istiod ${line.slice(line.indexOf(' ') + 1)}`);
  const lost = failures.map(({ at, reason }) => `${at.toISOString().slice(11, 23)} LOST ${reason}`);
  return [...timeline(changes), ...pushes, ...lost].sort();
}

function around(lines: readonly string[], moment: Date): string[] {
  const [from, to] = [-AROUND_MILLISECONDS, AROUND_MILLISECONDS].map((milliseconds) =>
    new Date(moment.getTime() + milliseconds).toISOString().slice(11, 23),
  );
  return lines.filter((line) => line >= (from ?? '') && line <= (to ?? '')).slice(0, MOST_LINES);
}
