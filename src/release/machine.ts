import { encodeFloor } from '../rewrite/floor.ts';
import { isLabelValue } from '../rollout/pod-metadata.ts';
import { finish } from './finish.ts';
import { joined } from './joining.ts';
import { type Decision, go, type Look, lookAt, merged, type ReleaseEvent, stay } from './look.ts';
import { announced, reach, trafficOf } from './network.ts';
import { type GatewayTraffic, KEEP, type Observed, type SetWish, type Wish } from './observed.ts';
import { planHash } from './plan-hash.ts';
import { podMetadata } from './pod-metadata.ts';
import { backwards, ownRoom, rest, servedBefore, towards } from './pods.ts';
import { NO_TRAFFIC, type Outcome, type ReleaseRecord, type StepState, type Traffic } from './record.ts';
import { retreat } from './retreat.ts';
import { atWeight, settingsOf, steersTraffic, toldByLabels, weightOf } from './settings.ts';
import { carriedBy, neededFor } from './walk.ts';

export type Phase = 'Initial' | 'Healthy' | 'Progressing' | 'Disabling' | 'Disabled' | 'Terminating';

/** What a release is to do next, what is to be remembered, and what is to be said. */
export type ReleasePlan = {
  readonly record: ReleaseRecord;
  readonly phase: Phase;
  readonly message: string;
  readonly wish: Wish;
  readonly events: readonly ReleaseEvent[];
  /** When to look again although nothing has happened. */
  readonly afterMilliseconds: number | undefined;
  /** Whether it has made no progress for longer than its deadline. */
  readonly isStalled: boolean;
  /** Whether it cannot begin before somebody changes what the message says. */
  readonly isBlocked: boolean;
};

/** More transitions than these in one look are a fault of ours. */
const MOST_TRANSITIONS = 64;

/**
 * The step machine of a release: pure. It looks at what is there, goes through as many states as are done, and says what
 * everything is to be in the state where it has to wait. The record is stored before the wish is carried out, so that a
 * crash in between costs a repetition and nothing else.
 *
 * ```
 *               ┌────────────────────────────── InRolling, for each step ─────────────────────────────┐
 * Initializing ─► BeforeStepUpgrade ─► StepUpgrade ─► StepTrafficRouting ─► StepPaused ─► StepReady ──┴─► Finalising
 *  old version     Services: pinned,    pods of the    canary Services,      rest: time,    next step       traffic and
 *  at full size,   or open where the    new version    gateways, grace,      or approval    (or a jump)     Services open,
 *  nothing else    step has no traffic                 then old pods go                                     native rollout,
 *       ▲                                                                                                   Completed
 *       ├──── another version (Superseded): from any state
 *       │
 *       └──── retry ◄── Paused ◄── Abort, Failure: traffic back, pods back, held
 *
 *  the old template (Rollback): Cancelling: traffic back, pods back, Services open, Completed
 *  paused (spec.strategy.paused): InRolling ◄─► Paused: everything rests where it is
 * ```
 *
 * @returns undefined when no release runs and none begins.
 */
export function planRelease(
  observed: Observed,
  before: ReleaseRecord | undefined,
  now: number,
): ReleasePlan | undefined {
  let record = before !== undefined && before.reason !== 'Completed' ? before : begun(observed, now);
  if (record === undefined) return undefined;
  const events: ReleaseEvent[] = [];
  if (record !== before)
    events.push({ type: 'Normal', reason: 'Progressing', note: `a release begins: ${record.canary}` });
  for (let transitions = 0; transitions < MOST_TRANSITIONS; transitions++) {
    const look = lookAt(observed, record, now);
    const decision: Decision = interrupted(look) ?? handled(look);
    if (decision.kind === 'stay') return planOf(look, decision, [...events, ...arrival(before, decision)]);
    if (decision.event !== undefined) events.push(decision.event);
    record = moved(record, decision.change, now);
    if (record.reason === 'Completed') return completed(lookAt(observed, record, now), events);
  }
  throw new Error(`a release goes from state to state without end: ${JSON.stringify(record)}`);
}

