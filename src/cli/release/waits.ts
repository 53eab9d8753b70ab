import type { Rollout } from '../../api/generated.ts';
import { readMessage } from '../../release/message.ts';
import { GRACE } from '../../release/network.ts';
import { settingsOf } from '../../release/settings.ts';
import type { SetPicture, StepPicture, Wait, WorkloadPicture } from './picture.ts';
import type { RolloutStatus } from './rollout-status.ts';
import type { Stage } from './stage.ts';
import { millisecondsOf, secondsSince } from './time-text.ts';

/** All that the reasons to wait are read from. */
export type Waiting = {
  readonly rollout: Rollout;
  readonly status: RolloutStatus;
  readonly stage: Stage;
  readonly steps: readonly StepPicture[];
  readonly workload: WorkloadPicture;
  readonly now: Date;
};

/** Why a release does not go on at this moment, for how long, and what ends that; empty where there is no release. */
export function waitsOf(waiting: Waiting): Wait[] {
  const { status, stage } = waiting;
  const { request } = status;
  const text = `${request} was asked for, and is to be carried out`;
  const wish: Wait[] = request === undefined ? [] : [{ for: 'request', text, commands: [] }];
  return [...wish, ...stageWaits(stage, waiting)];
}

function stageWaits(stage: Stage, waiting: Waiting): Wait[] {
  const { status, rollout } = waiting;
  switch (stage) {
    case 'resting':
      return [];
    case 'new':
      return [
        controllerWait(
          status.phase === ''
            ? 'the controller has not taken the Rollout in yet'
            : 'what it names is not there yet: see its conditions',
        ),
      ];
    case 'held':
      return [controllerWait('the new version is stored and held; the controller has not begun to release it')];
    case 'stopped': {
      const text = `the old version serves again (${status.outcome}), and the new one stays stored and held: retry releases it again, undo puts the old template back`;
      return [{ for: 'decision', text, commands: [command(rollout, 'retry'), command(rollout, 'undo')] }];
    }
    case 'finishing':
      return [closing(`all steps are done${finalising(status)}`, waiting)];
    case 'returning':
      return [closing(`traffic and pods go back to the old version${finalising(status)}`, waiting)];
    case 'disabled':
    case 'deleting':
      return status.finalisingStep === '' ? [] : [closing(`the release is ended${finalising(status)}`, waiting)];
    case 'releasing':
      return [releasingWait(waiting)];
  }
}

function releasingWait(waiting: Waiting): Wait {
  const { rollout, status, now } = waiting;
  const told = readMessage(status.message);
  if (status.reason === 'Initializing' && told?.isBlocked === true) {
    return { for: 'obstacle', text: `the release is held, and waits for ${told.waitingFor}`, commands: [] };
  }
  if (rollout.spec?.strategy.paused === true) {
    return { for: 'resume', text: 'the release is paused', commands: [command(rollout, 'resume')] };
  }
  if (status.reason === 'Initializing') {
    const what = told?.waitingFor ?? 'the old version to get its full size and all traffic';
    return controllerWait(`the release begins, and waits for ${what}`);
  }
  switch (status.state) {
    case 'StepUpgrade':
      return podsWait(waiting);
    case 'BeforeStepUpgrade':
    case 'StepTrafficRouting':
      return trafficWait(waiting, told?.waitingFor);
    case 'StepPaused':
      return pauseWait(waiting);
    case 'StepReady':
      return controllerWait(
        `step ${status.step} is over, and the next one begins`,
        secondsSince(status.stateTime, now),
      );
    default:
      return controllerWait('the controller goes on', secondsSince(status.stateTime, now));
  }
}

function podsWait({ rollout, status, steps, workload, now }: Waiting): Wait {
  const wanted = steps[status.step - 1]?.pods;
  const sets = workload.sets.filter(({ role }) => role === 'canary');
  const ready = sets.reduce((sum, set) => sum + set.ready, 0);
  const seconds = secondsSince(status.progressTime ?? status.stateTime, now);
  if (wanted !== undefined && ready >= wanted) {
    return controllerWait(`the pods of step ${status.step} are ready, and traffic comes next`, seconds);
  }
  const of = wanted === undefined ? '' : ` of ${wanted}`;
  return {
    for: 'pods',
    text: `${ready}${of} pods of the new version are ready${troubles(sets)}`,
    ...(seconds === undefined ? {} : { seconds }),
    ...deadline(rollout, status, now),
    commands: [],
  };
}

