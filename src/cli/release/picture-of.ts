import type { CanaryStep, Rollout } from '../../api/generated.ts';
import { type JsonMap, stringAt } from '../../json/value.ts';
import { stepReplicas } from '../../release/replicas.ts';
import type { Style } from '../../rewrite/directive.ts';
import { stepsOf, styleOf } from '../../rollout/directives.ts';
import { mapsAt } from './fields.ts';
import { matchText } from './match-text.ts';
import { networkPictures } from './network-picture.ts';
import { type Observed, onlyOne } from './parts.ts';
import type { ConditionPicture, Picture, RolloutPicture, StepPicture, WorkloadPicture } from './picture.ts';
import { asRollout, type RolloutStatus, rolloutStatus } from './rollout-status.ts';
import { type Stage, stageOf } from './stage.ts';
import { secondsSince } from './time-text.ts';
import { directiveOn, versionsOf } from './versions.ts';
import { waitsOf } from './waits.ts';
import { workloadPicture } from './workload-picture.ts';

/** Told by the stage: they are False for most of a Rollout's life, and that is well. */
const STATES = ['Progressing', 'Succeeded', 'Terminating'];

/** The picture of a release at a moment, from what the API server has of it; pure. */
export function pictureOf(observed: Observed, now: Date): Picture {
  const rollout = asRollout(observed.rollout);
  const { name = '' } = rollout.metadata;
  const status = rolloutStatus(observed.rollout);
  const workloadObject = onlyOne(observed.workload);
  const stage = stageOf(status, directiveOn(workloadObject, name));
  const workload = workloadPicture(observed, versionsOf(status, stage, workloadObject, name), now);
  const steps = stepPictures(rollout, status, stage, workload);
  return {
    rollout: rolloutPicture(observed.rollout, status, stage, now),
    steps,
    workload,
    network: networkPictures(observed, name),
    conditions: conditionPictures(observed.rollout, now),
    waits: waitsOf({ rollout, status, stage, steps, workload, now }),
  };
}

function rolloutPicture(object: JsonMap, status: RolloutStatus, stage: Stage, now: Date): RolloutPicture {
  const rollout = asRollout(object);
  const { outcome, request, weight } = status;
  const seconds = (field: string, time: string | undefined) => {
    const since = secondsSince(time, now);
    return since === undefined ? {} : { [field]: since };
  };
  return {
    namespace: rollout.metadata.namespace ?? '',
    name: rollout.metadata.name ?? '',
    style: styleOf(rollout),
    stage,
    phase: status.phase,
    step: status.step,
    state: status.state,
    finalisingStep: status.finalisingStep,
    paused: rollout.spec?.strategy.paused === true,
    ...(outcome === undefined ? {} : { outcome }),
    ...(request === undefined ? {} : { request }),
    ...(weight === undefined ? {} : { weight }),
    hasMatches: status.hasMatches,
    message: status.message,
    ...seconds('ageSeconds', stringAt(object, 'metadata', 'creationTimestamp')),
    ...seconds('secondsSinceStart', status.startTime),
    ...seconds('secondsSinceFinish', status.finishTime),
  };
}

function stepPictures(
  rollout: Rollout,
  status: RolloutStatus,
  stage: Stage,
  { state, replicas }: WorkloadPicture,
): StepPicture[] {
  const steps = stepsOf(rollout);
  const style = styleOf(rollout);
  return steps.map((step, i) => ({
    step: i + 1,
    ...(step.replicas === undefined ? {} : { replicas: step.replicas }),
    ...(step.replicas === undefined || state !== 'found' ? {} : { pods: stepReplicas(step.replicas, replicas, style) }),
    ...(step.traffic === undefined ? {} : { traffic: step.traffic }),
    matches: (step.matches ?? []).map((match) => matchText(match as JsonMap)),
    pause: pauseOf(step, style, i === steps.length - 1),
    place: placeOf(i + 1, status, stage),
  }));
}

/** A last step of exactly all pods passes without a pause; only blue-green keeps it, to hold both full sets (compat §2.4). */
function pauseOf({ replicas, pause }: CanaryStep, style: Style, isLast: boolean): StepPicture['pause'] {
  if (isLast && replicas === '100%' && style !== 'blueGreen') return { type: 'none' };
  if (pause?.duration === undefined) return { type: 'approval' };
  return pause.duration === 0 ? { type: 'none' } : { type: 'duration', seconds: pause.duration };
}

function placeOf(step: number, status: RolloutStatus, stage: Stage): StepPicture['place'] {
  if (stage === 'finishing') return 'done';
  if (stage === 'resting') return status.outcome === 'Success' ? 'done' : 'coming';
  if (stage !== 'releasing' && stage !== 'returning') return 'coming';
  if (step === status.step) return 'current';
  return step < status.step ? 'done' : 'coming';
}

function conditionPictures(object: JsonMap, now: Date): ConditionPicture[] {
  return mapsAt(object, 'status', 'conditions').flatMap((condition) => {
    const [type = '', status = '', reason = '', message = ''] = ['type', 'status', 'reason', 'message'].map(
      (field) => stringAt(condition, field) ?? '',
    );
    if (status === 'True' || STATES.includes(type)) return [];
    const since = secondsSince(stringAt(condition, 'lastTransitionTime'), now);
    return [{ type, status, reason, message, ...(since === undefined ? {} : { secondsSince: since }) }];
  });
}
