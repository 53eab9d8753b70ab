import { RELEASE_EXIT } from './exit.ts';
import type { Picture } from './picture.ts';
import { timeText } from './time-text.ts';
import { stepText } from './words.ts';

/**
 * How following a release has ended: `succeeded` and `wentBack` as in `Verdict`, `gone`: the Rollout was deleted,
 * `timeout`: the time is over, `interrupted`: by a signal.
 */
export type End = 'succeeded' | 'wentBack' | 'gone' | 'timeout' | 'interrupted';

export type Conclusion = { readonly code: number; readonly text: string };

/**
 * What `status --wait` says and exits with at its end.
 *
 * @param picture the last one; undefined where there was none
 * @param wasRunning whether a release has been seen under way
 * @param programName what stands before commands: `kubectl sluice`
 */
export function conclusionOf(
  end: End,
  picture: Picture | undefined,
  { wasRunning, timeout, programName }: { wasRunning: boolean; timeout: number; programName: string },
): Conclusion {
  switch (end) {
    case 'succeeded':
      return { code: RELEASE_EXIT.done, text: wasRunning ? 'released' : 'there is nothing to release' };
    case 'wentBack':
      return { code: RELEASE_EXIT.wentBack, text: `the release has ended with ${picture?.rollout.outcome}` };
    case 'gone':
      return { code: RELEASE_EXIT.wentBack, text: 'it has been deleted' };
    case 'interrupted':
      return { code: RELEASE_EXIT.interrupted, text: 'interrupted before its end' };
    case 'timeout':
      return late(`not at its end after ${timeText(timeout)}`, picture, programName);
  }
}

function late(after: string, picture: Picture | undefined, programName: string): Conclusion {
  if (picture === undefined) return { code: RELEASE_EXIT.timeout, text: `${after}: the cluster could not be watched` };
  const { rollout, steps, waits } = picture;
  const approval = waits.find((wait) => wait.for === 'approval');
  const wait = approval ?? waits[0];
  const [command] = wait?.commands ?? [];
  const text = [
    `${after}, ${stepText(rollout, steps.length) || rollout.phase || 'not taken in yet'}`,
    ...(wait === undefined ? [] : [wait.text]),
    ...(command === undefined ? [] : [`${programName} ${command}`]),
  ].join(': ');
  return { code: approval === undefined ? RELEASE_EXIT.timeout : RELEASE_EXIT.approval, text };
}
