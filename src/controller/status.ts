import { V1BETA1 } from '../api/names.ts';
import { mergePatch } from '../json/merge-patch.ts';
import type { Json, JsonMap } from '../json/value.ts';
import { isAtRest, type Rest, writtenRest } from '../release/at-rest.ts';
import type { Regarding } from './api.ts';
import { type ConditionType, type Finding, mergeConditions } from './conditions.ts';
import type { StoredRollout } from './rollout-entry.ts';

/** What a status is to say; phase and message are left out where only errors are told. */
export type Report = {
  readonly generation: number;
  readonly phase?: string;
  readonly message?: string;
  readonly findings: readonly Finding[];
  /** Conditions that tell of what is no longer so. */
  readonly outdated?: readonly ConditionType[];
  /** The fields of a release, whole (see `src/release/record.ts`). */
  readonly release?: JsonMap;
  /** Of a Rollout that may have released nothing yet. */
  readonly rest?: Rest | undefined;
};

/**
 * The merge patch on `/status` by which a Rollout says what is reported; undefined when it does already. It names the
 * resourceVersion that it was computed from, since lists are written whole.
 */
export function statusPatch(stored: StoredRollout, report: Report, now: Date): JsonMap | undefined {
  const { status } = stored;
  const change = reported(status, report, now);
  const patch = mergePatch(status, { ...withoutStyleOfBefore(status, change), ...change });
  return patch && { metadata: { resourceVersion: stored.resourceVersion }, status: patch };
}

function reported(status: JsonMap, report: Report, now: Date): JsonMap {
  const { generation, phase, message, findings, outdated, release } = report;
  return {
    observedGeneration: generation,
    ...(phase === undefined ? {} : { phase, message: message ?? '' }),
    conditions: mergeConditions(status['conditions'], findings, now, outdated),
    ...(release ?? (phase === undefined ? required(status) : stepFields(status, report))),
  };
}

/** A Rollout that has never released anything stands where it would after a release (compat §2.1). */
function stepFields(status: JsonMap, { phase, rest }: Report): JsonMap {
  if (phase !== 'Healthy' || rest === undefined || !isAtRest(status, rest.style)) return required(status);
  return writtenRest(status, rest);
}

/** Clients take the sub-status that is there for that of the style, and would meet the one of another style first. */
function withoutStyleOfBefore(status: JsonMap, change: JsonMap): JsonMap {
  const { canaryStatus: _, ...withoutCanary } = status;
  const { blueGreenStatus: __, ...withoutBlueGreen } = status;
  if (change['canaryStatus'] !== undefined) return withoutBlueGreen;
  return change['blueGreenStatus'] === undefined ? status : withoutCanary;
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
