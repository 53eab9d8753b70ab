import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, type JsonMap } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { openPlayed, type Played, REPLICAS } from './played.ts';
import { routingOf } from './shop.ts';
import { STYLES, type Style, strategyOf, withSteps } from './strategies.ts';

const server = cluster();
const { client } = server;
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(() => sluice?.uninstall());
afterAll(() => expectNoTakenFields(server.client));

const MANUAL: JsonMap = {};
/** Seconds: so long a release stands in a state that waits for it, while others do what has to be done in that time. */
const LONG_GRACE = 4;
/** Longer than the way from the switch to the end of the steps. */
const DELAY = 6;

/**
 * A state of the release of v2, and how a shop with version v1 is brought into it, and held there. Those that a release goes
 * through at once have none: `StepMetricsAnalysis`, `StepReady`, and of the end what waits for nothing but an answer.
 */
type State = {
  /** As `standingOf` names it. */
  readonly where: string;
  readonly styles?: readonly Style[];
  readonly reach: (played: Played, style: Style) => Promise<void>;
  /** Puts right what held it. */
  readonly leave?: (played: Played, style: Style) => Promise<void>;
};

async function released(played: Played, step: number): Promise<void> {
  await played.shop.release('v2');
  for (let before = 1; before < step; before++) {
    await played.stands(`StepPaused of step ${before}`);
    await played.shop.approve();
  }
  await played.stands(`StepPaused of step ${step}`);
}

/** Somebody else's Service, where Sluice would make its own. */
const FOREIGN = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web-canary' },
  spec: { ports: [{ port: 80 }] },
};

const initializing: State = {
  where: 'Initializing',
  async reach({ shop }) {
    await server.apply(shop.namespace, FOREIGN);
    await shop.release('v2');
    await shop.becomes('an obstacle', ({ message }) => String(message).includes("is not Sluice's"));
  },
  leave: ({ shop: { namespace } }) => client.delete(RESOURCES.service, { namespace, name: 'web-canary' }),
};

/** In step 1 already when it is reached. */
const withoutService: State = {
  where: 'BeforeStepUpgrade of step 2',
  async reach({ shop, neglect }) {
    neglect();
    await client.delete(RESOURCES.service, { namespace: shop.namespace, name: 'web' });
    await shop.approve();
  },
  // The source, and the address that it had.
  leave: ({ shop: { namespace, source, before } }) =>
    server.apply(namespace, { ...source('Service'), spec: before.service }),
};

const paused: State = {
  where: 'Paused',
  reach: ({ shop }, style) => shop.plan({ ...halfway(style), paused: true }),
  leave: ({ shop }, style) => shop.plan(halfway(style)),
};

const aborted: State = { where: 'held after Abort', reach: ({ shop }) => shop.request({}, { request: 'abort' }) };

/** In step 1 already when it is reached; a pod of the new version does not start. */
const inNativeRollout: State = {
  where: 'Success: ResumeWorkload',
  async reach({ shop, stands, withhold, takePod }, style) {
    if (style === 'blue-green') {
      // All pods of the new version are there before the native rollout: one of them is to come again.
      await shop.request({ nextStepIndex: 3 });
      await stands('StepPaused of step 3');
      await withhold();
      await takePod('v2');
    } else await withhold();
    await shop.request({}, { request: 'promote' });
    await shop.becomes('the native rollout', ({ message }) => String(message).includes('the native rollout'));
  },
  leave: ({ provide }) => provide(),
};

/** The same, from the beginning of the release. */
function fromStep1(state: State): State {
  const reach: State['reach'] = async (played, style) => {
    await released(played, 1);
    await state.reach(played, style);
  };
  return { ...state, reach };
}

/** Held by something that is missing. */
const LACKING: readonly State[] = [
  initializing,
  {
    where: 'StepUpgrade of step 1',
    async reach({ shop, withhold }) {
      await withhold();
      await shop.release('v2');
      await until('a pod that does not start', async () => (await shop.pods())['v2']?.desired === 1);
    },
    leave: ({ provide }) => provide(),
  },
  fromStep1(withoutService),
  fromStep1(inNativeRollout),
];

/** Held by people, and at the end of blue-green by the time for which the old pods are kept. */
const AT_REST: readonly State[] = [
  { where: 'StepPaused of step 1', reach: (played) => released(played, 1) },
  { where: 'StepPaused of step 2', reach: (played) => released(played, 2) },
  fromStep1(paused),
  fromStep1(aborted),
  {
    where: 'Success: FinalisingStepRouteTrafficToNew',
    styles: ['blue-green'],
    async reach(played) {
      const { shop, stands } = played;
      await released(played, 1);
      await shop.request({}, { request: 'promote' });
      await stands('Success: FinalisingStepRouteTrafficToNew');
      expect(await shop.weights()).toEqual({ web: 0, 'web-canary': 100 });
      expect((await shop.pods())['v1']).toEqual({ desired: REPLICAS, ready: REPLICAS });
    },
  },
];

