import type { Rollout } from '../api/generated.ts';
import type { ReleaseRecord } from './record.ts';
import { settingsOf } from './settings.ts';

/**
 * For what a release waits, as far as somebody can do anything about it: `approval` of its step; `time` of a pause;
 * `resume`: `spec.strategy.paused` is set; `decision`: it was aborted or has failed, and is held; `progress` of pods and
 * traffic in all other cases.
 */
export const WAITS = ['approval', 'time', 'resume', 'decision', 'progress'] as const;
export type WaitsFor = (typeof WAITS)[number];

/** Reads that from the record of a release that runs, and from its plan. */
export function waitsFor(rollout: Rollout, record: ReleaseRecord): WaitsFor {
  if (record.reason === 'Paused') return record.outcome === undefined ? 'resume' : 'decision';
  if (record.reason !== 'InRolling' || record.state !== 'StepPaused') return 'progress';
  const step = settingsOf(rollout).steps[record.step - 1];
  return step?.pause?.duration === undefined ? 'approval' : 'time';
}
