import type { Picture } from './picture.ts';

/**
 * What `status --wait` waits for: `running`: it goes on; `succeeded`: the new version serves, or there was nothing to
 * release; `wentBack`: the release has ended otherwise, and the old version serves.
 */
export type Verdict = 'running' | 'succeeded' | 'wentBack';

/**
 * @param wasRunning whether the release has been seen under way. How an earlier one ended counts only while the workload
 *   still says that version (stage `stopped`): a pipeline that changes nothing does not fail over last week's rollback.
 */
export function verdictOf(picture: Picture, wasRunning: boolean): Verdict {
  const { stage, outcome } = picture.rollout;
  switch (stage) {
    case 'stopped':
      return 'wentBack';
    case 'resting':
    case 'disabled':
      return wasRunning && outcome !== undefined && outcome !== 'Success' ? 'wentBack' : 'succeeded';
    case 'new': // its workload may have been deleted in the middle of a release
      return wasRunning && outcome !== undefined ? 'wentBack' : 'running';
    case 'held':
    case 'releasing':
    case 'finishing':
    case 'returning':
    case 'deleting':
      return 'running';
  }
}

/** Whether a release is under way, so that its end will count. */
export function isUnderWay({ rollout: { stage } }: Picture): boolean {
  return ['held', 'releasing', 'finishing', 'returning'].includes(stage);
}