/** Held by a grace period. */
const MOVING: readonly State[] = [
  { where: 'StepTrafficRouting of step 1', reach: ({ shop }) => shop.release('v2') },
  {
    where: 'Success: FinalisingStepRouteTrafficToStable',
    async reach(played) {
      await released(played, 1);
      await played.shop.request({}, { request: 'promote' });
    },
  },
];

async function goBackFromEach(states: readonly State[], style: Style, played: Played): Promise<void> {
  for (const state of states)
    if (state.styles === undefined || state.styles.includes(style)) await goBackFrom(state, style, played);
}

async function goBackFrom({ where, reach, leave }: State, style: Style, played: Played): Promise<void> {
  const { shop, part, stands, ends, isNormal, way, addedPods, missedPods } = played;
  await part(`back from ${where}`, async () => {
    await reach(played, style);
    await stands(where);
    await shop.release('v1');
    await ends('Rollback');
    await leave?.(played, style);
    await isNormal('v1');
    expect(standingBefore('Rollback', way())).toBe(where);
    expect(addedPods()).toEqual([]);
    expect(missedPods()).toEqual([]);
  });
}

function standingBefore(outcome: string, way: readonly string[]): string | undefined {
  return way[way.findIndex((standing) => standing.startsWith(`${outcome}: `)) - 1];
}

/** Up, down, to 0 and back, one after the other; without a pod the release begins again, or is held as before. */
async function scaleIn(where: string, played: Played, isServed = true): Promise<void> {
  const { shop, part, stands, scale, served } = played;
  await part(`scaled in ${where}`, async () => {
    await stands(where);
    for (const replicas of [3, 1, 0, REPLICAS]) {
      const stood = await scale(replicas);
      if (replicas !== REPLICAS) expect(stood, `scaled to ${replicas}`).toBe(where);
      await until(`${replicas} replicas to be there`, async () => {
        const ready = Object.values(await shop.pods()).reduce((sum, set) => sum + set.ready, 0);
        return replicas === 0 ? ready === 0 : ready >= replicas;
      });
      if (replicas === 0) await stands(where === aborted.where ? where : 'Initializing');
      else if (isServed) await served();
    }
  });
}

const halfway = (style: Style) => strategyOf(style, { pause: MANUAL, scaleDownDelaySeconds: DELAY, last: 'half' });

const whole = (style: Style): JsonMap =>
  style === 'blue-green' ? { traffic: '100%', replicas: '100%', pause: MANUAL } : { replicas: '100%' };

/** One pod and half of the traffic, and then the end. */
function brief(style: Style): JsonMap {
  const half = { traffic: '50%', replicas: 1, pause: MANUAL };
  const options = { routing: routingOf('web', 'web', LONG_GRACE), scaleDownDelaySeconds: DELAY };
  return withSteps(style, style === 'blue-green' ? [half, whole(style)] : [half], options);
}

/** Four steps. @param first what is planned for the first one */
function long(style: Style, first: JsonMap, half = '50%'): JsonMap {
  const further = [
    { traffic: '40%', replicas: 2, pause: MANUAL },
    { traffic: half, replicas: '50%', pause: MANUAL },
  ];
  return withSteps(style, [{ ...first, pause: MANUAL }, ...further, whole(style)]);
}

type Story = {
  readonly title: string;
  readonly strategy: (style: Style) => JsonMap;
  readonly replicas?: number;
  readonly play: (played: Played, style: Style) => Promise<void>;
};

