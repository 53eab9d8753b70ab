import { V1BETA1 } from '../api/names.ts';
import { mergePatch } from '../json/merge-patch.ts';
import { type Json, type JsonMap, stringAt } from '../json/value.ts';
import type { Regarding } from './api.ts';
import { type Finding, mergeConditions } from './conditions.ts';
import type { StoredRollout } from './rollout-entry.ts';

/** What a status is to say; phase and message are left out where only errors are told. */
export type Report = {
  readonly generation: number;
  readonly phase?: string;
  readonly message?: string;
  readonly steps?: number;
  readonly findings: readonly Finding[];
  /** The fields of a release, whole (see `src/release/record.ts`). */
  readonly release?: JsonMap;
};

/**
 * The merge patch on `/status` by which a Rollout says what is reported; undefined when it does already. It names the
 * resourceVersion that it was computed from, since lists are written whole.
 */
export function statusPatch(stored: StoredRollout, report: Report, now: Date): JsonMap | undefined {
  const { status } = stored;
  const patch = mergePatch(status, { ...status, ...reported(status, report, now) });
  return patch && { metadata: { resourceVersion: stored.resourceVersion }, status: patch };
}

function reported(status: JsonMap, report: Report, now: Date): JsonMap {
  const { generation, phase, message, findings, release } = report;
  return {
    observedGeneration: generation,
    ...(phase === undefined ? {} : { phase, message: message ?? '' }),
    conditions: mergeConditions(status['conditions'], findings, now),
    ...(release ?? (phase === undefined ? required(status) : stepFields(status, report))),
  };
}

/** A Rollout that has never released anything stands where it would after a release (compat §2.1). */
function stepFields(status: JsonMap, { phase, steps = 0 }: Report): JsonMap {
  const state = stringAt(status, 'currentStepState') ?? '';
  const hasReleased = status['canaryStatus'] !== undefined || status['blueGreenStatus'] !== undefined;
  if (hasReleased || phase !== 'Healthy') return required(status);
  return state === '' || state === 'Completed' ? { currentStepIndex: steps, currentStepState: 'Completed' } : {};
}

/** Fields that the schema asks for. */
function required(status: JsonMap): JsonMap {
  const fields: [string, Json][] = [
    ['currentStepIndex', 0],
    ['currentStepState', ''],
  ];
  return Object.fromEntries(fields.filter(([key]) => status[key] === undefined));
}

/** The Rollout as Events name it. */
export function regardingRollout({ namespace, name, uid }: StoredRollout): Regarding {
  return { apiVersion: V1BETA1, kind: 'Rollout', namespace, name, uid };
}
