import type { Rollout } from '../../api/generated.ts';
import { type JsonMap, member, stringAt } from '../../json/value.ts';
import { styleOf } from '../../rollout/directives.ts';
import { mapsAt, numberAt } from './fields.ts';

/** The part of the status that a style keeps its progress in (compat §1.5). */
export type SubStatus = 'canaryStatus' | 'blueGreenStatus';

/** What a Rollout's status says of its release. Fields that nobody has written yet are empty or undefined. */
export type RolloutStatus = {
  readonly phase: string;
  readonly message: string;
  /** Reason of the condition `Progressing` (compat §2.2). */
  readonly reason: string;
  readonly subStatus: SubStatus;
  /** Counted from 1; 0 where none has begun. */
  readonly step: number;
  /** `BeforeStepUpgrade` … `Completed` (compat §2.4). */
  readonly state: string;
  readonly stateTime: string | undefined;
  readonly finalisingStep: string;
  /** Values of the label `pod-template-hash`. */
  readonly stableRevision: string;
  readonly podTemplateHash: string;
  /** Hashes of the pod templates (see `src/rewrite/template.ts`). */
  readonly stableTemplate: string | undefined;
  readonly canaryTemplate: string | undefined;
  readonly outcome: string | undefined;
  readonly request: string | undefined;
  readonly weight: number | undefined;
  readonly hasMatches: boolean;
  readonly startTime: string | undefined;
  readonly finishTime: string | undefined;
  readonly networkTime: string | undefined;
  readonly progressTime: string | undefined;
};

/** A Rollout as the API server gives it, in v1beta1: its schema has been checked there. */
export function asRollout(object: JsonMap): Rollout {
  return object as unknown as Rollout;
}

/** Reads a Rollout's status, of Sluice or of OpenKruise, which knows no `release`. */
export function rolloutStatus(object: JsonMap): RolloutStatus {
  const status = member(object, 'status');
  const subStatus = subStatusOf(asRollout(object));
  const [sub, release] = [member(status, subStatus), member(status, 'release')];
  const filled = (value: string | undefined) => (value === '' ? undefined : value);
  return {
    phase: stringAt(status, 'phase') ?? '',
    message: stringAt(status, 'message') ?? '',
    reason: stringAt(conditionOf(object, 'Progressing'), 'reason') ?? '',
    subStatus,
    step: numberAt(sub, 'currentStepIndex') ?? numberAt(status, 'currentStepIndex') ?? 0,
    state: stringAt(sub, 'currentStepState') ?? stringAt(status, 'currentStepState') ?? '',
    stateTime: stringAt(sub, 'lastUpdateTime'),
    finalisingStep: stringAt(sub, 'finalisingStep') ?? '',
    stableRevision: stringAt(sub, 'stableRevision') ?? '',
    podTemplateHash: stringAt(sub, 'podTemplateHash') ?? '',
    stableTemplate: filled(stringAt(release, 'stableTemplate')),
    canaryTemplate: filled(stringAt(release, 'canaryTemplate')),
    outcome: release === undefined ? succeeded(object) : filled(stringAt(release, 'outcome')),
    request: filled(stringAt(release, 'request')),
    weight: numberAt(release, 'weight'),
    hasMatches: member(release, 'hasMatches') === true,
    startTime: stringAt(release, 'startTime'),
    finishTime: stringAt(release, 'finishTime'),
    networkTime: stringAt(release, 'networkTime'),
    progressTime: stringAt(release, 'progressTime'),
  };
}

/** The condition of a type; undefined where there is none. */
export function conditionOf(object: JsonMap, type: string): JsonMap | undefined {
  return mapsAt(object, 'status', 'conditions').find((condition) => condition['type'] === type);
}

/** OpenKruise tells by a condition how the last release ended (compat §2.2). */
function succeeded(object: JsonMap): 'Success' | 'Rollback' | undefined {
  const status = stringAt(conditionOf(object, 'Succeeded'), 'status');
  if (status === undefined || stringAt(object, 'status', 'phase') === 'Progressing') return undefined;
  return status === 'True' ? 'Success' : 'Rollback';
}

function subStatusOf(rollout: Rollout): SubStatus {
  return styleOf(rollout) === 'blueGreen' ? 'blueGreenStatus' : 'canaryStatus';
}
