import type { CanaryStep } from '../api/generated.ts';
import { messageOf } from './message.ts';
import type { Place } from './network.ts';
import type { Observed, SetWish, Wish } from './observed.ts';
import { bearers } from './pod-metadata.ts';
import { type Versions, versionsOf } from './pods.ts';
import { progressed } from './progress.ts';
import type { ReleaseRecord } from './record.ts';
import { stepReplicas } from './replicas.ts';
import { type ReleaseSettings, settingsOf } from './settings.ts';

/** Something that people are told of. */
export type ReleaseEvent = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly note: string };

/** Everything that a state of the machine decides by. */
export type Look = {
  readonly observed: Observed;
  readonly record: ReleaseRecord;
  readonly settings: ReleaseSettings;
  readonly versions: Versions;
  readonly step: CanaryStep | undefined;
  /** Pods of the new version that a step (1-based) asks for. */
  readonly target: (step: number) => number;
  readonly place: Place;
  readonly now: number;
  /** Whether nothing has moved for longer than the deadline. */
  readonly isStalled: boolean;
};

/** What a state decides: to go to another one, or to stay and wish. */
export type Decision =
  | { readonly kind: 'go'; readonly change: Partial<ReleaseRecord>; readonly event: ReleaseEvent | undefined }
  | {
      readonly kind: 'stay';
      readonly record: ReleaseRecord;
      readonly wish: Partial<Wish>;
      readonly message: string;
      /** Milliseconds. */
      readonly after: number | undefined;
      /** It waits for people or for a time that was set, so that no deadline runs. */
      readonly isExpected: boolean;
      readonly isBlocked: boolean;
    };

export function go(change: Partial<ReleaseRecord>, event?: ReleaseEvent): Decision {
  return { kind: 'go', change, event };
}

/** What is known of why a state waits. */
export type Wait = {
  readonly waitingFor: string;
  readonly after?: number | undefined;
  readonly isExpected?: boolean;
  /** Somebody has to change something before the release can begin. */
  readonly isBlocked?: boolean;
  readonly settled?: Partial<ReleaseRecord> | undefined;
};

export function lookAt(observed: Observed, before: ReleaseRecord, now: number): Look {
  const settings = settingsOf(observed.rollout, observed.routing);
  const { workload, style } = observed;
  const versions = versionsOf(observed, before.stable, before.canary);
  const record = counted(before, observed, versions, now);
  const steps = settings.steps;
  const place: Place = { observed, versions, record, now, settings };
  return {
    observed,
    record,
    settings,
    versions,
    step: steps[record.step - 1],
    target: (step) => stepReplicas(steps[step - 1]?.replicas ?? '100%', workload?.replicas ?? 0, style),
    place,
    now,
    isStalled: now - record.progressTime >= settings.deadlineMilliseconds,
  };
}

/** The record with what is counted: pods, revisions, and when anything of it last moved. */
function counted(
  record: ReleaseRecord,
  { workload, gateways, destinations, services }: Observed,
  versions: Versions,
  now: number,
): ReleaseRecord {
  const { stable, canary, others } = versions;
  const pods = { created: canary?.created ?? 0, ready: canary?.ready ?? 0 };
  const facts = [
    String(workload?.replicas ?? 0),
    ...[...gateways, ...destinations].map(({ traffic }) =>
      typeof traffic === 'string' ? traffic : `${traffic.step}:${traffic.weight ?? ''}`,
    ),
    ...services.map(({ pin, canary: service }) => `${pin ?? ''}:${service?.revision ?? ''}`),
  ].join(' ');
  const numbers = [
    ...[stable, canary].flatMap((set) => [set?.created ?? 0, set?.ready ?? 0]),
    others.reduce((sum, { created }) => sum + created, 0),
    // Labels that gateways tell pods apart by.
    canary === undefined ? 0 : bearers(canary).length,
    ...services.map(({ canary: service }) => service?.endpoints.size ?? 0),
  ];
  const moving = progressed(record.progress, facts, numbers);
  const isMoving = moving !== record.progress;
  return {
    ...record,
    pods,
    stableRevision: stable?.podTemplateHash ?? record.stableRevision,
    podTemplateHash: canary?.podTemplateHash ?? (canary === undefined ? '' : record.podTemplateHash),
    workloadGeneration: workload?.generation ?? record.workloadGeneration,
    progress: moving,
    progressTime: isMoving ? now : record.progressTime,
  };
}

/** Stays in the state, and says why. */
export function stay(
  look: Look,
  wish: Partial<Wish>,
  { waitingFor, after, isExpected = false, isBlocked = false, settled }: Wait,
): Decision {
  const { settings, now } = look;
  const record = { ...look.record, ...settled };
  const left = record.progressTime + settings.deadlineMilliseconds - now;
  const deadline = isExpected || left <= 0 ? undefined : left;
  const times = [after, deadline].filter((time) => time !== undefined);
  return {
    kind: 'stay',
    record,
    wish,
    message: messageOf({ record: look.record, steps: settings.steps.length, waitingFor, isBlocked }),
    after: times.length === 0 ? undefined : Math.max(0, Math.min(...times)),
    isExpected,
    isBlocked,
  };
}

/** Two wishes as one; of a set both may wish for something. */
export function merged(first: Partial<Wish> = {}, second: Partial<Wish> = {}): Partial<Wish> {
  const sets = new Map<string, SetWish>();
  for (const wish of [...(first.sets ?? []), ...(second.sets ?? [])])
    sets.set(wish.name, { ...sets.get(wish.name), ...wish });
  return { ...first, ...second, sets: [...sets.values()] };
}
