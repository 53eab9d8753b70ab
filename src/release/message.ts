import type { ReleaseRecord } from './record.ts';

/** Where a release waits, and for what, as `status.message` says it. */
export type Told = {
  readonly record: Pick<ReleaseRecord, 'step' | 'reason' | 'state' | 'outcome'>;
  readonly steps: number;
  readonly waitingFor: string;
  /** Somebody has to change something before the release can begin. */
  readonly isBlocked: boolean;
};

const HELD = 'the release is held';
const WAITS = ': waits for ';

/** `status.message` of a release, in words that clients of OpenKruise look for (compat §2.2). */
export function messageOf({ record, steps, waitingFor, isBlocked }: Told): string {
  const place = `step(${record.step}/${steps})`;
  if (record.reason === 'Initializing') return `${isBlocked ? HELD : 'the release begins'}${WAITS}${waitingFor}`;
  if (record.outcome !== undefined) return `${record.outcome}${WAITS}${waitingFor}`;
  if (record.reason === 'Paused') return `Rollout is paused in ${place}${WAITS}${waitingFor}`;
  if (record.state === 'StepPaused')
    return waitingFor.startsWith('duration')
      ? `Rollout is in ${place}, and waits ${waitingFor} to enter the next step`
      : `Rollout is in ${place}, and needs manual confirmation to enter the next step: kubectl sluice approve`;
  const doing = record.state === 'StepUpgrade' ? 'upgrading workload' : 'moving traffic';
  return `Rollout is in ${place}, and ${doing}${WAITS}${waitingFor}`;
}

/**
 * Reads it back: for what a release waits, and whether somebody has to change that before it can begin. Undefined where the
 * message is of another kind, or of OpenKruise.
 */
export function readMessage(message: string): Pick<Told, 'waitingFor' | 'isBlocked'> | undefined {
  const end = message.indexOf(WAITS);
  if (end < 0) return undefined;
  return { waitingFor: message.slice(end + WAITS.length), isBlocked: message.slice(0, end) === HELD };
}
