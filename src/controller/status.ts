import { V1BETA1 } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { type Json, type JsonMap, stringAt } from '../json/value.ts';
import type { Regarding } from './api.ts';
import { type Finding, mergeConditions } from './conditions.ts';
import type { StoredRollout } from './rollout-entry.ts';

/** What a status is to say; phase and message only where no release is under way. */
export type Report = {
  readonly generation: number;
  readonly phase?: string;
  readonly message?: string;
  readonly steps?: number;
  readonly findings: readonly Finding[];
};

/** Phases that belong to a release or its end. */
const IN_RELEASE = ['Progressing', 'Disabling', 'Terminating'];

/**
 * The merge patch on `/status` by which a Rollout says what is reported; undefined when it does already. It names the
 * resourceVersion that it was computed from, since lists are written whole. Sub-statuses are not touched.
 */
export function statusPatch(stored: StoredRollout, report: Report, now: Date): JsonMap | undefined {
  const { status } = stored;
  const after = { ...status, ...reported(status, report, now) };
  if (equal(status, after)) return undefined;
  const changed = Object.entries(after).filter(([key, value]) => !equal(status[key], value));
  return { metadata: { resourceVersion: stored.resourceVersion }, status: Object.fromEntries(changed) };
}

function reported(status: JsonMap, report: Report, now: Date): JsonMap {
  const phase = stringAt(status, 'phase') ?? '';
  const isFree = report.phase !== undefined && !IN_RELEASE.includes(phase);
  return {
    observedGeneration: report.generation,
    ...(isFree ? { phase: report.phase ?? '', message: report.message ?? '' } : {}),
    conditions: mergeConditions(status['conditions'], report.findings, now),
    ...(isFree ? stepFields(status, report) : required(status)),
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
