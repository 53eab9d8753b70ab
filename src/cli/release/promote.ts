import { approval } from './approve.ts';
import { ask } from './ask.ts';
import type { Report } from './report.ts';
import type { Session } from './session.ts';
import { changeStatus, stepOf } from './status-change.ts';

/** Approves the step that a release is at, or asks for all remaining steps without pauses. @throws UsageError */
export function promote(name: string, isFull: boolean, session: Session): Promise<Report> {
  if (isFull) return ask('promote', name, session);
  return changeStatus(session, name, (read) => approval(read, undefined, 'promote'), stepOf);
}
