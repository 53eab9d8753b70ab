import { floors, split } from './floors.ts';
import { joined } from './joining.ts';
import { type Decision, go, type Look, merged, stay } from './look.ts';
import { announced, reach } from './network.ts';
import type { Wish } from './observed.ts';
import { planHash } from './plan-hash.ts';
import { backwards, ownRoom, replenished, rest, towards } from './pods.ts';
import { NO_TRAFFIC, type StepState } from './record.ts';
import { atWeight, steersTraffic, toldByLabels, weightOf } from './settings.ts';
import { carriedBy, neededFor } from './walk.ts';

/** A release on its way through its steps (drawn above `machine.ts`). */
export function inRolling(look: Look): Decision {
  const { record, settings, observed } = look;
  if (settings.isPaused) return go({ reason: 'Paused' });
  if (observed.workload?.replicas === 0) {
    const note = 'the workload was scaled to 0: the release begins again when it is scaled up';
    return go({ reason: 'Initializing', state: 'BeforeStepUpgrade' }, { type: 'Normal', reason: 'ScaledToZero', note });
  }
  const hash = planHash(observed.rollout);
  if (hash !== record.planHash) return replanned(look, hash);
  const asked = record.next;
  if (asked !== naturalNext(record.step, settings.steps.length)) {
    return asked >= 1 && asked <= settings.steps.length
      ? jumped(look, asked)
      : go({ next: naturalNext(record.step, settings.steps.length) });
  }
  return STEPS[record.state](look);
}

const STEPS: Readonly<Record<StepState, (look: Look) => Decision>> = {
  BeforeStepUpgrade: beforeStepUpgrade,
  StepUpgrade: stepUpgrade,
  StepTrafficRouting: stepTrafficRouting,
  // Nothing is analysed yet; the state exists for clients that know it.
  StepMetricsAnalysis: () => go({ state: 'StepPaused' }),
  StepPaused: stepPaused,
  StepReady: stepReady,
  Completed: () => go({ reason: 'Finalising', outcome: 'Success', finalising: undefined }),
};

/** 1-based; -1 after the last. */
export function naturalNext(step: number, steps: number): number {
  return step < steps ? step + 1 : -1;
}

/** Compat §2.6; every step begins at its beginning, since the old version may have to grow before its traffic comes back. */
function jumped({ record, settings }: Look, step: number): Decision {
  const note = `jumps from step ${record.step} to step ${step}${step < record.step ? ': traffic goes back, pods stay' : ''}`;
  return go(
    {
      step,
      next: naturalNext(step, settings.steps.length),
      state: 'BeforeStepUpgrade',
    },
    { type: 'Normal', reason: 'Progressing', note },
  );
}

/** The plan has changed: the release goes on at the first step that asks for as many pods as there are (compat §2.5). */
function replanned({ record, settings, target, versions }: Look, hash: string): Decision {
  const count = versions.canary?.desired ?? 0;
  const steps = settings.steps.length;
  const order = [record.step, ...Array.from({ length: steps }, (_, i) => i + 1)];
  const step = order.find((each) => each <= steps && target(each) >= count) ?? steps;
  const note = `the plan has changed: the release goes on at step ${step} of ${steps}`;
  return go(
    { planHash: hash, step, next: naturalNext(step, steps), state: 'BeforeStepUpgrade' },
    { type: 'Normal', reason: 'Progressing', note },
  );
}

function beforeStepUpgrade(look: Look): Decision {
  const { place, step, settings } = look;
  // Without traffic of its own the new version shares that of the old one, and its side.
  const together = toldByLabels(settings) ? joined(look) : undefined;
  const first = steersTraffic(settings, step) ? regrown(look) : together;
  if (first !== undefined) return first;
  const network = reach({ to: steersTraffic(settings, step) ? 'pinned' : 'open' }, place);
  return network.isReached ? go({ state: 'StepUpgrade', ...network.settled }) : stay(look, network.wish, network);
}

/** After a jump back the old version may be too small to serve alone, which it does once Services select it only. */
function regrown(look: Look): Decision | undefined {
  const { observed, versions, record } = look;
  const { workload, services, style } = observed;
  const isPinned = services.every(({ pin }) => pin !== undefined);
  if (workload === undefined || style === 'canary' || isPinned || (versions.canary?.ready ?? 0) === 0) return undefined;
  const share = 100 - (record.traffic.weight ?? 0);
  const needed = neededFor(share, workload.replicas) - ownRoom(workload).unavailable;
  if ((versions.stable?.ready ?? 0) >= needed) return undefined;
  const pods = backwards(observed, versions, false);
  return stay(look, pods.wish, { waitingFor: `${needed} ready pods of the old version` });
}

const ANY_NUMBER = Number.POSITIVE_INFINITY;

