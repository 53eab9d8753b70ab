import { type Look, merged, type Wait } from './look.ts';
import { isGoing, type Reach, reach, servingBy } from './network.ts';
import type { Wish } from './observed.ts';
import { backwards, ownRoom } from './pods.ts';
import { atWeight } from './settings.ts';
import { carriedBy } from './walk.ts';

/** The way back: what to wish for, and how far it is. */
export type Retreat = Wait & {
  readonly wish: Partial<Wish>;
  /** All traffic is on the old version, and the grace period is over. */
  readonly isQuiet: boolean;
  /** The old version is at full size, and nothing else is left. */
  readonly isReached: boolean;
};

/**
 * Takes everything back to the old version, whatever state the release is in. Traffic goes first, as much at once as the
 * old version can carry; the old version grows to its full size meanwhile; the other pods go last.
 */
export function retreat(look: Look): Retreat {
  const network = homeward(look);
  const isQuiet = network !== 'waits' && network.isReached && network.isHome;
  const pods = backwards(look.observed, look.versions, isQuiet);
  const wish = merged(network === 'waits' ? {} : network.wish, pods.wish);
  if (network !== 'waits' && !network.isReached && pods.isReached)
    return { ...network, wish, isQuiet: false, isReached: false };
  return {
    wish,
    waitingFor: isQuiet || network === 'waits' ? pods.waitingFor : network.waitingFor,
    ...(network === 'waits' ? {} : { after: network.after, settled: network.settled }),
    isQuiet,
    isReached: isQuiet && pods.isReached,
  };
}

/** Where traffic can go now: all of it home, or a part, or nowhere before the old version has more pods. */
function homeward(look: Look): (Reach & { readonly isHome: boolean }) | 'waits' {
  const { observed, versions, record, place } = look;
  const { workload, services } = observed;
  const pins = services.filter(({ pin }) => pin !== undefined);
  // A version that was promoted serves by its canary Services: the stable ones follow before traffic does.
  if (pins.length > 0 && versions.stable !== undefined) {
    const pinned = reach({ to: 'pinned' }, place);
    if (!pinned.isReached) return { ...pinned, isHome: false };
  }
  const weight = record.traffic.weight ?? 0;
  const others = [versions.canary, ...versions.others].reduce((sum, set) => sum + (set?.ready ?? 0), 0);
  // A workload that is scaled to 0 serves nothing, whatever the weights are.
  const isCarried = workload?.replicas === 0 || weight === 0 || !isGoing(observed) || others === 0;
  if (workload === undefined || isCarried) return { ...reach({ to: 'stable' }, place), isHome: true };
  const carried = carriedBy(servingBy(versions.stable, observed), workload.replicas, ownRoom(workload).unavailable);
  if (carried >= 100) return { ...reach({ to: 'stable' }, place), isHome: true };
  if (100 - carried >= weight) return 'waits';
  return {
    ...reach({ to: 'steered', traffic: atWeight(look.settings, record.step, 100 - carried) }, place),
    isHome: false,
  };
}
