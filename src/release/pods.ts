import type { Style } from '../rewrite/directive.ts';
import { ROOM_FOR_ALL } from '../rewrite/hold.ts';
import { NEVER_AVAILABLE } from '../rewrite/workload.ts';
import type { Observed, ReplicaSet, SetWish, Wish, Workload } from './observed.ts';
import { type Amount, isReached } from './replicas.ts';
import { type Bounds, neededFor, nextBounds, type Room, roomOf, walkFields } from './walk.ts';

/** What pods are told apart by. */
export type Sides = Pick<Observed, 'style' | 'workload' | 'canary'>;

/** The two versions of a workload in a release. */
export type Versions = {
  /** The set of the old version. */
  readonly stable: ReplicaSet | undefined;
  /** The set of the new version: of the workload itself, or of its canary Deployment. */
  readonly canary: ReplicaSet | undefined;
  /** Sets of other versions that still have pods. */
  readonly others: readonly ReplicaSet[];
};

/** How far the pods are, and what to wish for on the way. */
export type PodsReach = {
  readonly wish: Partial<Wish>;
  readonly isReached: boolean;
  readonly waitingFor: string;
  /** The new version cannot get more pods before traffic has moved. */
  readonly isShort: boolean;
};

/**
 * Tells the sets of a workload apart. In the canary style the new version runs in its extra Deployment alone: a set of
 * the same template in the workload is left over from a rollout that was not finished.
 */
export function versionsOf({ style, workload, canary: extra }: Sides, stable: string, canary: string): Versions {
  const sets = workload?.sets ?? [];
  const isNew = ({ template }: ReplicaSet) => style !== 'canary' && template === canary && template !== stable;
  const isOther = (set: ReplicaSet) => set.template !== stable && !isNew(set) && (set.desired > 0 || set.created > 0);
  return {
    stable: sets.find(({ template }) => template === stable),
    canary: style === 'canary' ? extra?.sets.find(({ template }) => template === extra.template) : sets.find(isNew),
    others: sets.filter(isOther),
  };
}

/**
 * The template that a release begins from: `before`, that of the workload before the write that brought `applied`; or,
 * where the native rollout of `before` was not through, the one that served until then. Nobody knows yet whether
 * `before` works, and it may never have all its pods: a release would wait for them for ever.
 *
 * ```
 *  only `before` has pods                                                     before
 *  others have some, too:  one of them is applied again                       that one: it is taken back
 *                          `before` has the pods that its owner asks for      before
 *                          else                                               the one with the most ready pods
 * ```
 *
 * Pods that a release has made are marked on their set, and prove nothing: they were let in step by step.
 */
export function servedBefore(workload: Workload, before: string, applied: string): string {
  const { sets, replicas } = workload;
  const isUnderRelease = ({ podMetadata, floor }: ReplicaSet) => podMetadata !== '' || floor !== '';
  const isServing = (set: ReplicaSet) => set.desired > 0 && set.ready > 0 && !isUnderRelease(set);
  const others = sets.filter((set) => set.template !== before && isServing(set));
  const [most] = others.toSorted((a, b) => b.ready - a.ready);
  if (applied === before || most === undefined) return before;
  if (most.template === applied) return applied;
  const ready = sets.find(({ template }) => template === before)?.ready ?? 0;
  return ready + ownRoom(workload).unavailable >= replicas ? before : most.template;
}

/** The user's own maxSurge and maxUnavailable, in pods. */
export function ownRoom({ own, replicas }: Workload): Room {
  return roomOf(own.maxSurge, own.maxUnavailable, replicas);
}

/** How a step brings the new version to its pods. */
export type WalkOptions = {
  readonly failureThreshold: Amount | undefined;
  /** So many pods more than the user's maxSurge allows may exist, because traffic cannot move any further. */
  readonly beyond: number;
  /** Traffic comes back to the old version, which has to be ready for it first. */
  readonly comesBack: boolean;
};

/**
 * Brings the new version to `target` pods, and takes away the old pods whose place they take.
 *
 * @param stableShare percent of the traffic that the old version needs pods for; undefined where no weights are set.
 */
