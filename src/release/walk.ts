import type { WorkloadAction } from '../rewrite/directive.ts';
import { type Amount, resolved } from './replicas.ts';

/** What the user's own strategy allows beside and below `replicas`, in pods. */
export type Room = { readonly surge: number; readonly unavailable: number };

/** Where a workload stands on its walk from the old version to the new one. */
export type Walk = {
  /** What the workload is scaled to; at least 1. */
  readonly replicas: number;
  /** Pods of the new version that are wanted. */
  readonly target: number;
  /** Pods of the new version that are ready. */
  readonly ready: number;
  /** Pods of the old version that are there. */
  readonly old: number;
  readonly room: Room;
  /**
   * Percent of the traffic that the old version gets by weight, now or in a moment; undefined where no weights are set,
   * so that the pods of both versions share it evenly.
   */
  readonly stableShare: number | undefined;
};

/** How many pods of the old version may be missing, and how many of the new one may be there above that. */
export type Bounds = { readonly unavailable: number; readonly surge: number };

/**
 * How far the native controller may go next. With new pods never counting as available it holds `replicas - unavailable`
 * old and `unavailable + surge` new pods (design §5).
 *
 * Old pods go only when ready new ones have taken their place and no traffic needs them any more. New pods come beside
 * them as far as the user's maxSurge allows, and in the place of old ones as far as the user's maxUnavailable does.
 *
 * @returns `isShort` when that is not enough for the target: traffic has to move first.
 */
export function nextBounds({
  replicas,
  target,
  ready,
  old,
  room,
  stableShare,
}: Walk): Bounds & { readonly isShort: boolean } {
  const free = stableShare === undefined ? target : replicas - neededFor(stableShare, replicas);
  const gone = Math.max(0, replicas - old);
  const replaced = Math.max(gone, Math.min(target, free, ready));
  if (replaced >= target) return { unavailable: replaced, surge: 0, isShort: false };
  if (replaced + room.surge >= target) return { unavailable: replaced, surge: target - replaced, isShort: false };
  // Whatever its owner allows, a version that has traffic keeps a pod.
  const most = stableShare === undefined || stableShare === 0 ? replicas : replicas - 1;
  const missing = Math.max(replaced, Math.min(target, free + room.unavailable, ready + room.unavailable, most));
  const surge = Math.min(room.surge, target - missing);
  return { unavailable: missing, surge, isShort: missing + surge < target };
}

/** Pods that a share of the traffic needs, of the size in which `replicas` carry all of it. */
export function neededFor(sharePercent: number, replicas: number): number {
  return Math.ceil((sharePercent * replicas) / 100);
}

/** The largest share that so many pods can carry, in whole percent, with as many missing as the user allows. */
export function carriedBy(ready: number, replicas: number, unavailable = 0): number {
  if (ready <= 0 || replicas <= 0) return 0;
  return Math.min(100, Math.floor((100 * (ready + unavailable)) / replicas));
}

/**
 * The user's `maxSurge` and `maxUnavailable` in pods: surge is rounded up, unavailable down, and one of them is at least
 * 1 (apps/v1 RollingUpdateDeployment; pkg/controller/deployment/util ResolveFenceposts).
 */
export function roomOf(maxSurge: Amount | undefined, maxUnavailable: Amount | undefined, replicas: number): Room {
  const surge = resolved(maxSurge ?? '25%', replicas, 'up');
  const unavailable = Math.min(resolved(maxUnavailable ?? '25%', replicas, 'down'), replicas);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** Above this percentages cannot hit every number of pods. */
const EXACT_PERCENT = 100;

/**
 * Bounds as the fields of a Deployment: percentages, so that scaling keeps them in proportion; the native controller
 * rounds surge up and unavailable down, and gets exactly these numbers back. Both must not be 0 (apps/v1 validation), so
 * a workload that may go nowhere has to be paused.
 */
export function walkFields({ unavailable, surge }: Bounds, replicas: number): NonNullable<WorkloadAction['walk']> {
  const isExact = replicas > 0 && replicas <= EXACT_PERCENT;
  const down = isExact ? `${Math.ceil((100 * unavailable) / replicas)}%` : unavailable;
  const up = isExact ? `${Math.floor((100 * surge) / replicas)}%` : surge;
  const isNothing = unavailable === 0 && surge === 0;
  return { maxSurge: surge === 0 ? 0 : up, maxUnavailable: unavailable > 0 ? down : isNothing ? 1 : 0 };
}