/** What keeps pods from becoming ready, each trouble once. */
function troubles(sets: readonly SetPicture[]): string {
  const bad = sets.flatMap(({ pods }) => pods).filter(({ isProblem }) => isProblem);
  const states = [...new Set(bad.map(({ state }) => state))];
  return states.length === 0 ? '' : `: ${states.join(', ')}`;
}

function deadline(rollout: Rollout, { progressTime }: RolloutStatus, now: Date): Pick<Wait, 'deadline'> {
  const { deadlineMilliseconds, onFailure } = settingsOf(rollout);
  const left = secondsLeft(progressTime, deadlineMilliseconds / 1000, now);
  return left === undefined ? {} : { deadline: { secondsLeft: left, onFailure } };
}

/** @param reason what the controller says; what OpenKruise has written says none */
function trafficWait({ rollout, status, now }: Waiting, reason: string | undefined): Wait {
  const left = graceLeft(rollout, status, now) ?? 0;
  const isGrace = reason === GRACE || (reason === undefined && left > 0);
  const text = `step ${status.step} waits for ${reason ?? (isGrace ? GRACE : 'Services and gateway objects to take on what it says')}`;
  if (isGrace) return { for: 'traffic', text, secondsLeft: left, commands: [] };
  const seconds = secondsSince(status.stateTime, now);
  return { for: 'traffic', text, ...(seconds === undefined ? {} : { seconds }), commands: [] };
}

function pauseWait({ rollout, status, steps, now }: Waiting): Wait {
  const { pause } = steps[status.step - 1] ?? {};
  const commands = [command(rollout, 'approve')];
  const seconds = secondsSince(status.stateTime, now);
  const since = seconds === undefined ? {} : { seconds };
  if (pause?.type !== 'duration') {
    return { for: 'approval', text: `step ${status.step} waits for approval`, ...since, commands };
  }
  const left = secondsLeft(status.stateTime, pause.seconds, now);
  return {
    for: 'pause',
    text: `step ${status.step} pauses`,
    ...since,
    ...(left === undefined ? {} : { secondsLeft: left }),
    commands,
  };
}

function closing(text: string, { rollout, status, now }: Waiting): Wait {
  const left = graceLeft(rollout, status, now);
  return { for: 'closing', text, ...(left === undefined || left === 0 ? {} : { secondsLeft: left }), commands: [] };
}

function finalising({ finalisingStep }: RolloutStatus): string {
  return finalisingStep === '' ? '' : `: ${finalisingStep}`;
}

function controllerWait(text: string, seconds?: number): Wait {
  return { for: 'controller', text, ...(seconds === undefined ? {} : { seconds }), commands: [] };
}

/**
 * What is left of the grace period since Services and gateway objects became what they are to be; in a blue-green release
 * of the time for which the old pods are kept after all traffic has moved.
 */
function graceLeft(rollout: Rollout, { networkTime, finalisingStep }: RolloutStatus, now: Date): number | undefined {
  const { graceMilliseconds, scaleDownDelayMilliseconds } = settingsOf(rollout);
  const isKept = finalisingStep === 'FinalisingStepRouteTrafficToNew';
  return secondsLeft(networkTime, (isKept ? scaleDownDelayMilliseconds : graceMilliseconds) / 1000, now);
}

/** Seconds until so long after a moment, not negative, begun ones counted; undefined where the moment is not known. */
function secondsLeft(time: string | undefined, seconds: number, now: Date): number | undefined {
  const from = millisecondsOf(time);
  return from === undefined ? undefined : Math.max(0, Math.ceil((from - now.getTime()) / 1000 + seconds));
}

function command({ metadata: { name = '', namespace = '' } }: Rollout, verb: string): string {
  return `${verb} ${name} -n ${namespace}`;
}
