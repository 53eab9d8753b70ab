import { type JsonMap, stringAt } from '../../json/value.ts';
import { mapsAt, numberAt } from './fields.ts';
import type { PodPicture } from './picture.ts';
import { secondsSince } from './time-text.ts';

type PodState = Pick<PodPicture, 'state' | 'isProblem'> & { readonly message?: string | undefined };

/** Reasons to wait that pass by themselves. */
const PASSING = ['ContainerCreating', 'PodInitializing'];

/** A pod in one word, as kubectl tells it, and whether that word is bad news. */
export function podPicture(pod: JsonMap, now: Date): PodPicture {
  const containers = mapsAt(pod, 'status', 'containerStatuses');
  const age = secondsSince(stringAt(pod, 'metadata', 'creationTimestamp'), now);
  const { state, isProblem, message } = stateOf(pod);
  return {
    name: stringAt(pod, 'metadata', 'name') ?? '',
    state,
    ...(message ? { message } : {}),
    isProblem,
    ready: isTrue(pod, 'Ready'),
    readyContainers: containers.filter(({ ready }) => ready === true).length,
    containers: mapsAt(pod, 'spec', 'containers').length,
    restarts: containers.reduce((sum, status) => sum + (numberAt(status, 'restartCount') ?? 0), 0),
    ...(age === undefined ? {} : { ageSeconds: age }),
  };
}

function stateOf(pod: JsonMap): PodState {
  if (stringAt(pod, 'metadata', 'deletionTimestamp') !== undefined) return { state: 'Terminating', isProblem: false };
  const reason = stringAt(pod, 'status', 'reason'); // `Evicted`, `NodeLost`
  if (reason) return { state: reason, isProblem: true, message: stringAt(pod, 'status', 'message') };
  return initState(pod) ?? containerState(pod) ?? unscheduled(pod) ?? phaseState(pod);
}

function initState(pod: JsonMap): PodState | undefined {
  const statuses = mapsAt(pod, 'status', 'initContainerStatuses');
  const done = statuses.filter((status) => numberAt(status, 'state', 'terminated', 'exitCode') === 0);
  // A sidecar among them is started and goes on.
  const open = statuses.find((status) => !done.includes(status) && status['started'] !== true);
  if (open === undefined) return undefined;
  const bad = badState(open);
  return bad === undefined
    ? { state: `Init:${done.length}/${statuses.length}`, isProblem: false }
    : { ...bad, state: `Init:${bad.state}` };
}

function containerState(pod: JsonMap): PodState | undefined {
  const statuses = mapsAt(pod, 'status', 'containerStatuses');
  const bad = statuses.map(badState).find((state) => state !== undefined);
  if (bad !== undefined) return stringAt(pod, 'status', 'phase') === 'Succeeded' ? undefined : bad;
  const waiting = statuses.map((status) => stringAt(status, 'state', 'waiting', 'reason')).find((reason) => reason);
  return waiting === undefined ? undefined : { state: waiting, isProblem: false };
}

function badState(status: JsonMap): PodState | undefined {
  for (const kind of ['waiting', 'terminated']) {
    const reason = stringAt(status, 'state', kind, 'reason');
    if (reason && !PASSING.includes(reason)) {
      return { state: reason, isProblem: true, message: stringAt(status, 'state', kind, 'message') };
    }
  }
  return undefined;
}

function unscheduled(pod: JsonMap): PodState | undefined {
  const condition = mapsAt(pod, 'status', 'conditions').find(({ type }) => type === 'PodScheduled');
  if (stringAt(condition, 'status') !== 'False') return undefined;
  const state = stringAt(condition, 'reason') || 'Unschedulable';
  return { state, isProblem: true, message: stringAt(condition, 'message') };
}

function phaseState(pod: JsonMap): PodState {
  const phase = stringAt(pod, 'status', 'phase') ?? 'Unknown';
  return { state: phase, isProblem: phase === 'Failed' || phase === 'Unknown' };
}

function isTrue(pod: JsonMap, type: string): boolean {
  return mapsAt(pod, 'status', 'conditions').some((each) => each['type'] === type && each['status'] === 'True');
}
