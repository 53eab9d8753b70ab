import type { Outcome, ReleaseRecord, StepState } from './record.ts';

/** Something of a release that has come to its end, and how long it took in milliseconds. */
export type Measure =
  /** One state of a step; the time in which it waits for people is that of `StepPaused`. */
  | { readonly of: 'state'; readonly state: StepState; readonly milliseconds: number }
  /** A step, from its beginning to the next one's, or to the end of the last; not one that was left in another way. */
  | { readonly of: 'step'; readonly milliseconds: number }
  /** A release that is over, or held until somebody decides. */
  | { readonly of: 'release'; readonly outcome: Outcome; readonly milliseconds: number };

/**
 * What came to its end between two records of a Rollout's releases. States and steps that a release went through in one
 * look took no time, and are not among them.
 */
export function measuresOf(before: ReleaseRecord | undefined, after: ReleaseRecord): Measure[] {
  if (before === undefined || before.reason === 'Completed') return endOf(undefined, after);
  const { stateTime: now } = after;
  if (after.startTime !== before.startTime) {
    // One that is held was told of when it came to that.
    const superseded: Measure = { of: 'release', outcome: 'Superseded', milliseconds: now - before.startTime };
    return [...(isHeld(before) ? [] : [superseded]), ...endOf(undefined, after)];
  }
  return [...stateOf(before, after), ...stepOf(before, after), ...endOf(before, after)];
}

function stateOf(before: ReleaseRecord, after: ReleaseRecord): Measure[] {
  const isLeft = before.state !== after.state || before.stepTime !== after.stepTime || after.outcome !== undefined;
  if (before.reason !== 'InRolling' || before.outcome !== undefined || !isLeft) return [];
  // An approval is written by whoever gives it; the time of the state stays.
  const state = before.state === 'StepReady' ? 'StepPaused' : before.state;
  return [{ of: 'state', state, milliseconds: after.stateTime - before.stateTime }];
}

function stepOf(before: ReleaseRecord, after: ReleaseRecord): Measure[] {
  const isJump = before.next !== -1 && before.next !== before.step + 1;
  const isThrough = after.step > before.step || (after.outcome === 'Success' && before.outcome === undefined);
  const isOther = isJump || before.planHash !== after.planHash;
  if (isOther || !isThrough || before.reason === 'Initializing') return [];
  return [{ of: 'step', milliseconds: after.stateTime - before.stepTime }];
}

function endOf(before: ReleaseRecord | undefined, after: ReleaseRecord): Measure[] {
  const { outcome, startTime, stateTime } = after;
  const isOver = after.reason === 'Completed' || isHeld(after);
  const wasOver = before !== undefined && isHeld(before) && isHeld(after);
  if (outcome === undefined || !isOver || wasOver) return [];
  return [{ of: 'release', outcome, milliseconds: stateTime - startTime }];
}

/** After an abort or a failure: the old version serves, and somebody has to decide. */
function isHeld({ reason, outcome }: ReleaseRecord): boolean {
  return reason === 'Paused' && outcome !== undefined;
}
