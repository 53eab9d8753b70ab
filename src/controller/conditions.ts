import { equal } from '../json/equal.ts';
import { isList, isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';

/** Aspects of a Rollout that the controller reports, and why they are as they are; the last two are OpenKruise's. */
export const REASONS = {
  Accepted: ['Accepted', 'Invalid', 'WorkloadTaken', 'NamespaceExcluded'],
  ResolvedRefs: [
    ...(['ResolvedRefs', 'WorkloadNotFound', 'ServiceNotFound', 'ObjectNotFound'] as const),
    ...(['KindNotServed', 'KindNotSupported', 'MissingRights', 'Invalid'] as const),
  ],
  ScriptsReady: ['ScriptsReady', 'ScriptNotFound', 'ScriptBroken', 'Invalid'],
  Expressible: ['Expressible', 'StepFails', 'Waiting', 'Invalid'],
  Intercepted: ['Intercepted', 'WebhooksNotCalled'],
  Reconciled: ['Reconciled', 'Retrying'],
  Advancing: ['Advancing', 'DeadlineExceeded'],
  Progressing: ['Initializing', 'InRolling', 'Paused', 'Finalising', 'Cancelling', 'Completed'],
  Succeeded: ['Success', 'Rollback', 'Superseded', 'Failure', 'Abort', 'Disabled', 'Deleted', 'WorkloadGone'],
} as const;

export type ConditionType = keyof typeof REASONS;
export type ConditionReason = (typeof REASONS)[ConditionType][number];

/** What is true of one aspect now. */
export type Finding = {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  /** The cause in one word, for programs. */
  readonly reason: ConditionReason;
  /** The cause in words and what to do, for people. */
  readonly message: string;
};

/**
 * `status.conditions` with the findings in it. Conditions of other types stay as they are and where they are. A time
 * moves only with what it tells of (`lastTransitionTime` with the status, `lastUpdateTime` with any of it), and never
 * backwards, whatever the wall clock does. The very same list when nothing has changed.
 *
 * @param outdated conditions that tell of what is no longer so, and go
 */
export function mergeConditions(
  stored: Json | undefined,
  findings: readonly Finding[],
  now: Date,
  outdated: readonly ConditionType[] = [],
): readonly Json[] {
  const before = isList(stored) ? stored : [];
  const kept = before.filter((entry) => !outdated.some((type) => type === stringAt(entry, 'type')));
  const list = kept.length === before.length ? before : kept;
  const types = new Set(list.map((entry) => stringAt(entry, 'type')));
  const merged = list.map((entry) => {
    const finding = findings.find(({ type }) => type === stringAt(entry, 'type'));
    return finding === undefined || !isMap(entry) ? entry : updated(entry, finding, now);
  });
  const added = findings.filter(({ type }) => !types.has(type)).map((finding) => updated({}, finding, now));
  const isSame = added.length === 0 && isList(stored) && merged.every((entry, i) => entry === list[i]);
  return isSame ? list : [...merged, ...added];
}

/** The condition of a type; undefined where there is none. */
export function conditionOf(conditions: Json | undefined, type: ConditionType): Json | undefined {
  return isList(conditions) ? conditions.find((entry) => stringAt(entry, 'type') === type) : undefined;
}

function updated(before: JsonMap, finding: Finding, now: Date): JsonMap {
  const after = { ...before, ...finding };
  if (equal(before, after)) return before;
  const lastUpdateTime = latest(now, before['lastUpdateTime'], before['lastTransitionTime']);
  const isTransition = before['status'] !== finding.status || before['lastTransitionTime'] === undefined;
  return { ...after, lastUpdateTime, ...(isTransition ? { lastTransitionTime: lastUpdateTime } : {}) };
}

/** The latest of some moments, in whole seconds as the API keeps them. */
function latest(now: Date, ...others: readonly (Json | undefined)[]): string {
  const times = others.map((time) => (typeof time === 'string' ? Date.parse(time) : Number.NaN));
  const known = times.filter((time) => !Number.isNaN(time));
  return `${new Date(Math.max(now.getTime(), ...known)).toISOString().slice(0, 19)}Z`;
}

/** The progress of a release has Events of its own. */
const TOLD_ELSEWHERE: readonly ConditionType[] = ['Progressing', 'Succeeded'];

/** Of which findings people are told by an Event: those that turned bad, got worse in another way, or are good again. */
export function transitions(stored: Json | undefined, findings: readonly Finding[]): Finding[] {
  return findings.filter(({ type, status, reason }) => {
    if (TOLD_ELSEWHERE.includes(type)) return false;
    const before = conditionOf(stored, type);
    const [was, why] = [stringAt(before, 'status'), stringAt(before, 'reason')];
    if (status === 'False') return was !== 'False' || why !== reason;
    return status === 'True' && was === 'False';
  });
}
