import { UsageError } from '../usage-error.ts';
import type { Invocation } from './invocation.ts';
import type { Report } from './report.ts';
import { asRollout } from './rollout-status.ts';
import { STAYS_STORED } from './stage.ts';
import { type Change, changeStatus, type Read, releaseOf, titleOf, whereText } from './status-change.ts';

/** What can be asked of the controller by `status.release.request`. */
export type Wish = 'promote' | 'abort' | 'retry';

const MESSAGES: Readonly<Record<Wish, string>> = {
  promote: 'all remaining steps are taken without pauses',
  abort: 'traffic and pods go back to the old version; the new one stays stored and held, for retry or undo',
  retry: 'the stored version is released again, from step 1',
};

/** Asks something of the controller. @throws UsageError when the release is not where that means anything */
export function ask(wish: Wish, name: string, invocation: Invocation): Promise<Report> {
  return changeStatus(invocation, name, (read) => request(read, wish), releaseOf);
}

/** Pure. @throws UsageError */
export function request(read: Read, wish: Wish): Change {
  const { rollout, status } = read;
  const problem = problemOf(read, wish);
  if (problem !== undefined) throw new UsageError(`${titleOf(rollout)}: ${problem}`);
  const { name = '', namespace = '' } = asRollout(rollout).metadata;
  const base = { action: wish, rollout: { namespace, name }, step: status.step };
  if (status.request === wish) {
    return { report: { ...base, result: 'unchanged', message: `${wish} has been asked for already` } };
  }
  return { status: { release: { request: wish } }, report: { ...base, result: 'done', message: MESSAGES[wish] } };
}

function problemOf(read: Read, wish: Wish): string | undefined {
  const { stage, status } = read;
  if (wish === 'retry') {
    return STAYS_STORED.includes(status.outcome ?? '')
      ? undefined
      : `there is nothing to retry, since no release was aborted or has failed: ${whereText(read)}`;
  }
  if (stage === 'releasing') return undefined;
  if (stage === 'finishing') return 'all steps are done, and the release is being finished; to go back, use undo';
  if (stage === 'stopped') return `it has gone back to the old version already (${status.outcome}); see retry and undo`;
  if (stage === 'returning') return `it goes back to the old version already (${status.outcome ?? status.reason})`;
  const hint = wish === 'abort' ? '; a version that is held and not released yet is taken back by undo' : '';
  return `no release is under way: ${whereText(read)}${hint}`;
}
