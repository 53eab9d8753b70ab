import { stepsOf } from '../../rollout/directives.ts';
import { UsageError } from '../usage-error.ts';
import { approval } from './approve.ts';
import type { Invocation } from './invocation.ts';
import type { Report } from './report.ts';
import { asRollout } from './rollout-status.ts';
import { type Change, changeStatus, type Read, releaseOf, titleOf, whereText } from './status-change.ts';

/** Goes on with another step than the next one. @throws UsageError when there is no such step, or no release is under way */
export function jump(name: string, target: number, invocation: Invocation): Promise<Report> {
  return changeStatus(invocation, name, (read) => leap(read, target), releaseOf);
}

/** The jump (compat §2.6), pure. The step that comes next anyway is reached by an approval. @throws UsageError */
export function leap(read: Read, target: number): Change {
  const { rollout, status, stage } = read;
  const steps = stepsOf(asRollout(rollout)).length;
  const refuse = (why: string): never => {
    throw new UsageError(`${titleOf(rollout)}: ${why}`);
  };
  if (target > steps) refuse(`there is no step ${target}; the steps are 1 to ${steps}`);
  if (stage !== 'releasing') refuse(`no release is under way: ${whereText(read)}`);
  const { step, state, subStatus } = status;
  if (target === step + 1) {
    if (state !== 'StepPaused') refuse(`step ${target} comes next anyway, when step ${step} is over (${state})`);
    const { report, ...approved } = approval(read, step);
    const message = `step ${step} is approved, and step ${target} comes next`;
    return { ...approved, report: { ...report, action: 'jump', step: target, message } };
  }
  const { name = '', namespace = '' } = asRollout(rollout).metadata;
  return {
    status: { [subStatus]: { nextStepIndex: target } },
    report: {
      action: 'jump',
      rollout: { namespace, name },
      result: 'done',
      step: target,
      message: `goes on with step ${target} of ${steps}${consequence(target, step)}`,
    },
  };
}

function consequence(target: number, step: number): string {
  if (target < step) return '; back moves the traffic only: pods of the new version stay';
  return target === step ? ', which it is at: it is taken once more' : `; what lies between is left out`;
}
