import { LABELS } from '../../api/names.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../../json/value.ts';
import { templateHash } from '../../rewrite/template.ts';
import { imagesOf, numberAt } from './fields.ts';
import { secondsSince } from './time-text.ts';
import { currentTemplate, type Role, roleOf, type Versions } from './versions.ts';
import { ownedBy, revisionOf } from './workload-picture.ts';

/** Where people say why they made a change; the native controller copies it to the ReplicaSet. */
export const CHANGE_CAUSE = 'kubernetes.io/change-cause';

/** A revision of a Deployment: one of its ReplicaSets. */
export type Revision = {
  /** Undefined until the native controller has numbered it. */
  readonly revision?: number;
  /** Hash of its pod template (see `src/rewrite/template.ts`). */
  readonly template: string;
  readonly replicaSet: string;
  readonly images: string;
  readonly role: Role;
  /** `spec.replicas`, and those that are ready. */
  readonly desired: number;
  readonly ready: number;
  readonly changeCause?: string;
  readonly ageSeconds?: number;
};

/** A revision with the pod template to go back to. */
export type Kept = Revision & { readonly podTemplate: Json };

/** The revisions of a Deployment, the newest first; one that has no number yet is the newest. */
export function revisionsOf(
  deployment: JsonMap,
  replicaSets: readonly JsonMap[],
  versions: Versions,
  now: Date,
): Kept[] {
  return ownedBy([deployment], replicaSets)
    .map((replicaSet) => kept(replicaSet, versions, now))
    .sort((a, b) => (b.revision ?? Number.MAX_SAFE_INTEGER) - (a.revision ?? Number.MAX_SAFE_INTEGER));
}

function kept(replicaSet: JsonMap, versions: Versions, now: Date): Kept {
  const template = member(member(replicaSet, 'spec'), 'template') ?? {};
  const revision = revisionOf(replicaSet);
  const changeCause = stringAt(replicaSet, 'metadata', 'annotations', CHANGE_CAUSE);
  const ageSeconds = secondsSince(stringAt(replicaSet, 'metadata', 'creationTimestamp'), now);
  return {
    ...(revision === undefined ? {} : { revision }),
    template: templateHash(template),
    replicaSet: stringAt(replicaSet, 'metadata', 'name') ?? '',
    images: imagesOf(template),
    role: roleOf(replicaSet, versions),
    desired: numberAt(replicaSet, 'spec', 'replicas') ?? 1,
    ready: numberAt(replicaSet, 'status', 'readyReplicas') ?? 0,
    ...(changeCause === undefined ? {} : { changeCause }),
    ...(ageSeconds === undefined ? {} : { ageSeconds }),
    podTemplate: userTemplate(template),
  };
}

/** The template as somebody would write it: the native controller adds a label to those of ReplicaSets. */
function userTemplate(template: Json): Json {
  const metadata = member(template, 'metadata');
  const labels = member(metadata, 'labels');
  if (!isMap(template) || !isMap(metadata) || !isMap(labels)) return template;
  const { [LABELS.podTemplateHash]: _, ...own } = labels;
  return { ...template, metadata: { ...metadata, labels: own } };
}

/**
 * The revision that undo goes back to: the one that is named; in a release the old version; else the newest that is not
 * what the Deployment says now. A text says why there is none.
 */
export function undoTarget(
  revisions: readonly Kept[],
  deployment: JsonMap,
  isInRelease: boolean,
  wanted: number | undefined,
): Kept | string {
  if (wanted !== undefined) {
    const numbers = revisions.flatMap(({ revision }) => revision ?? []);
    const list = numbers.length === 0 ? 'there are none' : `there are ${numbers.toReversed().join(', ')}`;
    return revisions.find(({ revision }) => revision === wanted) ?? `there is no revision ${wanted}; ${list}`;
  }
  if (isInRelease) {
    const stable = revisions.find(({ role }) => role === 'stable');
    return (
      stable ?? 'the ReplicaSet of the old version is gone: apply its manifest, or name a revision by --to-revision'
    );
  }
  const current = currentTemplate(deployment);
  return (
    revisions.find(({ template }) => template !== current) ??
    'there is no earlier revision (see spec.revisionHistoryLimit)'
  );
}
