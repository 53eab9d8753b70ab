import { isMap, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { readRecord } from '../../../src/release/record.ts';
import type { Change } from '../release/history.ts';

/**
 * Where a release stands, as the status says: `StepUpgrade 3` in a step, else outcome, reason and part of the closing
 * sequence: `Success Finalising ResumeWorkload`, `Abort Paused`, `Rollback Completed`; the phase where none has begun yet.
 */
export function placeOf(status: JsonMap): string {
  const record = readRecord(status, isMap(status['blueGreenStatus']) ? 'blueGreen' : 'partition');
  if (record === undefined) return stringAt(status, 'phase') ?? '';
  const { reason, state, step, outcome, finalising } = record;
  if (reason === 'InRolling') return `${state} ${step}`;
  return [outcome, reason, reason === 'Completed' ? undefined : finalising]
    .filter((word) => word !== undefined)
    .join(' ');
}

/** The status of the Rollout `web` after these changes. */
export function statusIn(changes: readonly Change[]): JsonMap {
  const last = changes.findLast(({ kind, name }) => kind === 'Rollout' && name === 'web');
  return statusOf(last?.object);
}

function statusOf(object: JsonMap | undefined): JsonMap {
  const status = object?.['status'];
  return isMap(status) ? status : {};
}

/**
 * The writes that gave the Deployment `web` another version, and where its release stood at each of them: `v1 in
 * StepUpgrade 3`. Both are ordered by the store, so that it is certain which state the write came in.
 */
export function turns(changes: readonly Change[]): string[] {
  let place = '';
  let version: string | undefined;
  const found: string[] = [];
  for (const { kind, name, object } of changes) {
    if (name !== 'web' || object === undefined) continue;
    if (kind === 'Rollout') place = placeOf(statusOf(object));
    if (kind !== 'Deployment') continue;
    const next = stringAt(object['spec'], 'template', 'metadata', 'labels', 'version');
    if (version !== undefined && next !== version) found.push(`${next} in ${place}`);
    version = next;
  }
  return found;
}