/** The record of a release that begins now; undefined when nothing is held. */
function begun(observed: Observed, now: number): ReleaseRecord | undefined {
  const { workload, rollout } = observed;
  const directive = workload?.directive;
  if (workload === undefined || directive?.action.type !== 'workload') return undefined;
  const { steps } = settingsOf(rollout, observed.routing);
  const stable = servedBefore(workload, directive.action.stable, directive.revision);
  return {
    reason: 'Initializing',
    step: 1,
    next: naturalNext(1, steps.length),
    state: 'BeforeStepUpgrade',
    finalising: undefined,
    rolloutId: workload.rolloutId !== '' && isLabelValue(workload.rolloutId) ? workload.rolloutId : directive.revision,
    planHash: planHash(rollout),
    stableRevision: '',
    podTemplateHash: '',
    stable,
    // Taken back before it was seen: there is no new version.
    canary: directive.revision === stable ? '' : directive.revision,
    pods: { created: 0, ready: 0 },
    workloadGeneration: workload.generation,
    stateTime: now,
    stepTime: now,
    startTime: now,
    finishTime: undefined,
    outcome: undefined,
    request: undefined,
    ...foundTraffic(observed),
    networkTime: undefined,
    progress: '',
    progressTime: now,
  };
}

/** A Rollout that was deleted in a release, and created again, finds traffic where the one before left it. */
function foundTraffic({ gateways }: Observed): Pick<ReleaseRecord, 'traffic' | 'network'> {
  const steered = gateways.filter(({ traffic }) => traffic !== 'none');
  if (steered.length === 0) return { traffic: NO_TRAFFIC, network: '' };
  const weights = steered.flatMap(({ weight }) => weight ?? []);
  const weight = weights.length === 0 ? undefined : Math.max(...weights);
  return { traffic: { weight, hasMatches: weight === undefined }, network: 'found' };
}

function moved(record: ReleaseRecord, change: Partial<ReleaseRecord>, now: number): ReleaseRecord {
  const step = change.state === 'BeforeStepUpgrade' ? { stepTime: now } : {};
  return { ...record, stateTime: now, progress: '', progressTime: now, ...step, ...change };
}

/** What ends or turns a release, in whatever state it is. */
function interrupted(look: Look): Decision | undefined {
  const { observed, record, settings } = look;
  const { workload } = observed;
  const { outcome } = record;
  if (workload === undefined)
    return outcome === 'WorkloadGone' ? undefined : turned('WorkloadGone', 'the workload is gone');
  if (outcome === 'WorkloadGone') return undefined;
  const directive = workload.directive;
  if (directive?.action.type === 'workload') {
    const isBack = directive.revision === record.stable;
    // A release that is not through can be taken back even where the native controller finishes it: what it held on to
    // counts, not what served when the old template came. After that the other version may come again.
    const isOther = outcome === 'Rollback' || directive.revision !== record.canary;
    if (!isBack && isOther) return superseded(look, directive.revision);
    if (isBack && outcome !== 'Rollback') return turned('Rollback', 'the old version was applied again');
  }
  if (outcome === 'Rollback') return undefined;
  if (observed.isDeleting)
    return outcome === 'Deleted' || isGivenBack(look) ? undefined : turned('Deleted', 'the Rollout is deleted');
  // What was aborted is not to come out natively.
  if (outcome === 'Abort' || outcome === 'Failure') return undefined;
  if (outcome === 'Success' && record.request === 'abort' && !isGivenBack(look))
    return turned('Abort', 'the release was aborted');
  if (settings.isDisabled) return outcome === 'Disabled' ? undefined : turned('Disabled', 'the Rollout was disabled');
  if (outcome !== undefined) return undefined;
  if (directive === undefined) return turned('Disabled', 'the workload is no longer held');
  if (record.request === 'abort') return turned('Abort', 'the release was aborted');
  // To wait for people is no failure.
  const isWorking = record.reason === 'InRolling' && !['StepPaused', 'StepReady'].includes(record.state);
  if (isWorking && look.isStalled && settings.onFailure === 'rollback')
    return turned('Failure', `there was no progress for ${settings.deadlineMilliseconds / 1000} seconds`);
  return undefined;
}

/** Whether the workload has been given back to its owner's settings: the native controller finishes the release from then on. */
function isGivenBack({ observed, record }: Look): boolean {
  return record.finalising === 'ResumeWorkload' || observed.workload?.directive === undefined;
}

/** Outcomes after which the old version serves again. */
const BACKWARDS: readonly Outcome[] = ['Rollback', 'Abort', 'Failure', 'Deleted'];

function turned(outcome: Outcome, why: string): Decision {
  const reason = BACKWARDS.includes(outcome) ? 'Cancelling' : 'Finalising';
  const type = outcome === 'Rollback' || outcome === 'Disabled' ? 'Normal' : 'Warning';
  const change = { outcome, reason, finalising: undefined, request: undefined } as const;
  return go(change, { type, reason: outcome, note: why });
}

