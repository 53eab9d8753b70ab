import { encodeFloor } from '../rewrite/floor.ts';
import { type Look, merged } from './look.ts';
import { reach, trafficOf } from './network.ts';
import type { GatewayTraffic, SetWish } from './observed.ts';
import { ownRoom } from './pods.ts';
import type { Traffic } from './record.ts';
import { neededFor } from './walk.ts';

/**
 * Leads traffic to both versions. Before it moves, each version has the floor for where it is and for where it goes: the
 * old version may be applied again at any moment, also while nobody of us runs, and the native controller takes the pods
 * of the new one at once.
 */
export function split(look: Look, traffic: GatewayTraffic): ReturnType<typeof reach> {
  const { place, record, settings } = look;
  const network = reach({ to: 'split', traffic }, place);
  const isToMove =
    !network.isReached && network.wish.traffic !== undefined && network.settled.networkTime === undefined;
  const sets = isToMove ? floors(look, [record.traffic, trafficOf(traffic, settings)]) : [];
  if (sets.length === 0) return network;
  const { network: name, networkTime } = record;
  return {
    ...network,
    wish: merged(network.wish, { traffic: 'keep', sets }),
    waitingFor: 'the floors of ReplicaSets',
    settled: { network: name, networkTime, traffic: record.traffic },
  };
}

/**
 * What a version's largest share among these needs nobody but us may take from it, with as many pods missing as the owner
 * allows (see `src/rewrite/floor.ts`). With a single replica, too: both versions have a pod then, and between a scale and
 * the bounds that we compute for it the native controller still goes by those of before.
 */
export function floors({ observed, versions, target, record }: Look, ways: readonly Traffic[]): SetWish[] {
  const { workload, style } = observed;
  if (workload === undefined || style === 'canary') return [];
  const { replicas } = workload;
  const { unavailable } = ownRoom(workload);
  const shared = ways.filter(({ weight, hasMatches }) => weight !== undefined || hasMatches);
  const hasMatches = shared.some((traffic) => traffic.hasMatches);
  const floor = (share: number, most: number, isServing: boolean) => {
    const keep = Math.max(1, Math.min(most, neededFor(share, replicas)) - unavailable);
    const isShared = replicas > 0 && observed.gateways.length > 0 && shared.length > 0;
    return isShared && isServing ? encodeFloor({ keep, of: replicas }) : '';
  };
  const weights = shared.map(({ weight }) => weight ?? 0);
  const [least, most] = [Math.min(...weights), Math.max(...weights)];
  const wanted = [
    { set: versions.stable, floor: floor(100 - least, replicas, least < 100) },
    { set: versions.canary, floor: floor(most, target(record.step), most > 0 || hasMatches) },
  ];
  return wanted.flatMap((each) =>
    each.set === undefined || each.set.floor === each.floor ? [] : [{ name: each.set.name, floor: each.floor }],
  );
}
