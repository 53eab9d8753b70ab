import { isMap, type JsonMap, member, stringAt } from '../json/value.ts';
import type { Style } from '../rewrite/directive.ts';
import { type ReleaseRecord, type StepRecord, subStatusKey, writtenStep } from './record.ts';

/** The version that a workload is at while nothing is released. */
export type VersionAtRest = Pick<ReleaseRecord, 'workloadGeneration' | 'rolloutId' | 'podTemplateHash'> & {
  /** Hash of its pod template. */
  readonly template: string;
};

/** What can be told of a Rollout that has released nothing yet. */
export type Rest = {
  readonly style: Style;
  readonly steps: number;
  /** See `plan-hash.ts`. */
  readonly planHash: string;
  /** Undefined where it has not been read now: what stands of it in the status stays. */
  readonly version: VersionAtRest | undefined;
};

/**
 * A Rollout that has released nothing yet stands where it would after a release (compat §2.1), with the one version that
 * there is in the place of both: clients of OpenKruise take the sub-status for granted. Without a `release` beside it
 * nothing takes it for one that ran. No pods are counted and no time is told, since nothing has happened.
 *
 * @returns fields of the status (v1beta1).
 */
export function writtenRest(status: JsonMap, { style, steps, planHash, version }: Rest): JsonMap {
  const state = 'Completed';
  if (version === undefined) {
    const key = subStatusKey(style);
    const sub = member(status, key);
    const plan = { rolloutHash: planHash, currentStepIndex: steps };
    return { currentStepIndex: steps, currentStepState: state, ...(isMap(sub) ? { [key]: { ...sub, ...plan } } : {}) };
  }
  const { template, podTemplateHash, workloadGeneration, rolloutId } = version;
  const record: StepRecord = {
    ...{ step: steps, next: -1, state, finalising: undefined, planHash, pods: { created: 0, ready: 0 } },
    ...{ workloadGeneration, rolloutId, stableRevision: podTemplateHash, podTemplateHash, canary: template },
  };
  return writtenStep(record, style, { message: '' });
}

/** Whether a status is one of {@link writtenRest}, or of nobody yet. What OpenKruise has left after a release is as good. */
export function isAtRest(status: JsonMap, style: Style): boolean {
  const hasReleased = stringAt(status, 'release', 'startTime') !== undefined;
  const sub = member(status, subStatusKey(style));
  const isOver = sub === undefined || stringAt(sub, 'currentStepState') === 'Completed';
  return !hasReleased && isOver && ['', 'Completed'].includes(stringAt(status, 'currentStepState') ?? '');
}

/**
 * What {@link writtenRest} lacks that only the workload can tell: all of it, or its set, which the native controller makes
 * a moment after the workload.
 */
export function lackOf(status: JsonMap, style: Style): 'all' | 'set' | 'nothing' {
  if (!isAtRest(status, style)) return 'nothing';
  const sub = member(status, subStatusKey(style));
  if (sub === undefined) return 'all';
  return stringAt(sub, 'podTemplateHash') === '' ? 'set' : 'nothing';
}
