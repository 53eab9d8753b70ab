import { equal } from '../json/equal.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import type { Style } from '../rewrite/directive.ts';
import { isLabelValue } from '../rollout/pod-metadata.ts';

/** Where a release stands within its step (compat §2.4). */
export const STEP_STATES = [
  ...(['BeforeStepUpgrade', 'StepUpgrade', 'StepTrafficRouting', 'StepMetricsAnalysis'] as const),
  ...(['StepPaused', 'StepReady', 'Completed'] as const),
] as const;
export type StepState = (typeof STEP_STATES)[number];

/** Reasons of the condition `Progressing` (compat §2.2). */
export const REASONS = ['Initializing', 'InRolling', 'Paused', 'Finalising', 'Cancelling', 'Completed'] as const;
export type Reason = (typeof REASONS)[number];

/** Parts of the closing sequences (compat §2.8). */
export const FINALISING_STEPS = [
  ...(['FinalisingStepRouteTrafficToNew', 'RestoreStableService', 'FinalisingStepRouteTrafficToStable'] as const),
  ...(['RemoveCanaryService', 'ResumeWorkload', 'ReleaseWorkloadControl', 'END'] as const),
] as const;
export type FinalisingStep = (typeof FINALISING_STEPS)[number];

/** How a release ends; `undefined` in a record while it goes forward. */
export const OUTCOMES = [
  ...(['Success', 'Rollback', 'Superseded', 'Failure', 'Abort', 'Disabled', 'Deleted', 'WorkloadGone'] as const),
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What somebody asks of a running release. */
export const REQUESTS = ['promote', 'abort', 'retry'] as const;
export type Request = (typeof REQUESTS)[number];

/**
 * What is remembered of a release between two looks at it: all of it stands in the Rollout's status, so that any leader
 * goes on where another one stopped. Times are milliseconds since 1970.
 */
export type ReleaseRecord = {
  readonly reason: Reason;
  /** Counted from 1. */
  readonly step: number;
  /** The step that comes next; -1 after the last. Written by users to jump. */
  readonly next: number;
  readonly state: StepState;
  readonly finalising: FinalisingStep | undefined;
  readonly rolloutId: string;
  readonly planHash: string;
  /** Value of the label `pod-template-hash` of the old and of the new version; empty while unknown. */
  readonly stableRevision: string;
  readonly podTemplateHash: string;
  /** Hashes of the pod templates (see `src/rewrite/template.ts`). */
  readonly stable: string;
  readonly canary: string;
  readonly pods: { readonly created: number; readonly ready: number };
  readonly workloadGeneration: number;
  /** When `state` last changed. */
  readonly stateTime: number;
  /** When the step began. */
  readonly stepTime: number;
  readonly startTime: number;
  readonly finishTime: number | undefined;
  readonly outcome: Outcome | undefined;
  readonly request: Request | undefined;
  /** What the new version gets of the traffic now. */
  readonly traffic: Traffic;
  /** What Services and gateway objects are to be, and since when they are. */
  readonly network: string;
  readonly networkTime: number | undefined;
  /** How far the pods are, and since when. */
  readonly progress: string;
  readonly progressTime: number;
};

/** Traffic by weight (percent; undefined without) and whether matched requests go to the new version. */
export type Traffic = { readonly weight: number | undefined; readonly hasMatches: boolean };

export const NO_TRAFFIC: Traffic = { weight: undefined, hasMatches: false };

/** Reads the record of a release from the status of a Rollout (v1beta1); undefined where none has been written. */
export function readRecord(status: JsonMap, style: Style): ReleaseRecord | undefined {
  const sub = member(status, subStatusKey(style));
  const release = member(status, 'release');
  if (!isMap(sub) || !isMap(release) || stringAt(release, 'startTime') === undefined) return undefined;
  const version = style === 'blueGreen' ? 'updated' : 'canary';
  const startTime = timeOf(release['startTime']) ?? 0;
  const weight = release['weight'];
  return {
    reason: oneOf(REASONS, stringAt(progressing(status), 'reason')) ?? 'Completed',
    step: numberOf(sub['currentStepIndex']) ?? 1,
    next: numberOf(sub['nextStepIndex']) ?? -1,
    state: oneOf(STEP_STATES, sub['currentStepState']) ?? 'Completed',
    finalising: oneOf(FINALISING_STEPS, sub['finalisingStep']),
    rolloutId: stringAt(sub, 'observedRolloutID') ?? '',
    planHash: stringAt(sub, 'rolloutHash') ?? '',
    stableRevision: stringAt(sub, 'stableRevision') ?? '',
    podTemplateHash: stringAt(sub, 'podTemplateHash') ?? '',
    stable: stringAt(release, 'stableTemplate') ?? '',
    canary: stringAt(release, 'canaryTemplate') ?? '',
    pods: {
      created: numberOf(sub[`${version}Replicas`]) ?? 0,
      ready: numberOf(sub[`${version}ReadyReplicas`]) ?? 0,
    },
    workloadGeneration: numberOf(sub['observedWorkloadGeneration']) ?? 0,
    stateTime: timeOf(sub['lastUpdateTime']) ?? startTime,
    stepTime: timeOf(release['stepTime']) ?? startTime,
    startTime,
    finishTime: timeOf(release['finishTime']),
    outcome: oneOf(OUTCOMES, release['outcome']),
    request: oneOf(REQUESTS, release['request']),
    traffic: { weight: numberOf(weight), hasMatches: release['hasMatches'] === true },
    network: stringAt(release, 'network') ?? '',
    networkTime: timeOf(release['networkTime']),
    progress: stringAt(release, 'progress') ?? '',
    progressTime: timeOf(release['progressTime']) ?? startTime,
  };
}

/** The record as fields of a Rollout's status (v1beta1). */
export function writtenRecord(record: ReleaseRecord, style: Style, message: string): JsonMap {
  const { traffic, request, outcome } = record;
  return {
    ...writtenStep(record, style, { message, lastUpdateTime: timeText(record.stateTime) }),
    release: {
      stableTemplate: record.stable,
      canaryTemplate: record.canary,
      startTime: timeText(record.startTime),
      stepTime: timeText(record.stepTime),
      ...(record.finishTime === undefined ? {} : { finishTime: timeText(record.finishTime) }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(request === undefined ? {} : { request }),
      ...(traffic.weight === undefined ? {} : { weight: traffic.weight }),
      ...(traffic.hasMatches ? { hasMatches: true } : {}),
      network: record.network,
      ...(record.networkTime === undefined ? {} : { networkTime: timeText(record.networkTime) }),
      progress: record.progress,
      progressTime: timeText(record.progressTime),
    },
  };
}

/** The part of a record that clients of OpenKruise know. */
export type StepRecord = Pick<
  ReleaseRecord,
  'step' | 'next' | 'state' | 'finalising' | 'planHash' | 'canary' | 'pods'
> &
  Pick<ReleaseRecord, 'workloadGeneration' | 'rolloutId' | 'stableRevision' | 'podTemplateHash'>;

/** The step and the sub-status, with what else is told in it, as fields of a Rollout's status (v1beta1). */
export function writtenStep(record: StepRecord, style: Style, told: JsonMap): JsonMap {
  const version = style === 'blueGreen' ? 'updated' : 'canary';
  return {
    currentStepIndex: record.step,
    currentStepState: record.state,
    [subStatusKey(style)]: {
      observedWorkloadGeneration: record.workloadGeneration,
      observedRolloutID: record.rolloutId,
      rolloutHash: record.planHash,
      stableRevision: record.stableRevision,
      podTemplateHash: record.podTemplateHash,
      currentStepIndex: record.step,
      nextStepIndex: record.next,
      finalisingStep: record.finalising ?? '',
      currentStepState: record.state,
      ...told,
      [`${version}Revision`]: record.canary,
      [`${version}Replicas`]: record.pods.created,
      [`${version}ReadyReplicas`]: record.pods.ready,
    },
  };
}

/** The id by which clients know a version: what its workload says, where that can be a label, else the hash of its template. */
export function rolloutIdOf(said: string, template: string): string {
  return said !== '' && isLabelValue(said) ? said : template;
}

/** Whether two records differ in nothing but how many pods there are. */
export function isSameButCounts(a: ReleaseRecord, b: ReleaseRecord): boolean {
  const counts = { pods: a.pods, progress: a.progress, progressTime: a.progressTime };
  return equal(
    { ...a, ...counts } as unknown as Json,
    { ...b, ...counts, workloadGeneration: a.workloadGeneration } as unknown as Json,
  );
}

/** The field of the status that holds the progress of a style. */
export function subStatusKey(style: Style): 'canaryStatus' | 'blueGreenStatus' {
  return style === 'blueGreen' ? 'blueGreenStatus' : 'canaryStatus';
}

function progressing(status: JsonMap): Json | undefined {
  const conditions = status['conditions'];
  return Array.isArray(conditions)
    ? (conditions as readonly Json[]).find((each) => stringAt(each, 'type') === 'Progressing')
    : undefined;
}

/** Texts that this version does not know, written by another one, count as none. */
function oneOf<T extends string>(known: readonly T[], text: Json | undefined): T | undefined {
  return known.find((each) => each === text);
}

function numberOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function timeOf(value: Json | undefined): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** RFC 3339 with milliseconds: a grace period of a second must not lose half of it. */
export function timeText(time: number): string {
  return new Date(time).toISOString();
}
