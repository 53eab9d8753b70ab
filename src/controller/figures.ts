import { stringAt } from '../json/value.ts';
import { type ReleaseRecord, readRecord } from '../release/record.ts';
import { settingsOf } from '../release/settings.ts';
import { type WaitsFor, waitsFor } from '../release/waiting.ts';
import type { Style } from '../rewrite/directive.ts';
import { styleOf } from '../rollout/directives.ts';
import { conditionOf } from './conditions.ts';
import type { RolloutEntry } from './rollout-entry.ts';

/** What can be told of a Rollout in numbers. */
export type RolloutFigures = {
  readonly namespace: string;
  readonly name: string;
  /** Empty while it has not been looked at. */
  readonly phase: string;
  /** Undefined while no release runs. */
  readonly release: ReleaseFigures | undefined;
};

/** Of a release that runs, or is held. */
export type ReleaseFigures = Pick<ReleaseRecord, 'reason' | 'step' | 'startTime' | 'stateTime'> & {
  readonly style: Style;
  /** The part of a closing sequence where there is one, else the state of the step. */
  readonly state: string;
  readonly steps: number;
  /** Percent of the traffic; undefined where no weight is set. */
  readonly weight: number | undefined;
  readonly waitsFor: WaitsFor;
  /** It has made no progress for longer than its deadline. */
  readonly isStalled: boolean;
};

/** Reads them from the status, which any leader writes and every one understands. */
export function figuresOf({ stored, rollout }: RolloutEntry): RolloutFigures {
  const { namespace, name, status } = stored;
  const phase = stringAt(status, 'phase') ?? '';
  const style = rollout && styleOf(rollout);
  const record = style && readRecord(status, style);
  if (rollout === undefined || style === undefined || record === undefined || record.reason === 'Completed')
    return { namespace, name, phase, release: undefined };
  const { reason, step, startTime, stateTime, traffic } = record;
  const release: ReleaseFigures = {
    ...{ style, reason, step, startTime, stateTime },
    state: record.finalising ?? record.state,
    steps: settingsOf(rollout).steps.length,
    weight: traffic.weight,
    waitsFor: waitsFor(rollout, record),
    isStalled: stringAt(conditionOf(status['conditions'], 'Advancing'), 'status') === 'False',
  };
  return { namespace, name, phase, release };
}