/** Pods of the new version; where they have no room traffic moves on with them, in smaller steps. */
function stepUpgrade(look: Look): Decision {
  const { observed, place, record, settings, step, versions, target } = look;
  const isSteered = steersTraffic(settings, step);
  const [current] = observed.gateways.map(({ traffic }) => traffic);
  const before =
    isSteered && typeof current === 'object' ? reach({ to: 'steered', traffic: current }, place) : undefined;
  if (before?.isReached === false) return stay(look, before.wish, before);
  const planned = weightOf(step) ?? 0;
  const now = (before?.settled.traffic ?? record.traffic).weight ?? 0;
  const share = isSteered ? stableShare(look, Math.min(now, planned)) : undefined;
  const options = { failureThreshold: settings.failureThreshold, comesBack: planned < now };
  const pods = (beyond: number) => towards(target(record.step), share, observed, versions, { ...options, beyond });
  const inRoom = pods(0);
  const weight = Math.min(planned, carriedBy(versions.canary?.ready ?? 0, observed.workload?.replicas ?? 0));
  if (isSteered && inRoom.isShort && weight > now) {
    const network = split(look, atWeight(settings, record.step, weight));
    return stay(look, network.wish, network);
  }
  // What no traffic needs is not to stand in the way of the walk; the workload may have been scaled since.
  const sets = floors(look, [isSteered ? (before?.settled.traffic ?? record.traffic) : NO_TRAFFIC]);
  if (sets.length > 0) return stay(look, { sets }, { waitingFor: 'the floors of ReplicaSets' });
  const early = isSteered && before === undefined ? announced(place) : undefined;
  const settled = before?.settled ?? early?.settled;
  // Traffic that has arrived makes no more room; on the way a whole percent more of it does, and needs so many pods.
  const beyond = isSteered && now < planned ? Math.ceil((observed.workload?.replicas ?? 0) / 100) : ANY_NUMBER;
  const reached = inRoom.isShort ? pods(beyond) : inRoom;
  return reached.isReached
    ? go({ state: 'StepTrafficRouting', ...settled })
    : stay(look, merged(early?.wish, reached.wish), { ...reached, settled });
}

/** Traffic, the grace period, and only then the old pods whose place the new ones have taken. */
function stepTrafficRouting(look: Look): Decision {
  const network = stepNetwork(look);
  if (network !== undefined && !network.isReached) return stay(look, network.wish, network);
  const sets = floors(look, [network?.settled.traffic ?? look.record.traffic]);
  if (sets.length > 0) {
    const wait = { waitingFor: 'the floors of ReplicaSets', settled: network?.settled };
    return stay(look, merged(network?.wish, { sets }), wait);
  }
  const pods = stepPods(look);
  if (pods.isReached) return go({ state: 'StepPaused', ...network?.settled });
  return stay(look, merged(network?.wish, pods.wish), { ...pods, settled: network?.settled });
}

/**
 * What the old version needs pods for while the new one gets `weight`. Where labels tell the versions behind one Service
 * apart, the old version's only pod stays to the end: it has the traffic while the new one's gets its own labels back.
 */
function stableShare({ observed, settings }: Look, weight: number): number {
  return toldByLabels(settings) && observed.workload?.replicas === 1 ? 100 : 100 - weight;
}

function stepNetwork(look: Look): ReturnType<typeof reach> | undefined {
  const { settings, step, record } = look;
  if (!steersTraffic(settings, step)) return undefined;
  return split(look, { step: record.step, weight: undefined });
}

function stepPods(look: Look): ReturnType<typeof towards> {
  const { observed, versions, settings, step, record, target } = look;
  const share = steersTraffic(settings, step) ? stableShare(look, weightOf(step) ?? 0) : undefined;
  const options = { failureThreshold: settings.failureThreshold, beyond: ANY_NUMBER, comesBack: false };
  return towards(target(record.step), share, observed, versions, options);
}

/** The pods of a release that its owner has paused: as they are, but for those that the traffic of the old version needs. */
export function restingPods(look: Look): Partial<Wish> {
  const { observed, settings, step, record, versions } = look;
  const { workload, style } = observed;
  if (workload === undefined || style === 'canary') return {};
  const { weight } = record.traffic;
  const share = steersTraffic(settings, step) || weight !== undefined ? stableShare(look, weight ?? 0) : undefined;
  return replenished(share, style, workload, versions)?.wish ?? { workload: rest(workload, versions) };
}

/** Rests until the time is over or somebody approves; keeps everything as the step wants it meanwhile. */
function stepPaused(look: Look): Decision {
  const { observed, record, settings, step, now } = look;
  const isLast = record.step === settings.steps.length;
  const isWhole = isLast && step?.replicas === '100%' && observed.style !== 'blueGreen';
  const duration = step?.pause?.duration;
  const left = duration === undefined ? Number.POSITIVE_INFINITY : record.stateTime + 1000 * duration - now;
  if (isWhole || record.request === 'promote' || left <= 0) return go({ state: 'StepReady' });
  const [network, pods] = [stepNetwork(look), stepPods(look)];
  const isThere = look.versions.canary !== undefined;
  // The pods may have to wait for traffic that was moved back, not the other way round.
  const sets = floors(look, [network?.settled.traffic ?? NO_TRAFFIC]);
  const wish =
    network?.isReached === false
      ? merged(network.wish, isThere ? {} : pods.wish)
      : merged(merged(network?.wish, pods.wish), { sets });
  const waitingFor = duration === undefined ? 'manual confirmation' : `duration(${duration} seconds)`;
  return stay(look, wish, {
    waitingFor,
    isExpected: true,
    ...(network === undefined ? {} : { settled: network.settled }),
    ...(duration === undefined ? {} : { after: left }),
  });
}

function stepReady({ record, settings }: Look): Decision {
  const { step } = record;
  if (step >= settings.steps.length) return go({ state: 'Completed' });
  const note = `step ${step} of ${settings.steps.length} is done`;
  return go(
    { step: step + 1, next: naturalNext(step + 1, settings.steps.length), state: 'BeforeStepUpgrade' },
    { type: 'Normal', reason: 'Progressing', note },
  );
}