export function towards(
  target: number,
  stableShare: number | undefined,
  { style, workload, canary: extra }: Sides,
  versions: Versions,
  { failureThreshold, beyond, comesBack }: WalkOptions,
): PodsReach {
  if (workload === undefined) return stays('the workload');
  const { stable, canary } = versions;
  const pods = { created: canary?.created ?? 0, ready: canary?.ready ?? 0 };
  const isThere = isReached(target, pods, failureThreshold);
  const waitingFor = `${target} ready pods of the new version (${pods.ready} of ${pods.created} are ready)`;
  if (style === 'canary') {
    const wanted = Math.max(target, extra?.desired ?? 0);
    const isNeeded = target > 0 || extra !== undefined;
    const wish: Partial<Wish> = isNeeded ? { canaryDeployment: { replicas: wanted } } : {};
    return { wish: { ...wish, workload: { paused: true } }, isReached: isThere, waitingFor, isShort: false };
  }
  const { replicas } = workload;
  const old = stable?.desired ?? 0;
  const needed = stableShare === undefined || style === 'blueGreen' ? 0 : neededFor(stableShare, replicas);
  const room = ownRoom(workload);
  const growing = replenished(stableShare, style, workload, versions);
  if (growing !== undefined) return growing;
  if (comesBack && stable !== undefined && stable.ready < needed - room.unavailable)
    return {
      ...stays(`${needed} ready pods of the old version (${stable.ready} are ready)`),
      wish: { workload: rest(workload, versions) },
    };
  if (target === 0)
    return { wish: { workload: rest(workload, versions) }, isReached: true, waitingFor: '', isShort: false };
  const walk = { replicas, target, ready: pods.ready, old, room, stableShare };
  const next = style === 'blueGreen' ? { unavailable: 0, surge: target, isShort: false } : nextBounds(walk);
  const surge = next.isShort ? Math.min(target - next.unavailable, next.surge + beyond) : next.surge;
  const bounds = { ...next, surge };
  const isWalked = old <= replicas - bounds.unavailable || style === 'blueGreen';
  if (isThere && isWalked && !isMoving(versions)) {
    return { wish: { workload: rest(workload, versions) }, isReached: true, waitingFor: '', isShort: false };
  }
  const isShort = next.isShort && beyond === 0 && pods.ready >= bounds.unavailable + bounds.surge;
  const wish: Partial<Wish> = { workload: { paused: false, walk: walkFields(bounds, replicas) } };
  return { wish, isReached: false, waitingFor: isThere ? 'old pods to go' : waitingFor, isShort };
}

/**
 * Brings the old version back to the pods that it is to have: those that its share of the traffic needs, or all of them
 * beside a second set. The native controller never scales it up by itself, nor at a scale that we have answered before it
 * looked: then its sets have the sum that the bounds at rest ask for. Everything stands still while we do.
 *
 * @param stableShare percent of the traffic that the old version needs pods for; undefined where no weights are set.
 * @returns undefined where it has them.
 */
export function replenished(
  stableShare: number | undefined,
  style: Style,
  workload: Workload,
  versions: Versions,
): PodsReach | undefined {
  const { stable } = versions;
  const { replicas } = workload;
  const shared = stableShare === undefined ? 0 : neededFor(stableShare, replicas);
  const needed = style === 'blueGreen' ? replicas : shared;
  const missing = style === 'blueGreen' ? 0 : ownRoom(workload).unavailable;
  if (style === 'canary' || stable === undefined) return undefined;
  const isShort = stable.desired < needed - missing;
  // Where it has not seen the set grow it would fill the new bounds with pods of the new version. New pods prove that it
  // has: the controller that makes them reads from the same cache (kube-controller-manager's shared informers).
  const isGrowing = isToldToStand(workload) && stable.pods.length < stable.desired;
  if (!isShort && !isGrowing) return undefined;
  // While it may still scale in proportion it would take pods for those that come here.
  const mayGrow = isShort && isToldToStand(workload) && workload.isInEffect && workload.isObserved;
  const sets = mayGrow ? [{ name: stable.name, replicas: needed, scaledFor: replicas }] : [];
  const wish = { workload: { ...rest(workload, versions), still: true as const }, sets };
  return { wish, isReached: false, waitingFor: `${needed} pods of the old version`, isShort: false };
}

/** Whether the native controller is told to leave all sets as they are. */
function isToldToStand({ directive }: Workload): boolean {
  return directive?.action.type === 'workload' && directive.action.still === true;
}

