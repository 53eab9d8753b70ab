import type { OnDelete } from '../api/names.ts';
import { isOpen, servingBy } from './network.ts';
import type { Observed, PodWish, SetWish, WorkloadWish } from './observed.ts';
import { bearers, givenBack as reverted } from './pod-metadata.ts';
import { backwards, ownRoom, unmarked, type Versions, versionsOf } from './pods.ts';

/** What is left of a release whose Rollout is gone. Everything that has to be known stands on the objects themselves. */
export type Abandoned = {
  /** `workload`, `canary`, and `services` as far as they are pinned or have a canary Service. */
  readonly observed: Pick<Observed, 'style' | 'workload' | 'canary' | 'services'>;
  /** Of the workload's directive; undefined where it carries none: it is its owner's again, or gone. */
  readonly held:
    | {
        readonly stable: string;
        readonly revision: string;
        /**
         * `again`: a Rollout of that name is there again, begins a release, and does not name all of what is left: the
         * `canary`, the pins and destinations here are then only those that it does not name.
         */
        readonly onDelete: OnDelete | 'again';
      }
    | undefined;
  /** Gateway objects that still carry a directive and lead traffic somewhere, and canary Ingresses. */
  readonly steered: number;
  /** Since when nothing leads to the new version, in milliseconds; undefined while something does. */
  readonly quietSince: number | undefined;
};

/** What to do next, and how far it is. */
export type AbandonedPlan = {
  /** `given back`: nothing holds it any more, and it is its owner's again. */
  readonly workload: WorkloadWish | 'given back' | 'keep';
  readonly sets: readonly SetWish[];
  readonly canaryDeployment: 'absent' | 'keep';
  readonly traffic: 'none' | 'keep';
  readonly pins: 'none' | 'keep';
  /** Canary Services, and what defines other destinations. */
  readonly destinations: 'absent' | 'keep';
  readonly pods: readonly PodWish[];
  /** `held`: it stays so until somebody decides; `over`: nothing is left. */
  readonly state: 'goes on' | 'held' | 'over';
  readonly after: number | undefined;
};

/** A Rollout that is gone can no longer say how long proxies use what they knew. */
const GRACE_MILLISECONDS = 3_000;

const NOTHING: AbandonedPlan = {
  workload: 'keep',
  sets: [],
  canaryDeployment: 'keep',
  traffic: 'keep',
  pins: 'keep',
  destinations: 'keep',
  pods: [],
  state: 'goes on',
  after: undefined,
};

/**
 * What becomes of a release whose Rollout was deleted in the middle (annotation `sluice.dev/on-delete`, kept in the
 * workload's directive; annotation `sluice.dev/resume` of the workload for `complete` of that version): pure.
 *
 * ```
 *  hold      old version grows ─► traffic ─► grace ─► destinations go ─► held: the workload waits for its owner
 *  rollback  …                                                         ─► new pods go ─► Services open ─► held
 *  the old template is applied …                                       ─► new pods go ─► Services open ─► given back
 *  complete  Services open ─► endpoints ─► traffic ─► grace ─► destinations go ─► given back: native rollout
 *  again     old version grows ─► traffic ─► grace ─► destinations go ─► extra Deployment goes ─► Services open
 * ```
 */
