import { describe, expect, test } from 'vitest';
import type { JsonMap } from '../../../src/json/value.ts';
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

function jumpTo3({ shop }: Play): Promise<void> {
  return shop.request({ nextStepIndex: 3 });
}

function ask({ shop }: Play, request: 'abort' | 'retry'): Promise<void> {
  return shop.request({}, { request });
}

/** A pod of the new version is there, and not ready. */
async function isAwaited(shop: Shop): Promise<void> {
  await until('a pod of the new version that is not ready', async () => {
    const { desired = 0, ready = 0 } = (await shop.pods())['v2'] ?? {};
    return desired > ready;
  });
}

const GOING_BACK = 'Rollback Cancelling FinalisingStepRouteTrafficToStable';
const IS_BACK = 'Rollback Completed';

/** Approves both pauses, from the first on. */
async function onToTheEnd({ shop, stands }: Play): Promise<void> {
  await stands('StepPaused 1');
  await shop.approve();
  await stands('StepPaused 2');
  await shop.approve();
  await stands('Success Completed');
}

/** What happens in one shop, release by release. The longest come first, so that they do not end alone. */
type Story = {
  readonly plan: (style: Style) => Plan;
  readonly replicas: number;
  readonly tell: (play: Play, style: Style) => Promise<void>;
};

const STORIES: Record<string, Story> = {
  'the old version again at the end: while traffic goes its way, and after that': {
    plan: closing,
    replicas: 3,
    async tell(play, style) {
      const { shop, gate, apply, stands } = play;
      const isBlueGreen = style === 'blue-green';
      await apply('v2', 'Healthy');
      await stands('StepPaused 1');
      await shop.approve();
      // In blue-green this lasts for the delay: the old set is kept.
      const first = isBlueGreen ? 'FinalisingStepRouteTrafficToNew' : 'FinalisingStepRouteTrafficToStable';
      await apply('v1', `Success Finalising ${first}`);
      await apply('v2', IS_BACK);
      await stands('StepPaused 1');
      if (isBlueGreen) {
        // The old set is gone when traffic goes to Services that select both versions.
        await shop.plan(strategyOf(style, { ...closing(style), scaleDownDelaySeconds: 1 }));
        await shop.approve();
        await apply('v1', 'Success Finalising FinalisingStepRouteTrafficToStable');
      } else {
        // The native rollout waits for its first pod.
        await gate.hold('v2');
        await shop.approve();
        await stands('Success Finalising ResumeWorkload');
        await isAwaited(shop);
        await apply('v1', 'Success Finalising ResumeWorkload');
      }
      await stands(IS_BACK);
    },
  },
  'the old version again while traffic moves, while pods are not ready, and while its owner pauses the release': {
    plan: alternating,
    replicas: 3,
    async tell(play, style) {
      const { shop, gate, apply, stands } = play;
      await apply('v2', 'Healthy');
      await apply('v1', 'StepTrafficRouting 1');
      await apply('v2', IS_BACK);
      await stands('StepPaused 1');
      await gate.hold('v2');
      await jumpTo3(play);
      await stands('StepUpgrade 3');
      await isAwaited(shop);
      await apply('v1', 'StepUpgrade 3');
      await gate.open();
      await apply('v2', IS_BACK);
      await stands('StepPaused 1');
      await jumpTo3(play);
      await stands('StepTrafficRouting 3');
      await shop.plan({ ...strategyOf(style, alternating(style)), paused: true });
      await apply('v1', 'Paused');
      await stands(IS_BACK);
    },
  },
  'the old version again while traffic goes home for a step without, and in pauses': {
    plan: alternating,
    replicas: 3,
    async tell(play) {
      const { shop, apply, stands } = play;
      await apply('v2', 'Healthy');
      await stands('StepPaused 1');
      await shop.approve();
      await apply('v1', 'BeforeStepUpgrade 2');
      await apply('v2', IS_BACK);
      await apply('v1', 'StepPaused 1');
      await apply('v2', IS_BACK);
      await stands('StepPaused 1');
      await shop.approve();
      await apply('v1', 'StepPaused 2');
      await stands(IS_BACK);
    },
  },
  'the old version again in the last pause, another one while that goes back, and the old one while a third waits for it':
    {
      plan: alternating,
      replicas: 3,
      async tell(play) {
        const { gate, apply, stands } = play;
        await apply('v2', 'Healthy');
        await stands('StepPaused 1');
        await jumpTo3(play);
        await stands('StepPaused 3');
        // Where old pods have gone, traffic cannot go back before they are ready.
        await gate.hold('v1');
        await apply('v1', 'StepPaused 3');
        await apply('v2', GOING_BACK);
        await gate.open();
        await apply('v3', 'StepPaused 1');
        await apply('v1', 'Initializing');
        await stands(IS_BACK);
      },
    },
  'the old version again when the release is held by an abort, and, begun again, while another abort goes back': {
    plan: alternating,
    replicas: 3,
    async tell(play) {
      const { apply, stands } = play;
      await apply('v2', 'Healthy');
      await stands('StepTrafficRouting 1');
      await ask(play, 'abort');
      await apply('v1', 'Abort Paused');
      await apply('v2', IS_BACK);
      await stands('StepPaused 1');
      await ask(play, 'abort');
      await stands('Abort Paused');
      await ask(play, 'retry');
      await stands('StepTrafficRouting 1');
      await ask(play, 'abort');
      await apply('v1', 'Abort Cancelling FinalisingStepRouteTrafficToStable');
      await stands(IS_BACK);
    },
  },
  'a whole release, and another one with fewer replicas in the middle': {
    plan: forth,
    replicas: 4,
    async tell(play) {
      const { shop, apply, stands } = play;
      await apply('v2', 'Healthy');
      await onToTheEnd(play);
      await apply('v3', 'Success Completed');
      await stands('StepPaused 1');
      await shop.scale(3);
      await shop.approve();
      await stands('StepPaused 2');
      await shop.scale(2);
      await shop.approve();
      await stands('Success Completed');
    },
  },
  'a third version in the place of the second': {
    plan: forth,
    replicas: 4,
    async tell(play) {
      const { shop, apply, stands } = play;
      await apply('v2', 'Healthy');
      await stands('StepPaused 1');
      await shop.approve();
      await apply('v3', 'StepPaused 2');
      await onToTheEnd(play);
    },
  },
};

describe.concurrent.each(STYLES)('%s', (style) => {
  test.each(Object.entries(STORIES))(
    'no request is lost: %s',
    { timeout: 300_000 },
    async (_name, { plan, replicas, tell }) => {
      const strategy = strategyOf(style, plan(style));
      const outcome = await withoutLoss({ server, mesh }, { strategy, replicas }, (play) => tell(play, style));
      expect(outcome.versions['v1']).toBeGreaterThan(0);
    },
  );
});