const STORIES: readonly Story[] = [
  {
    title: 'the old version is back while traffic moves, and the new one on the way back; scaling is followed there',
    strategy: brief,
    async play(played, style) {
      await goBackFromEach(MOVING, style, played);
      const { shop, part, stands, ends, scale, served, way, isNormal } = played;
      const cancelling = 'Rollback: FinalisingStepRouteTrafficToStable';
      const [routingTraffic, finalising] = MOVING.map(({ where }) => where);
      await part('forth again on the way back, and scaled while traffic moves', async () => {
        await released(played, 1);
        await shop.release('v1');
        await stands(cancelling);
        expect(await scale(3)).toBe(cancelling);
        await shop.release('v2');
        await stands(routingTraffic ?? '');
        expect(way()[way().indexOf(cancelling) + 1]).toBe('Initializing');
        await served();
        expect(await scale(1)).toBe(routingTraffic);
        await stands('StepPaused of step 1');
        await served();
        await shop.request({}, { request: 'promote' });
        await stands(finalising ?? '');
        expect(await scale(3)).toBe(finalising);
        await ends('Success');
        await isNormal('v2', 3);
      });
    },
  },
  {
    title: 'the old version is back from wherever a release waits for what is missing',
    strategy: halfway,
    play: (played, style) => goBackFromEach(LACKING, style, played),
  },
  {
    title: 'the old version is back from wherever a release waits for people, or for a time',
    strategy: halfway,
    play: (played, style) => goBackFromEach(AT_REST, style, played),
  },
  {
    title: 'scaling is followed before and in step 1, and after an abort',
    strategy: halfway,
    async play(played, style) {
      const { shop, stands, ends, withhold, provide, isNormal } = played;
      await withhold();
      await initializing.reach(played, style);
      await scaleIn(initializing.where, played);
      await initializing.leave?.(played, style);
      await stands('StepUpgrade of step 1');
      await scaleIn('StepUpgrade of step 1', played);
      await provide();
      await stands('StepPaused of step 1');
      await scaleIn('StepPaused of step 1', played);
      await stands('StepPaused of step 1');
      await aborted.reach(played, style);
      await scaleIn(aborted.where, played);
      await shop.request({}, { request: 'retry' });
      await stands('StepPaused of step 1');
      await shop.request({}, { request: 'promote' });
      await ends('Success');
      await isNormal('v2');
    },
  },
  {
    title: 'scaling is followed in a pause, in step 2, and in the native rollout',
    strategy: halfway,
    async play(played, style) {
      const { shop, part, stands, ends, scale, served, provide, isNormal } = played;
      await released(played, 1);
      await paused.reach(played, style);
      await scaleIn(paused.where, played);
      await paused.leave?.(played, style);
      await stands('StepPaused of step 1');
      await withoutService.reach(played, style);
      await scaleIn(withoutService.where, played, false);
      await withoutService.leave?.(played, style);
      await served();
      await stands('StepPaused of step 1');
      await shop.approve();
      await scaleIn('StepPaused of step 2', played);
      await stands('StepPaused of step 1');
      await part('scaled in the native rollout', async () => {
        // The native controller decides here: of its pods those that do not start are among the first.
        const count = async () => Number(at(await shop.deployment(), ['status', 'replicas']) ?? 0);
        await inNativeRollout.reach(played, style);
        expect(await scale(3)).toBe(inNativeRollout.where);
        await until('more pods', async () => (await count()) >= 3);
        expect(await scale(1)).toBe(inNativeRollout.where);
        await until('fewer pods', async () => (await count()) <= 2);
        await scale(0);
        await until('no pod', async () => (await count()) === 0);
        await provide();
        await scale(REPLICAS);
        await ends('Success');
        await isNormal('v2');
      });
    },
  },
  {
    title:
      'another plan counts at once, a jump goes forth, one back moves the traffic only, and no plan takes pods back',
    strategy: (style) => long(style, { traffic: '20%', replicas: 1 }),
    replicas: 6,
    async play(played, style) {
      const { shop, part, stands, ends, isNormal } = played;
      const newPods = async () => (await shop.pods())['v2'];
      const split = (canary: number) => ({ web: 100 - canary, 'web-canary': canary });
      await part('a plan', async () => {
        await released(played, 1);
        await shop.plan(long(style, { traffic: '30%', replicas: 2 }));
        await until('the new plan', async () => (await shop.weights())['web-canary'] === 30);
        await stands('StepPaused of step 1');
        expect(await newPods()).toEqual({ desired: 2, ready: 2 });
      });
      await part('a jump', async () => {
        await shop.request({ nextStepIndex: 3 });
        await stands('StepPaused of step 3');
        expect(await shop.weights()).toEqual(split(50));
        expect(await newPods()).toEqual({ desired: 3, ready: 3 });
      });
      await part('a jump back', async () => {
        await shop.request({ nextStepIndex: 1 });
        await stands('StepPaused of step 1');
        expect(await shop.weights()).toEqual(split(30));
        expect(await newPods()).toEqual({ desired: 3, ready: 3 });
      });
      await part('a plan for fewer pods than there are', async () => {
        await shop.plan(long(style, { traffic: '10%', replicas: 1 }, '60%'));
        await stands('StepPaused of step 3');
        expect(await shop.weights()).toEqual(split(60));
        expect(await newPods()).toEqual({ desired: 3, ready: 3 });
      });
      await part('the end', async () => {
        await shop.request({}, { request: 'promote' });
        await ends('Success');
        await isNormal('v2');
      });
    },
  },
];

// The longest stories begin.
const PLAYED = STORIES.flatMap((story) => STYLES.map((style) => [style, story.title, story] as const));

test.concurrent.each(PLAYED)(
  '%s: %s',
  { timeout: 300_000 },
  async (style, title, { strategy, replicas = REPLICAS, play }) => {
    const played = await openPlayed(server, `${style}: ${title}`, { strategy: strategy(style), replicas });
    try {
      await play(played, style);
    } finally {
      await played.close();
    }
  },
);
