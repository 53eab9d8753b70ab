import type {
  NetworkPicture,
  Picture,
  RolloutPicture,
  SetPicture,
  StepPicture,
  Wait,
  WorkloadPicture,
} from './picture.ts';
import { timeText } from './time-text.ts';

/** Parts of a release in words. None of them changes by the passing of time alone, but for {@link waitText}. */

/** `step 2/3 StepPaused`, with the part of the closing sequence that runs; empty where there is no release. */
export function stepText({ step, state, finalisingStep, stage }: RolloutPicture, steps: number): string {
  if (step === 0 || stage === 'new' || stage === 'held') return '';
  const closing = finalisingStep === '' || finalisingStep === 'END' ? '' : ` ${finalisingStep}`;
  return `step ${step}/${steps} ${state}${closing}`;
}

/** What the new version gets of the traffic; empty where that has not been told. */
export function trafficText({ weight, hasMatches }: Pick<RolloutPicture, 'weight' | 'hasMatches'>): string {
  if (weight === undefined) return hasMatches ? 'matched requests' : '';
  return hasMatches ? `${weight}% of the traffic and matched requests` : `${weight}% of the traffic`;
}

/** Pods of the new version once a step is done. */
export function replicasText({ replicas, pods }: StepPicture): string {
  if (replicas === undefined) return '';
  const count = pods === undefined ? '' : ` (${podsText(pods)})`;
  return typeof replicas === 'number' ? podsText(replicas) : `${replicas}${count}`;
}

export function podsText(pods: number): string {
  return `${pods} pod${pods === 1 ? '' : 's'}`;
}

export function pauseText({ pause }: StepPicture): string {
  if (pause.type === 'duration') return `pause ${timeText(pause.seconds)}`;
  return pause.type === 'approval' ? 'until approved' : '';
}

export function setText({ role, images, ready, desired }: SetPicture): string {
  return [...(role === 'other' ? [] : [role]), images, `${ready}/${desired} ready`].join(', ');
}

/** What a workload says, or why nothing is known of it. */
export function workloadText({ state, reason = '', images, replicas }: WorkloadPicture): string {
  if (state === 'missing') return 'is not there';
  return state === 'unreadable' ? reason : `${images}, ${podsText(replicas)}`;
}

/** What a Service or gateway object does at the moment. */
export function networkText({ state, reason, weight, matches, selector, role }: NetworkPicture): string {
  if (state === 'missing') return 'is not there';
  if (state === 'unreadable') return reason ?? 'cannot be read';
  const selects = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`);
  const traffic = [
    ...(weight === undefined ? [] : [`${weight}%`]),
    ...(matches.length === 0 ? [] : [matches.join(' or ')]),
  ];
  if (traffic.length > 0) return `to the new version: ${traffic.join(', ')}`;
  if (selects.length > 0) return `selects ${selects.join(',')}`;
  return state === 'steered' || role === 'canary' ? '' : 'as without a release';
}

/** A wait with the times that it has, and what ends it. */
export function waitText({ text, seconds, secondsLeft, deadline }: Wait): string {
  const times = [
    ...(secondsLeft === undefined ? [] : [secondsLeft === 0 ? 'over' : `${timeText(secondsLeft)} left`]),
    ...(seconds === undefined || secondsLeft !== undefined ? [] : [`for ${timeText(seconds)}`]),
    ...(deadline === undefined ? [] : [deadlineText(deadline)]),
  ];
  return times.length === 0 ? text : `${text}, ${times.join(', ')}`;
}

function deadlineText({ secondsLeft, onFailure }: NonNullable<Wait['deadline']>): string {
  const what = onFailure === 'rollback' ? 'goes back' : 'gives up';
  return secondsLeft === 0 ? `${what} now` : `${what} in ${timeText(secondsLeft)}`;
}

/** How the release ends or ended; of a version that is held nothing is known yet. */
export function outcomeText({ outcome = '', stage }: RolloutPicture): string {
  return stage === 'held' ? '' : outcome;
}

/** How far it is, in one line. */
export function summaryText({ rollout, steps }: Picture): string {
  const parts = [
    rollout.phase === '' ? 'not taken in yet' : rollout.phase,
    stepText(rollout, steps.length),
    trafficText(rollout),
    outcomeText(rollout),
  ];
  return parts.filter((part) => part !== '').join(', ');
}
