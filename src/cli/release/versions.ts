import { LABELS } from '../../api/names.ts';
import type { JsonMap } from '../../json/value.ts';
import { member, stringAt } from '../../json/value.ts';
import { type Directive, directiveKey, readDirective } from '../../rewrite/directive.ts';
import { templateHash } from '../../rewrite/template.ts';
import type { RolloutStatus } from './rollout-status.ts';
import { isInRelease, type Stage } from './stage.ts';

/** The versions of a workload between which a release goes, each by the hash of its pod template. */
export type Versions = {
  readonly stable: string | undefined;
  readonly canary: string | undefined;
  /** What OpenKruise knows them by: values of the label `pod-template-hash`. */
  readonly stableRevision: string;
  readonly canaryRevision: string;
};

export type Role = 'stable' | 'canary' | 'other';

/** A Rollout's directive on an object; undefined without one, or for one that this version cannot read. */
export function directiveOn(object: JsonMap | undefined, rollout: string): Directive | undefined {
  const key = directiveKey(rollout);
  const text = stringAt(object, 'metadata', 'annotations', key);
  return text === undefined ? undefined : readDirective(key, text);
}

/**
 * Which versions a release goes between. The workload's directive says it in the very write that began the release; the
 * status follows. Without a release the one version is what the workload's own template says.
 */
export function versionsOf(
  status: RolloutStatus,
  stage: Stage,
  workload: JsonMap | undefined,
  rollout: string,
): Versions {
  if (!isInRelease(stage)) {
    const current = workload === undefined ? undefined : currentTemplate(workload);
    return { stable: current, canary: undefined, stableRevision: '', canaryRevision: '' };
  }
  const directive = directiveOn(workload, rollout);
  const known = directive?.action.type === 'workload' ? directive.action.stable : undefined;
  const { stableTemplate, canaryTemplate, stableRevision, podTemplateHash } = status;
  const stable = known ?? stableTemplate;
  // On the way back the workload says the stable version already: the new one is the one that the status remembers.
  const isForward = known !== undefined && directive !== undefined && directive.revision !== stable;
  const canary = isForward ? directive.revision : canaryTemplate;
  const isStatusCurrent = stageFollows(status, stable, canary);
  return {
    stable,
    canary,
    stableRevision: isStatusCurrent ? stableRevision : '',
    canaryRevision: isStatusCurrent ? podTemplateHash : '',
  };
}

/** Whether what the status says is about this release, not the one before; a status of OpenKruise has no hashes to tell by. */
function stageFollows(status: RolloutStatus, stable: string | undefined, canary: string | undefined): boolean {
  if (status.stableTemplate === undefined) return true;
  return status.stableTemplate === stable && status.canaryTemplate === canary;
}

/** Which version a ReplicaSet runs. */
export function roleOf(replicaSet: JsonMap, versions: Versions): Role {
  const template = templateHash(member(member(replicaSet, 'spec'), 'template'));
  if (template === versions.stable) return 'stable';
  if (template === versions.canary) return 'canary';
  const revision = stringAt(replicaSet, 'metadata', 'labels', LABELS.podTemplateHash) ?? '';
  if (revision === '') return 'other';
  if (revision === versions.stableRevision) return 'stable';
  return revision === versions.canaryRevision ? 'canary' : 'other';
}

/** The hash of a workload's pod template as it is stored. */
export function currentTemplate(workload: JsonMap): string {
  return templateHash(member(member(workload, 'spec'), 'template'));
}
