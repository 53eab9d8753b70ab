import type { Rollout } from '../api/generated.ts';
import { readRollout, validateRollout } from '../api/rollout.ts';
import { groupKind, viewRollout } from '../api/view.ts';
import { type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { directiveKey, encodeDirective } from '../rewrite/directive.ts';
import { armedDirective } from './directives.ts';

/** A workload as Rollouts name it: the version of its API plays no part. */
export type WorkloadName = {
  readonly namespace: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
};

/**
 * The Rollout that releases a workload, when one of these does: of several that name it the oldest, as the controller has
 * it, and of the same second the first in the alphabet. One that is being deleted, or that cannot be read, has no workload.
 * One that is disabled or breaks a rule keeps its workload and releases nothing.
 *
 * @param rollouts as the API server stores them, in either version
 * @returns v1beta1 with defaults
 */
export function releasingRollout(rollouts: readonly Json[], workload: WorkloadName): Rollout | undefined {
  const [oldest] = rollouts.flatMap((rollout) => candidate(rollout, workload) ?? []).sort(byAge);
  if (oldest === undefined || oldest.rollout.spec?.disabled === true) return undefined;
  return validateRollout(oldest.object).violations.length === 0 ? oldest.rollout : undefined;
}

/** The armed directive of a Rollout as a workload carries it at rest: its key and its text. */
export function armedNaming(rollout: Rollout): ReadonlyMap<string, string> {
  return new Map([[directiveKey(rollout.metadata.name ?? ''), encodeDirective(armedDirective(rollout))]]);
}

type Candidate = { readonly object: JsonMap; readonly rollout: Rollout; readonly createdAt: string };

function candidate(stored: Json, workload: WorkloadName): Candidate | undefined {
  const metadata = member(stored, 'metadata');
  const isDeleting = member(metadata, 'deletionTimestamp') !== undefined;
  if (isDeleting || stringAt(metadata, 'namespace') !== workload.namespace || !names(stored, workload))
    return undefined;
  const object = judgedPart(stored);
  const read = readRollout(object);
  if (!('rollout' in read) || !read.rollout.metadata.uid) return undefined;
  return { object, rollout: read.rollout, createdAt: stringAt(metadata, 'creationTimestamp') ?? '' };
}

function names(rollout: Json, { group, kind, name }: WorkloadName): boolean {
  const workload = viewRollout(rollout).workload.value;
  return groupKind(workload) === `${group}/${kind}` && stringAt(workload, 'name') === name;
}

/** Without what the API server has checked by schemas of its own, and without the status, which tells nothing here. */
function judgedPart(rollout: Json): JsonMap {
  const part = (value: Json | undefined, keys: readonly string[]): JsonMap =>
    Object.fromEntries(
      keys.flatMap((key) => {
        const found = member(value, key);
        return found === undefined ? [] : [[key, found] as const];
      }),
    );
  const metadata = part(member(rollout, 'metadata'), ['name', 'namespace', 'uid', 'annotations']);
  return { ...part(rollout, ['apiVersion', 'kind', 'spec']), metadata };
}

function byAge(a: Candidate, b: Candidate): number {
  const age = (each: Candidate) => `${each.createdAt} ${each.rollout.metadata.name}`;
  return age(a) < age(b) ? -1 : 1;
}
