import type { Rollout } from '../api/generated.ts';
import { withoutLastApplied } from '../api/last-applied.ts';
import { V1BETA1 } from '../api/names.ts';
import { readRollout, validateRollout } from '../api/rollout.ts';
import { type Violation, violationText } from '../api/violation.ts';
import { equal } from '../json/equal.ts';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { type Reference, referencesOf } from './references.ts';

/** A Rollout as the API server stores it, without what the controller never looks at. */
export type StoredRollout = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdAt: string;
  readonly isDeleting: boolean;
  readonly finalizers: readonly string[];
  readonly annotations: JsonMap;
  readonly spec: Json;
  readonly status: JsonMap;
};

/** What a Rollout asks for: read once for each generation. */
export type RolloutEntry = {
  /** `namespace/name`. */
  readonly key: string;
  readonly stored: StoredRollout;
  /** v1beta1 with defaults; undefined where the schema is broken. */
  readonly rollout: Rollout | undefined;
  /** What is wrong with it, by itself: admission was not called when it was written, or knew less. */
  readonly problems: readonly string[];
  readonly references: readonly Reference[];
};

/** Takes a Rollout (v1beta1) apart as it arrives. */
export function storedRollout(object: JsonMap): StoredRollout {
  const metadata = member(object, 'metadata');
  const status = member(object, 'status');
  const annotations = member(metadata, 'annotations');
  const generation = member(metadata, 'generation');
  return {
    namespace: stringAt(metadata, 'namespace') ?? '',
    name: stringAt(metadata, 'name') ?? '',
    uid: stringAt(metadata, 'uid') ?? '',
    resourceVersion: stringAt(metadata, 'resourceVersion') ?? '',
    generation: typeof generation === 'number' ? generation : 0,
    createdAt: stringAt(metadata, 'creationTimestamp') ?? '',
    isDeleting: stringAt(metadata, 'deletionTimestamp') !== undefined,
    finalizers: finalizersOf(metadata),
    annotations: withoutLastApplied(isMap(annotations) ? annotations : {}),
    spec: member(object, 'spec') ?? {},
    status: isMap(status) ? status : {},
  };
}

function finalizersOf(metadata: Json | undefined): string[] {
  const finalizers = member(metadata, 'finalizers');
  return (isList(finalizers) ? finalizers : []).filter((each) => typeof each === 'string');
}

/** Reads a Rollout; `before` is what was read of it the last time, and is kept where nothing of it has changed. */
export function rolloutEntry(stored: StoredRollout, before?: RolloutEntry): RolloutEntry {
  if (before !== undefined && asksTheSame(before.stored, stored)) return { ...before, stored };
  const { namespace, name, uid, annotations, spec } = stored;
  const object = { apiVersion: V1BETA1, kind: 'Rollout', metadata: { namespace, name, uid, annotations }, spec };
  const read = readRollout(object);
  const rollout = 'rollout' in read ? read.rollout : undefined;
  const violations: readonly Violation[] = 'rollout' in read ? validateRollout(object).violations : read.violations;
  return {
    key: `${namespace}/${name}`,
    stored,
    rollout,
    problems: violations.map(violationText),
    references: rollout === undefined ? [] : referencesOf(rollout),
  };
}

function asksTheSame(a: StoredRollout, b: StoredRollout): boolean {
  return a.uid === b.uid && a.generation === b.generation && equal(a.annotations, b.annotations);
}