/** Another version is to be released, from the version that has the traffic now. */
function superseded({ observed, record, now }: Look, revision: string): Decision {
  const fresh = begun(observed, now);
  if (fresh === undefined) throw new Error('a release is superseded by none');
  const { style } = observed;
  const isPromoted = style === 'blueGreen' && record.traffic.weight === 100;
  const change: Partial<ReleaseRecord> = {
    ...fresh,
    stable: isPromoted ? record.canary : fresh.stable,
    traffic: record.traffic,
    network: record.network,
    networkTime: record.networkTime,
    step: record.step,
  };
  return go(change, {
    type: 'Normal',
    reason: 'Progressing',
    note: `another version takes the release's place: ${revision}`,
  });
}

function handled(look: Look): Decision {
  const { record, settings } = look;
  switch (record.reason) {
    case 'Initializing':
      return initializing(look);
    case 'InRolling':
      return inRolling(look);
    case 'Paused':
      return paused(look);
    case 'Finalising':
    case 'Cancelling':
      return finish(look);
    case 'Completed':
      throw new Error(`a completed release is not looked at: ${settings.steps.length} steps`);
  }
}

const NO_RECREATE =
  'a strategy under which two versions may run side by side: write spec.strategy.type: RollingUpdate into the workload, or delete the Rollout';

/** The old version at full size and with all traffic; nothing is left of earlier versions. */
function initializing(look: Look): Decision {
  const { observed, settings } = look;
  const workload = observed.workload;
  if (workload?.own.isRecreate) return stay(look, {}, { waitingFor: NO_RECREATE, isExpected: true, isBlocked: true });
  const cleared = retreat(look);
  if (!cleared.isReached) return stay(look, cleared.wish, cleared);
  if (workload?.replicas === 0)
    return stay(look, cleared.wish, { waitingFor: 'the workload to be scaled up from 0', isExpected: true });
  if (observed.obstacle !== undefined)
    return stay(look, cleared.wish, { waitingFor: observed.obstacle, isBlocked: true });
  if (workload?.own.isPaused)
    return stay(look, cleared.wish, {
      waitingFor: 'its owner, who has paused the workload: kubectl rollout resume, or take `paused` out of its source',
      isExpected: true,
      isBlocked: true,
    });
  const next = naturalNext(1, settings.steps.length);
  return go({ reason: 'InRolling', state: 'BeforeStepUpgrade', step: 1, next });
}

