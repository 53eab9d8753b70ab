import { setTimeout as moment } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster } from '../../cluster/cluster.ts';
import { environment } from '../../cluster/settings.ts';
import { until } from '../../cluster/until.ts';
import { seeded } from '../../native/random.ts';
import { type Half, leader, podsOfHalf, processesOf, signalPods } from '../faults/processes.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { backToNormal } from './normal.ts';
import { openShop, type Shop } from './shop.ts';
import { STYLES, type Style, strategyOf } from './strategies.ts';
import { type TrafficWatch, watchTraffic } from './traffic.ts';

/** A moment is the kill of a controller in the middle of one release; `npm run test:chaos` asks for 100. */
const MOMENTS = Number(environment['SLUICE_KILLED_MOMENTS'] ?? 15);
/** A release takes about so long when nobody is killed, in milliseconds. */
const RELEASE = 10_000;
const REPLICAS = 3;

/** Whose processes end by SIGKILL, all at once. */
const VICTIMS = ['leader', 'controllers', 'webhooks', 'everything'] as const;
type Victims = (typeof VICTIMS)[number];

/** What a kill has met a release with: a controller died, or webhooks alone. */
type Blow = 'controller' | 'webhooks';
type Met = Readonly<Record<Blow, number>>;

/** What the user does: a new version; and in the middle of its release the old one again, or a third. */
const WAYS = ['forth', 'back', 'further'] as const;
type Way = (typeof WAYS)[number];

const { seed = 0 } = fc.readConfigureGlobal();
const random = seeded(seed);
const any = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

/** A shop through all rounds. */
type Place = {
  readonly style: Style;
  readonly shop: Shop;
  readonly watch: TrafficWatch;
  version: number;
  /** Where its release stood when it was last met: one that has not moved since is not met so a second time. */
  readonly met: Record<Blow, string>;
};

const server = cluster();
let sluice: Installed;
let places: Place[] = [];

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
  places = await Promise.all(
    [...STYLES, ...STYLES, ...STYLES].map(async (style) => {
      const strategy = strategyOf(style, { pause: { duration: 1 } });
      const shop = await openShop(server, { strategy, replicas: REPLICAS });
      return { style, shop, watch: watchTraffic(shop), version: 1, met: { controller: '', webhooks: '' } };
    }),
  );
});
afterAll(async () => {
  await Promise.all(places.map(({ watch }) => watch.stop()));
  await sluice?.uninstall();
});
afterAll(() => expectNoTakenFields(server.client));

test(
  `its controller killed at ${MOMENTS} random moments of releases, and its webhooks between them, Sluice brings each release to its end, and no traffic to where no pods are`,
  async () => {
    let met: Met = { controller: 0, webhooks: 0 };
    for (let round = 1; met.controller < MOMENTS; round++) {
      const courses = places.map((place) => course(place));
      // The second one meets releases that a new leader has just taken up.
      const kills = [1_000 + random() * RELEASE, random() * RELEASE].map((wait) => ({ wait, victims: any(VICTIMS) }));
      process.stderr.write(`round ${round} (seed ${seed}): ${courses.map(({ told }) => told).join(', ')}\n`);
      const ends = courses.map(({ run }) => run());
      for (const { wait, victims } of kills) {
        await led();
        await moment(wait);
        const { blow, count } = await kill(victims);
        met = { ...met, [blow]: met[blow] + count };
      }
      await Promise.all(ends);
      for (const { shop, watch } of places) expect(watch.problems, shop.namespace).toEqual([]);
      process.stderr.write(
        `round ${round}: all ${places.length} have ended, ${met.controller} moments so far, and ${met.webhooks} at which only webhooks were killed\n`,
      );
    }
  },
  60_000 + 30_000 * MOMENTS,
);

/** What happens to one shop in a round, all of it drawn before anything begins. */
function course(place: Place): { readonly told: string; readonly run: () => Promise<void> } {
  const way: Way = any(WAYS);
  const [begins, turns] = [random() * RELEASE * 0.6, random() * RELEASE];
  const before = place.version;
  const then = { forth: before + 1, back: before, further: before + 2 }[way];
  const run = async () => {
    await moment(begins);
    await applied(place.shop, before + 1);
    if (way !== 'forth') {
      await moment(turns);
      await applied(place.shop, then);
    }
    place.version = then;
    await backToNormal(server, place.shop, { version: `v${then}` }, 150);
  };
  return {
    told: `${place.style} ${way} at ${Math.round(begins)}${way === 'forth' ? '' : `+${Math.round(turns)}`}`,
    run,
  };
}

/** The user repeats a write that nobody could admit. */
async function applied(shop: Shop, version: number): Promise<void> {
  await until(
    `v${version} to be admitted`,
    async () => {
      await shop.release(`v${version}`);
      return true;
    },
    90,
  );
}

/** Waits until a controller that runs holds the Lease, and has renewed it. */
async function led(): Promise<void> {
  const lease = { namespace: sluice.namespace, name: 'sluice-controller' };
  const renewed = async () => stringAt(await server.client.get(RESOURCES.lease, lease), 'spec', 'renewTime');
  const first = await renewed();
  const isRunning = async () => processesOf(await leader(server, sluice.namespace)).length > 0;
  await until('a leader', async () => (await renewed()) !== first && (await isRunning()), 60);
}

/** @returns how many releases it has met, and with what */
async function kill(victims: Victims): Promise<{ readonly blow: Blow; readonly count: number }> {
  const pods = await podsToKill(victims);
  const statuses = await Promise.all(places.map(({ shop }) => shop.status()));
  const running = pods.filter(({ name }) => processesOf(name).length > 0);
  if (running.length > 0)
    signalPods(
      running.map(({ name }) => name),
      'SIGKILL',
    );
  const blow = running.some(({ half }) => half === 'controller') ? 'controller' : 'webhooks';
  const met = places.flatMap((place, index) => {
    const status = statuses[index] ?? {};
    const state = stateOf(place.style, status);
    const moved = `${state} ${stringAt(status, 'release', 'startTime')}`;
    if (running.length === 0 || state === undefined || place.met[blow] === moved) return [];
    place.met[blow] = moved;
    return [state];
  });
  const counts = blow === 'controller' ? '' : '; no moments, since no controller died';
  process.stderr.write(
    `SIGKILL of ${victims} (${running.length} of ${pods.length} pods ran): ${met.join(', ')}${counts}\n`,
  );
  return { blow, count: met.length };
}

async function podsToKill(victims: Victims): Promise<{ readonly name: string; readonly half: Half }[]> {
  if (victims === 'leader') return [{ name: await leader(server, sluice.namespace), half: 'controller' }];
  const halves: Half[] =
    victims === 'everything' ? ['controller', 'webhook'] : [victims === 'controllers' ? 'controller' : 'webhook'];
  const pods = await Promise.all(
    halves.map(async (half) => (await podsOfHalf(server, sluice.namespace, half)).map(({ name }) => ({ name, half }))),
  );
  return pods.flat();
}

/** Where a release stands, in one word or two; undefined where none runs. */
function stateOf(style: Style, status: JsonMap): string | undefined {
  if (status['phase'] !== 'Progressing') return undefined;
  const sub = member(status, style === 'blue-green' ? 'blueGreenStatus' : 'canaryStatus');
  const finalising = stringAt(sub, 'finalisingStep') ?? '';
  return `${style} ${finalising || `${status['currentStepIndex']} ${status['currentStepState']}`}`;
}
