import type { Directive } from '../../rewrite/directive.ts';
import type { RolloutStatus } from './rollout-status.ts';

/**
 * What a Rollout is at, as a whole: `new`: the controller has not taken it in yet; `resting`: there is nothing to release;
 * `held`: a new version is stored and held at admission, and its release has not begun; `releasing`: it goes forward, step by step;
 * `finishing`: all steps are done; `returning`: traffic and pods go back to the old version; `stopped`: they have, and the
 * new version stays stored and held; `disabled`, `deleting`: nothing is released any more.
 */
export type Stage =
  | 'new'
  | 'resting'
  | 'held'
  | 'releasing'
  | 'finishing'
  | 'returning'
  | 'stopped'
  | 'disabled'
  | 'deleting';

/**
 * The stage of a release. A write to the workload changes its directive at once, and the status follows: where the two
 * differ, the directive is right.
 *
 * @param directive the Rollout's directive on its workload; undefined where the workload is not looked at
 */
export function stageOf(status: RolloutStatus, directive: Directive | undefined): Stage {
  switch (status.phase) {
    case 'Terminating':
      return 'deleting';
    case 'Disabling':
    case 'Disabled':
      return 'disabled';
    case 'Progressing':
      return turnOf(status, directive) ?? progressing(status);
    case 'Healthy':
      return turnOf(status, directive) ?? 'resting';
    default:
      return 'new';
  }
}

/** What the status does not tell yet: the workload got another version, or the old one again. */
function turnOf(status: RolloutStatus, directive: Directive | undefined): Stage | undefined {
  if (directive?.action.type !== 'workload') return undefined;
  if (directive.revision === directive.action.stable) return 'returning';
  const isStopped = STAYS_STORED.includes(status.outcome ?? '') && directive.revision === status.canaryTemplate;
  if (status.phase === 'Healthy') return isStopped ? 'stopped' : 'held';
  return status.outcome !== undefined && directive.revision !== status.canaryTemplate ? 'held' : undefined;
}

/** By the reason of the condition `Progressing`; after an abort it is `Paused`, until somebody decides. */
function progressing({ reason, outcome = '' }: RolloutStatus): Stage {
  if (reason === 'Paused' && STAYS_STORED.includes(outcome)) return 'stopped';
  if (reason === 'Cancelling') return 'returning';
  return reason === 'Finalising' || reason === 'Completed' ? 'finishing' : 'releasing';
}

/** Outcomes after which the new version is still what the workload says, though the old one serves. */
export const STAYS_STORED: readonly string[] = ['Abort', 'Failure'];

/** Stages in which a release is under way. */
export function isInRelease(stage: Stage): boolean {
  return ['held', 'releasing', 'finishing', 'returning', 'stopped'].includes(stage);
}