function inRolling(look: Look): Decision {
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
function naturalNext(step: number, steps: number): number {
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
 * Leads traffic to both versions. Before it moves, each version has the floor for where it is and for where it goes: the
 * old version may be applied again at any moment, also while nobody of us runs, and the native controller takes the pods
 * of the new one at once.
 */
function split(look: Look, traffic: GatewayTraffic): ReturnType<typeof reach> {
  const { place, record, settings } = look;
  const network = reach({ to: 'split', traffic }, place);
  const isToMove =
    !network.isReached && network.wish.traffic !== undefined && network.settled.networkTime === undefined;
  const sets = isToMove ? floors(look, [record.traffic, trafficOf(traffic, settings)]) : [];
  if (sets.length === 0) return network;
  const { network: name, networkTime } = record;
  return {
    ...network,
    wish: merged(network.wish, { traffic: 'keep', sets }),
    waitingFor: 'the floors of ReplicaSets',
    settled: { network: name, networkTime, traffic: record.traffic },
  };
}

/**
 * What a version's largest share among these needs nobody but us may take from it, with as many pods missing as the owner
 * allows (see `src/rewrite/floor.ts`). With a single replica, too: both versions have a pod then, and between a scale and
 * the bounds that we compute for it the native controller still goes by those of before.
 */
function floors({ observed, versions, target, record }: Look, ways: readonly Traffic[]): SetWish[] {
  const { workload, style } = observed;
  if (workload === undefined || style === 'canary') return [];
  const { replicas } = workload;
  const { unavailable } = ownRoom(workload);
  const shared = ways.filter(({ weight, hasMatches }) => weight !== undefined || hasMatches);
  const hasMatches = shared.some((traffic) => traffic.hasMatches);
  const floor = (share: number, most: number, isServing: boolean) => {
    const keep = Math.max(1, Math.min(most, neededFor(share, replicas)) - unavailable);
    const isShared = replicas > 0 && observed.gateways.length > 0 && shared.length > 0;
    return isShared && isServing ? encodeFloor({ keep, of: replicas }) : '';
  };
  const weights = shared.map(({ weight }) => weight ?? 0);
  const [least, most] = [Math.min(...weights), Math.max(...weights)];
  const wanted = [
    { set: versions.stable, floor: floor(100 - least, replicas, least < 100) },
    { set: versions.canary, floor: floor(most, target(record.step), most > 0 || hasMatches) },
  ];
  return wanted.flatMap((each) =>
    each.set === undefined || each.set.floor === each.floor ? [] : [{ name: each.set.name, floor: each.floor }],
  );
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

/** Held by its owner, or after an abort. Rollbacks and other versions are looked at in this state, too (compat W23). */
function paused(look: Look): Decision {
  const { observed, record, settings, versions } = look;
  const isEmpty = observed.workload?.replicas === 0;
  if (isEmpty && record.outcome === undefined) return go({ reason: 'Initializing', state: 'BeforeStepUpgrade' });
  if (record.outcome !== undefined) {
    if (record.request === 'retry')
      return go(
        { reason: 'Initializing', outcome: undefined, request: undefined },
        { type: 'Normal', reason: 'Progressing', note: 'the release begins again' },
      );
    const waitingFor = 'a decision: kubectl sluice retry, kubectl sluice undo, or apply another version';
    // Scaled to 0 and back, the native controller would give all pods to the new version.
    return stay(look, isEmpty ? retreat(look).wish : {}, { waitingFor, isExpected: true });
  }
  if (!settings.isPaused) return go({ reason: 'InRolling', stateTime: record.stateTime });
  const { workload, style } = observed;
  const wish: Partial<Wish> =
    workload === undefined || style === 'canary' ? {} : { workload: rest(workload, versions) };
  const [current] = observed.gateways.map(({ traffic }) => traffic);
  const network = typeof current === 'object' ? reach({ to: 'split', traffic: current }, look.place) : undefined;
  return stay(look, merged(network?.wish, wish), {
    waitingFor: 'spec.strategy.paused to be taken back',
    isExpected: true,
    settled: network?.settled,
  });
}

/**
 * People are told of each state that a release comes to wait in; those that it goes through at once are no news, and what
 * keeps it from beginning is told in another way.
 */
function arrival(
  before: ReleaseRecord | undefined,
  { record, message, isBlocked }: Extract<Decision, { kind: 'stay' }>,
): ReleaseEvent[] {
  const isThere =
    before?.step === record.step && before.outcome === record.outcome && placeOf(before) === placeOf(record);
  return isThere || isBlocked ? [] : [{ type: 'Normal', reason: placeOf(record), note: message }];
}

/** Where a release stands, in its most telling word. */
function placeOf({ reason, state, finalising }: ReleaseRecord): string {
  if (reason === 'InRolling') return state;
  return reason === 'Paused' ? reason : (finalising ?? reason);
}

function planOf(look: Look, decision: Extract<Decision, { kind: 'stay' }>, events: ReleaseEvent[]): ReleasePlan {
  return {
    record: decision.record,
    phase: phaseOf(look),
    message: decision.message,
    wish: { ...KEEP, ...merged(decision.wish, podMetadata(look)) },
    events,
    afterMilliseconds: decision.after,
    isStalled: look.isStalled && !decision.isExpected,
    isBlocked: decision.isBlocked,
  };
}

function completed(look: Look, events: ReleaseEvent[]): ReleasePlan {
  const { record, observed, now } = look;
  const isGood = record.outcome === 'Success';
  events.push({
    type: isGood || record.outcome === 'Rollback' ? 'Normal' : 'Warning',
    reason: 'Completed',
    note: isGood ? 'the new version is released' : `the release has ended: ${record.outcome}`,
  });
  const phase = observed.workload === undefined ? 'Initial' : record.outcome === 'Disabled' ? 'Disabled' : 'Healthy';
  return {
    record: {
      ...record,
      state: 'Completed',
      next: -1,
      finishTime: now,
      request: undefined,
      traffic: NO_TRAFFIC,
      network: '',
      networkTime: undefined,
    },
    phase,
    message: isGood ? 'the new version is released' : `the release has ended: ${record.outcome}`,
    wish: KEEP,
    events,
    afterMilliseconds: undefined,
    isStalled: false,
    isBlocked: false,
  };
}

function phaseOf({ record }: Look): Phase {
  if (record.outcome === 'Deleted') return 'Terminating';
  return record.outcome === 'Disabled' ? 'Disabling' : 'Progressing';
}