/** The workload as it is to stand at rest: scaling then keeps the versions in proportion (design §5). */
export function rest(
  workload: Workload,
  { stable, canary, others }: Versions,
): { paused: true; walk?: ReturnType<typeof walkFields> } {
  const { replicas, directive } = workload;
  const walk = directive?.action.type === 'workload' ? directive.action.walk : undefined;
  // Its set may be there, and not be seen yet: it must not be without room when the native controller looks.
  if (canary === undefined && walk !== undefined) return { paused: true, walk };
  const old = [stable, ...others].reduce((sum, set) => sum + (set?.desired ?? 0), 0);
  const total = old + (canary?.desired ?? 0);
  const bounds: Bounds = { unavailable: Math.max(0, replicas - old), surge: Math.max(0, total - replicas) };
  return { paused: true, walk: walkFields(bounds, replicas) };
}

/**
 * Brings the old version back to full size; the others go once `mayRemove` says that no traffic needs them, and the old
 * version is ready to take over what came to them by shared Services.
 */
export function backwards(
  { style, workload, canary: extra }: Sides,
  versions: Versions,
  mayRemove: boolean,
): PodsReach {
  if (workload === undefined) return stays('the workload');
  const { stable } = versions;
  const gone = [style === 'canary' ? undefined : versions.canary, ...versions.others].filter(
    (set) => set !== undefined,
  );
  const ready = stable?.ready ?? 0;
  const isServing = [versions.canary, ...versions.others].some((set) => (set?.ready ?? 0) > 0);
  const isAble = ready + ownRoom(workload).unavailable >= workload.replicas || !isServing;
  const waitingFor = isAble
    ? 'the pods of the new version to go'
    : `${workload.replicas} ready pods of the old version (${ready} are ready)`;
  const extraWish: Partial<Wish> = extra !== undefined && mayRemove && isAble ? { canaryDeployment: 'absent' } : {};
  const isReturning = stable !== undefined && workload.template === stable.template;
  const growsNatively = isReturning && style !== 'canary';
  const grown = stable === undefined || growsNatively ? [] : restored(stable, workload);
  const removed = mayRemove && isAble ? gone.filter(({ desired }) => desired > 0) : [];
  // With no set alive the native controller would give all pods to the new version, were its empty set still there.
  const refilled =
    workload.replicas > 0 || growsNatively ? [] : gone.filter(({ desired, created }) => desired + created === 0);
  const isFull = stable !== undefined && stable.desired >= workload.replicas && grown.length + refilled.length === 0;
  const isEmpty = gone.every(({ desired, created }) => desired === 0 && created === 0);
  const isStill = isFull && isEmpty;
  const workloadWish: Wish['workload'] = growsNatively
    ? { paused: false, walk: ROOM_FOR_ALL }
    : { paused: true, still: true, walk: ROOM_FOR_ALL };
  return {
    wish: {
      ...extraWish,
      workload: isStill ? 'keep' : workloadWish,
      sets: [
        ...grown,
        ...removed.map(({ name }): SetWish => ({ name, replicas: 0, floor: '', podMetadata: '' })),
        ...refilled.map(({ name }): SetWish => ({ name, isRemoved: true })),
      ],
    },
    isReached: isStill && extra === undefined,
    waitingFor,
    isShort: false,
  };
}

/**
 * The set of the old version at full size and with the user's own minReadySeconds: a set that was the new one in a release
 * before still has the one under which no pod counts as available, and would be the first to go (attacks F2).
 */
function restored(
  { name, desired, scaledFor, minReadySeconds, template }: ReplicaSet,
  { replicas, own, template: current }: Workload,
): SetWish[] {
  // The native controller keeps the set of the current template at what the Deployment says, and gives it back with it.
  const isOwn = minReadySeconds < NEVER_AVAILABLE || template === current;
  const isSized = desired === replicas && (replicas === 0 || scaledFor === undefined || scaledFor === replicas);
  const wish: SetWish = {
    name,
    ...(isSized ? {} : { replicas, scaledFor: replicas }),
    ...(isOwn ? {} : { minReadySeconds: own.minReadySeconds }),
  };
  return Object.keys(wish).length === 1 ? [] : [wish];
}

/** Sets without the marks of the release: no floors, and nothing for pods that come later. */
export function unmarked(workload: Workload | undefined): SetWish[] {
  const marked = (workload?.sets ?? []).filter(({ floor, podMetadata }) => floor !== '' || podMetadata !== '');
  return marked.map(({ name }): SetWish => ({ name, floor: '', podMetadata: '' }));
}

function isMoving({ stable, canary }: Versions): boolean {
  return [stable, canary].some((set) => set !== undefined && set.created !== set.desired);
}

function stays(waitingFor: string): PodsReach {
  return { wish: {}, isReached: false, waitingFor, isShort: false };
}
