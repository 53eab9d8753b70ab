import { describe, expect, test } from 'vitest';
import { at, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { until } from '../../cluster/until.ts';
import { routingOf, type Shop } from '../release/shop.ts';
import { STYLES, type Style } from '../release/strategies.ts';
import { front } from './front.ts';
import { type Play, withoutLoss } from './watched.ts';

const { server, mesh } = front();

/** What a story says of the Rollout, for a style. */
type Plan = {
  readonly steps: readonly JsonMap[];
  readonly graceSeconds: number;
  readonly scaleDownDelaySeconds: number;
};

function strategyOf(style: Style, { steps, graceSeconds, scaleDownDelaySeconds }: Plan): JsonMap {
  const common: JsonMap = { steps, trafficRoutings: [routingOf('web', 'web', graceSeconds)] };
  if (style === 'blue-green') return { blueGreen: { ...common, scaleDownDelaySeconds } };
  return { canary: style === 'canary' ? { ...common, enableExtraWorkloadForCanary: true } : common };
}

const pause: JsonMap = {};

/** Two pauses with traffic on the way to the whole. */
function forth(style: Style): Plan {
  const steps: Record<Style, JsonMap[]> = {
    partition: [
      { traffic: '20%', replicas: '25%', pause },
      { traffic: '50%', replicas: '50%', pause },
      { replicas: '100%' },
    ],
    canary: [
      { traffic: '20%', replicas: '25%', pause },
      { traffic: '50%', replicas: '50%', pause },
      { replicas: '100%' },
    ],
    'blue-green': [
      { traffic: '20%', replicas: '50%', pause },
      { traffic: '100%', replicas: '100%', pause },
    ],
  };
  return { steps: steps[style], graceSeconds: 1, scaleDownDelaySeconds: 2 };
}

/** Most of what traffic holds in place lasts for the grace period: long enough to come in the middle of it. */
const graceSeconds = 3;
/** Longer than any story. */
const scaleDownDelaySeconds = 600;

/** Step 2 leaves traffic alone, so that it has to go home before; what comes after takes as much as the style allows. */
function alternating(style: Style): Plan {
  const most = style === 'blue-green' ? '100%' : '50%';
  const steps = [
    { traffic: '20%', replicas: '25%', pause },
    { replicas: '50%', pause },
    { traffic: most, replicas: most, pause },
  ];
  return { steps, graceSeconds, scaleDownDelaySeconds };
}

/** After its only step the release ends with traffic that has to find its way. */
function closing(style: Style): Plan {
  const most = style === 'blue-green' ? '100%' : '50%';
  return { steps: [{ traffic: most, replicas: most, pause }], graceSeconds, scaleDownDelaySeconds };
}

/** A pod of the new version is there, and not ready. */
async function isAwaited(shop: Shop): Promise<void> {
  await until('a pod of the new version that is not ready', async () => {
    const { desired = 0, ready = 0 } = (await shop.pods())['v2'] ?? {};
    return desired > ready;
  });
}

/** The new version has the traffic of its step: from now on for the grace period, so that what comes meets it. */
async function hasTraffic({ shop }: Play, strategy: JsonMap): Promise<void> {
  const steps = at(strategy, ['canary', 'steps']) ?? at(strategy, ['blueGreen', 'steps']);
  const { currentStepIndex } = await shop.status();
  const planned = stringAt(steps, Number(currentStepIndex) - 1, 'traffic') ?? '';
  await until(`${planned} of the traffic`, async () => `${(await shop.weights())['web-canary']}%` === planned);
}

/** What is done beside applying a version. @param strategy of the Rollout, as it was in the beginning */
const ACTS = {
  approve: ({ shop }) => shop.approve(),
  'jump to step 3': ({ shop }) => shop.request({ nextStepIndex: 3 }),
  abort: ({ shop }) => shop.request({}, { request: 'abort' }),
  retry: ({ shop }) => shop.request({}, { request: 'retry' }),
  'pause by spec': ({ shop }, strategy) => shop.plan({ ...strategy, paused: true }),
  'cut the delay': ({ shop }, { blueGreen }) =>
    shop.plan({ blueGreen: { ...(blueGreen as JsonMap), scaleDownDelaySeconds: 1 } }),
  'scale to 3': ({ shop }) => shop.scale(3),
  'scale to 2': ({ shop }) => shop.scale(2),
  'hold pods of v1': ({ gate }) => gate.hold('v1'),
  'hold pods of v2': ({ gate }) => gate.hold('v2'),
  'let pods in': ({ gate }) => gate.open(),
  'wait for its traffic': hasTraffic,
  'wait for a pod that is held': ({ shop }) => isAwaited(shop),
} satisfies Record<string, (play: Play, strategy: JsonMap) => Promise<void>>;

type Act = keyof typeof ACTS | 'v1' | 'v2' | 'v3';

/** Where the release stands, and what is done there, in this order. */
type Line = readonly [place: string, ...acts: Act[]];

/** What happens in one shop, release by release. */
type Story = {
  readonly plan: (style: Style) => Plan;
  readonly replicas: number;
  readonly lines: (style: Style) => readonly Line[];
};

const GOING_BACK = 'Rollback Cancelling FinalisingStepRouteTrafficToStable';
const IS_BACK = 'Rollback Completed';
const IS_OUT = 'Success Completed';

/** In partition and canary the native rollout waits for its first pod; in blue-green the old set is gone by then. */
const AT_THE_END: Record<'native' | 'blue-green', readonly Line[]> = {
  native: [
    ['Healthy', 'v2'],
    ['StepPaused 1', 'approve'],
    ['Success Finalising FinalisingStepRouteTrafficToStable', 'v1'],
    [IS_BACK, 'v2'],
    ['StepPaused 1', 'hold pods of v2', 'approve'],
    ['Success Finalising ResumeWorkload', 'wait for a pod that is held', 'v1'],
    [IS_BACK],
  ],
  'blue-green': [
    ['Healthy', 'v2'],
    ['StepPaused 1', 'approve'],
    ['Success Finalising FinalisingStepRouteTrafficToNew', 'v1'],
    [IS_BACK, 'v2'],
    ['StepPaused 1', 'cut the delay', 'approve'],
    ['Success Finalising FinalisingStepRouteTrafficToStable', 'v1'],
    [IS_BACK],
  ],
};

/** The longest come first, so that they do not end alone. */
const STORIES: Record<string, Story> = {
  'the old version again while traffic moves, while pods are not ready, and while its owner pauses the release': {
    plan: alternating,
    replicas: 3,
    lines: () => [
      ['Healthy', 'v2'],
      ['StepTrafficRouting 1', 'wait for its traffic', 'v1'],
      [IS_BACK, 'v2'],
      ['StepPaused 1', 'hold pods of v2', 'jump to step 3'],
      ['StepUpgrade 3', 'wait for a pod that is held', 'v1', 'let pods in'],
      [IS_BACK, 'v2'],
      ['StepPaused 1', 'jump to step 3'],
      ['StepTrafficRouting 3', 'wait for its traffic', 'pause by spec'],
      ['Paused', 'v1'],
      [IS_BACK],
    ],
  },
  'the old version again while traffic goes home for a step without, and in pauses': {
    plan: alternating,
    replicas: 3,
    lines: () => [
      ['Healthy', 'v2'],
      ['StepPaused 1', 'approve'],
      ['BeforeStepUpgrade 2', 'v1'],
      [IS_BACK, 'v2'],
      ['StepPaused 1', 'v1'],
      [IS_BACK, 'v2'],
      ['StepPaused 1', 'approve'],
      ['StepPaused 2', 'v1'],
      [IS_BACK],
    ],
  },
  'a whole release, and another one with fewer replicas in the middle': {
    plan: forth,
    replicas: 4,
    lines: () => [
      ['Healthy', 'v2'],
      ['StepPaused 1', 'approve'],
      ['StepPaused 2', 'approve'],
      [IS_OUT, 'v3'],
      ['StepPaused 1', 'scale to 3', 'approve'],
      ['StepPaused 2', 'scale to 2', 'approve'],
      [IS_OUT],
    ],
  },
  'the old version again at the end: while traffic goes its way, and after that': {
    plan: closing,
    replicas: 3,
    lines: (style) => AT_THE_END[style === 'blue-green' ? style : 'native'],
  },
  'the old version again in the last pause, another one while that goes back, and the old one while a third waits for it':
    {
      plan: alternating,
      replicas: 3,
      lines: () => [
        ['Healthy', 'v2'],
        ['StepPaused 1', 'jump to step 3'],
        // Where old pods have gone, traffic cannot go back before others are ready.
        ['StepPaused 3', 'hold pods of v1', 'v1'],
        [GOING_BACK, 'v2', 'let pods in'],
        ['StepPaused 1', 'v3'],
        ['Initializing', 'v1'],
        [IS_BACK],
      ],
    },
  'the old version again when the release is held by an abort, and, begun again, while another abort goes back': {
    plan: alternating,
    replicas: 3,
    lines: () => [
      ['Healthy', 'v2'],
      ['StepTrafficRouting 1', 'wait for its traffic', 'abort'],
      ['Abort Paused', 'v1'],
      [IS_BACK, 'v2'],
      ['StepPaused 1', 'abort'],
      ['Abort Paused', 'retry'],
      ['StepTrafficRouting 1', 'wait for its traffic', 'abort'],
      ['Abort Cancelling FinalisingStepRouteTrafficToStable', 'v1'],
      [IS_BACK],
    ],
  },
  'a third version in the place of the second': {
    plan: forth,
    replicas: 4,
    lines: () => [
      ['Healthy', 'v2'],
      ['StepPaused 1', 'approve'],
      ['StepPaused 2', 'v3'],
      ['StepPaused 1', 'approve'],
      ['StepPaused 2', 'approve'],
      [IS_OUT],
    ],
  },
};

async function tell(lines: readonly Line[], play: Play, strategy: JsonMap): Promise<void> {
  for (const [place, ...acts] of lines) {
    await play.stands(place);
    for (const act of acts) {
      if (act === 'v1' || act === 'v2' || act === 'v3') await play.apply(act, place);
      else await ACTS[act](play, strategy);
    }
  }
}

describe.concurrent.each(STYLES)('%s', (style) => {
  test.each(Object.entries(STORIES))(
    'no request is lost: %s',
    { timeout: 300_000 },
    async (_name, { plan, replicas, lines }) => {
      const strategy = strategyOf(style, plan(style));
      const options = { strategy, replicas };
      const outcome = await withoutLoss({ server, mesh }, options, (play) => tell(lines(style), play, strategy));
      expect(outcome.versions['v1']).toBeGreaterThan(0);
    },
  );
});
