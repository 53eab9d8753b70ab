import { finish } from './finish.ts';
import { type Decision, go, type Look, lookAt, merged, type ReleaseEvent, stay } from './look.ts';
import { reach } from './network.ts';
import { KEEP, type Observed, type Wish } from './observed.ts';
import { planHash } from './plan-hash.ts';
import { podMetadata } from './pod-metadata.ts';
import { servedBefore } from './pods.ts';
import { NO_TRAFFIC, type Outcome, type ReleaseRecord, rolloutIdOf } from './record.ts';
import { retreat } from './retreat.ts';
import { settingsOf } from './settings.ts';
import { inRolling, naturalNext, restingPods } from './steps.ts';

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
    rolloutId: rolloutIdOf(workload.rolloutId, directive.revision),
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

/** Held by its owner, or after an abort. Rollbacks and other versions are looked at in this state, too (compat W23). */
function paused(look: Look): Decision {
  const { observed, record, settings } = look;
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
  const [current] = observed.gateways.map(({ traffic }) => traffic);
  const network = typeof current === 'object' ? reach({ to: 'split', traffic: current }, look.place) : undefined;
  return stay(look, merged(network?.wish, restingPods(look)), {
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
