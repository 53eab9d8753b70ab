import { type FieldPath, oneOf, quoted, type Violation } from '../api/violation.ts';
import { equal } from '../json/equal.ts';
import { at, isList, isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { REQUESTS, type StepState } from './record.ts';

/** An approval that names no step is refused for so long after its step has paused: it may be meant for the step before. */
const LEAST_PAUSE_MILLISECONDS = 2_000;

const SUB_STATUSES = ['canaryStatus', 'blueGreenStatus'] as const;
const PAUSED: StepState = 'StepPaused';
const READY: StepState = 'StepReady';

/**
 * What is wrong with a write of a Rollout's status by somebody else than the controller; nothing where it is one of the
 * requests that clients make (compat §2.6, §2.7, §6), or several of them at once:
 *
 * | request | what it changes, under `status` |
 * | --- | --- |
 * | approve | `currentStepState` of `canaryStatus` or `blueGreenStatus`, from `StepPaused` to `StepReady`; `release.approvedStep` may name the step |
 * | jump, `undo --fast` | `nextStepIndex` of the same, to a step that there is |
 * | promote, abort, retry | `release.request`, which may be taken back, too |
 *
 * Everything else of a status is the controller's. Metadata are not compared: API servers put back what a write to
 * `/status` says of them. A step is named only by a write that brings its number: one that is stored is of an earlier approval.
 *
 * @param incoming and `stored` in the version that the client wrote
 * @param now milliseconds since 1970
 */
export function statusViolations(incoming: JsonMap, stored: JsonMap, now: number): Violation[] {
  const changes = [
    ...differences(incoming['spec'], stored['spec'], ['spec']),
    ...differences(requestable(incoming), requestable(stored), ['status']),
  ];
  const isApproval = changes.some(({ path }) => isOfSubStatus(path, 'currentStepState'));
  const situation: Situation = { incoming, stored, now, isApproval };
  const asked = changes.filter(({ path }) => isRequest(path));
  const foreign = changes.filter(({ path }) => !isRequest(path));
  return [
    ...asked.flatMap((change) => {
      const message = problemOf(change, situation);
      return message === undefined ? [] : [{ path: change.path, message }];
    }),
    ...foreign.map(({ path }, index) => ({ path, message: index === 0 ? notTheirs(stored) : 'the same' })),
  ];
}

/** A part of an object that is not as it was; undefined where it is absent. */
type Change = { readonly path: FieldPath; readonly before: Json | undefined; readonly after: Json | undefined };

type Situation = {
  readonly incoming: JsonMap;
  readonly stored: JsonMap;
  readonly now: number;
  readonly isApproval: boolean;
};

const REQUEST: FieldPath = ['status', 'release', 'request'];
const APPROVED_STEP: FieldPath = ['status', 'release', 'approvedStep'];

function isRequest(path: FieldPath): boolean {
  const isOfStep = isOfSubStatus(path, 'currentStepState') || isOfSubStatus(path, 'nextStepIndex');
  return isOfStep || equal(path, REQUEST) || equal(path, APPROVED_STEP);
}

function isOfSubStatus([first, second, third, ...rest]: FieldPath, field: string): boolean {
  return first === 'status' && SUB_STATUSES.some((name) => name === second) && third === field && rest.length === 0;
}

function problemOf(change: Change, situation: Situation): string | undefined {
  if (isOfSubStatus(change.path, 'currentStepState')) return approvalProblem(change, situation);
  if (isOfSubStatus(change.path, 'nextStepIndex')) return jumpProblem(change, situation);
  return equal(change.path, REQUEST) ? requestProblem(change, situation) : namingProblem(change, situation);
}

function approvalProblem({ path, before, after }: Change, { incoming, stored, now }: Situation): string | undefined {
  const place = path.slice(0, -1);
  const step = at(stored, [...place, 'currentStepIndex']);
  if (after !== READY) return `can only be written as ${READY}, to approve a step that is ${PAUSED}`;
  if (before !== PAUSED)
    return `step ${step} does not wait for an approval: it is in ${before}; wait until it is ${PAUSED}`;
  const named = at(incoming, APPROVED_STEP);
  // Whether it is the right step is judged at the field that names it.
  if (named !== undefined && named !== at(stored, APPROVED_STEP)) return undefined;
  const pausedAt = timeOf(at(stored, [...place, 'lastUpdateTime']));
  if (pausedAt === undefined || now - pausedAt >= LEAST_PAUSE_MILLISECONDS) return undefined;
  return `step ${step} has only just paused, and this approval may be meant for the step before; look at step ${step} and approve it again, or name it, as kubectl sluice approve does: status.release.approvedStep: ${step}`;
}

function namingProblem({ after }: Change, { stored, isApproval }: Situation): string | undefined {
  if (after === undefined || !isApproval)
    return `names the step that is approved; write it together with currentStepState: ${READY}`;
  const steps = SUB_STATUSES.flatMap((name) => at(stored, ['status', name, 'currentStepIndex']) ?? []);
  if (steps.some((step) => step === after)) return undefined;
  return `names step ${quoted(after)}, but the release is at step ${steps.join()}; look at that one, and approve it`;
}

function jumpProblem({ after }: Change, { stored }: Situation): string | undefined {
  const steps = stepCount(stored);
  const isStep = typeof after === 'number' && Number.isInteger(after) && after >= 1 && after <= steps;
  if (!isStep) return `must be the number of a step to jump to, 1 to ${steps}, not ${quoted(after ?? null)}`;
  return idleProblem(stored);
}

function requestProblem({ after }: Change, { stored }: Situation): string | undefined {
  if (after === undefined || after === '') return undefined;
  if (!REQUESTS.some((request) => request === after))
    return `must be ${oneOf([...REQUESTS, 'empty'])}, not ${quoted(after)}`;
  return idleProblem(stored);
}

/** What is asked of no release would be carried out in the next one, or never. */
function idleProblem(stored: JsonMap): string | undefined {
  const phase = at(stored, ['status', 'phase']);
  return phase === 'Progressing'
    ? undefined
    : `asks something of a release, but none is under way: the Rollout is ${phase ?? 'not taken in yet'}; apply a new version first`;
}

function notTheirs(stored: JsonMap): string {
  const sub = SUB_STATUSES.find((name) => at(stored, ['status', name]) !== undefined) ?? SUB_STATUSES[0];
  return `is written by Sluice's controller alone; others write ${sub}.currentStepState: ${READY} to approve, ${sub}.nextStepIndex to jump, and release.request to ${oneOf(REQUESTS)}`;
}

function stepCount(rollout: JsonMap): number {
  const strategy = at(rollout, ['spec', 'strategy']);
  const steps = at(strategy, ['canary', 'steps']) ?? at(strategy, ['blueGreen', 'steps']);
  return isList(steps) ? steps.length : 0;
}

function timeOf(value: Json | undefined): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** The status with `release`: the first request brings that with it. */
function requestable({ status }: JsonMap): Json | undefined {
  return isMap(status) && status['release'] === undefined ? { ...status, release: {} } : status;
}

/** Where two values differ, as far down as both are maps. */
function differences(after: Json | undefined, before: Json | undefined, path: FieldPath): Change[] {
  if (after === before) return [];
  if (!isMap(after) || !isMap(before)) return equal(after, before) ? [] : [{ path, before, after }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => differences(member(after, key), member(before, key), [...path, key]));
}
