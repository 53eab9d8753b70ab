import { UsageError } from '../usage-error.ts';
import type { Invocation } from './invocation.ts';
import type { Report } from './report.ts';
import { asRollout } from './rollout-status.ts';
import { type Change, changeStatus, type Read, stepOf, titleOf, whereText } from './status-change.ts';

/**
 * Approves the step that a release waits at.
 * @param wanted the step that is meant; undefined for whichever it is at
 * @throws UsageError when it does not wait for an approval, or at another step
 */
export function approve(name: string, wanted: number | undefined, invocation: Invocation): Promise<Report> {
  return changeStatus(invocation, name, (read) => approval(read, wanted), stepOf);
}

/** The approval of the step that a release is at (compat §2.7), which says of which step it is: pure. @throws UsageError */
export function approval(read: Read, wanted: number | undefined, action: 'approve' | 'promote' = 'approve'): Change {
  const { status, stage, rollout } = read;
  const refuse = (why: string): never => {
    throw new UsageError(`${titleOf(rollout)}: ${why}`);
  };
  if (stage !== 'releasing') refuse(`there is nothing to approve: ${whereText(read)}`);
  const { step, state, subStatus } = status;
  if (wanted !== undefined && wanted !== step) refuse(`step ${wanted} cannot be approved: ${whereText(read)}`);
  if (state === 'StepReady') refuse(`step ${step} is approved already (${state})`);
  if (state !== 'StepPaused') refuse(`step ${step} does not wait for an approval: it is in ${state || 'no state yet'}`);
  const { spec, metadata } = asRollout(rollout);
  const held = spec?.strategy.paused === true ? '; the release goes on once it is resumed' : '';
  return {
    status: { [subStatus]: { currentStepState: 'StepReady' }, release: { approvedStep: step } },
    report: {
      action,
      rollout: { namespace: metadata.namespace ?? '', name: metadata.name ?? '' },
      result: 'done',
      step,
      message: `step ${step} is approved${held}`,
    },
  };
}