export function planAbandoned(left: Abandoned, now: number): AbandonedPlan {
  const { observed, held, steered, quietSince } = left;
  const { workload } = observed;
  if (workload === undefined || held === undefined) return unheld(left, now);
  const { stable, revision, onDelete } = held;
  const versions = versionsOf(observed, stable, revision);
  const isBack = revision === stable;
  if (onDelete === 'complete' && !isBack) return completed(left, versions, now);
  // Which version served before nobody can say: it is left to its owner.
  if (versions.stable === undefined) return { ...NOTHING, state: 'held' };
  const isAble = servingBy(versions.stable, observed) + ownRoom(workload).unavailable >= workload.replicas;
  const others = [versions.canary, ...versions.others].reduce((sum, set) => sum + (set?.ready ?? 0), 0);
  const grown = backwards(observed, versions, false);
  if (!isAble && others > 0) return { ...NOTHING, ...pods(grown) };
  if (steered > 0) return { ...NOTHING, traffic: 'none' };
  const wait = graceLeft(quietSince, now);
  if (wait > 0) return { ...NOTHING, after: wait };
  const destinations = 'absent';
  if (onDelete === 'again') {
    // Pods that are about to go get no traffic by Services that open.
    return {
      ...NOTHING,
      destinations,
      ...(observed.canary === undefined ? { pins: 'none' } : { canaryDeployment: 'absent' }),
    };
  }
  if (onDelete === 'hold' && !isBack) return { ...NOTHING, ...pods(grown), destinations, state: 'held' };
  const back = backwards(observed, versions, true);
  if (!back.isReached) return { ...NOTHING, ...pods(back), destinations };
  if (isPinned(left)) return { ...NOTHING, destinations, pins: 'none' };
  if (!isBack) return { ...NOTHING, destinations, state: 'held' };
  return { ...NOTHING, destinations, ...givenBack(left) };
}

function completed(left: Abandoned, versions: Versions, now: number): AbandonedPlan {
  const { observed, steered, quietSince } = left;
  if (isPinned(left)) return { ...NOTHING, pins: 'none' };
  if (steered > 0) {
    const isAllOpen = observed.services.every((pair) => isOpen(pair, versions));
    // Where labels tell the versions apart, half of the new pods have to be on the side that gets everything.
    return isAllOpen ? { ...NOTHING, traffic: 'none', pods: relabelled(left, 'half') } : NOTHING;
  }
  const wait = graceLeft(quietSince, now);
  if (wait > 0) return { ...NOTHING, after: wait };
  return { ...NOTHING, destinations: 'absent', canaryDeployment: 'absent', ...givenBack(left) };
}

/** The workload needs nothing of us any more: what else is left of the release only has to go, traffic first. */
function unheld(left: Abandoned, now: number): AbandonedPlan {
  if (left.steered > 0) return { ...NOTHING, traffic: 'none' };
  const wait = graceLeft(left.quietSince, now);
  if (wait > 0) return { ...NOTHING, after: wait };
  if (isPinned(left)) return { ...NOTHING, pins: 'none' };
  const [sets, pods] = [unmarked(left.observed.workload), relabelled(left, 'all')];
  if (pods.length > 0) return { ...NOTHING, pods };
  return { ...NOTHING, sets, destinations: 'absent', canaryDeployment: 'absent', state: 'over' };
}

/** Floors would keep the native controller from what it has to do. */
function givenBack(left: Abandoned): Partial<AbandonedPlan> {
  const pods = relabelled(left, 'all');
  if (pods.length > 0) return { pods };
  const sets = unmarked(left.observed.workload);
  return sets.length > 0 ? { sets } : { workload: 'given back', state: 'over' };
}

/** What living pods get back of what the release gave them. */
function relabelled({ observed }: Abandoned, how: 'half' | 'all'): PodWish[] {
  return (observed.workload?.sets ?? []).flatMap((set) => {
    const left = bearers(set);
    const most = how === 'all' ? left.length : left.length - Math.floor(set.pods.length / 2);
    return reverted(set, left.slice(0, Math.max(0, most)));
  });
}

function pods({ wish }: ReturnType<typeof backwards>): Partial<AbandonedPlan> {
  const { workload = 'keep', sets = [], canaryDeployment } = wish;
  return {
    workload: workload === 'armed' ? 'keep' : workload,
    sets,
    canaryDeployment: canaryDeployment === 'absent' ? 'absent' : 'keep',
  };
}

function isPinned({ observed }: Abandoned): boolean {
  return observed.services.some(({ pin }) => pin !== undefined);
}

function graceLeft(quietSince: number | undefined, now: number): number {
  return quietSince === undefined ? GRACE_MILLISECONDS : Math.max(0, quietSince + GRACE_MILLISECONDS - now);
}
