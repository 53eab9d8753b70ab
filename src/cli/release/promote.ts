import { approval } from './approve.ts';
import { ask } from './ask.ts';
import type { Invocation } from './invocation.ts';
import type { Report } from './report.ts';
import { changeStatus, stepOf } from './status-change.ts';

/** Approves the step that a release is at, or asks for all remaining steps without pauses. @throws UsageError */
export function promote(name: string, isFull: boolean, invocation: Invocation): Promise<Report> {
  if (isFull) return ask('promote', name, invocation);
  return changeStatus(invocation, name, (read) => approval(read, undefined, 'promote'), stepOf);
}
