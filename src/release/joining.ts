import { type Decision, go, type Look, merged, stay } from './look.ts';
import { isGoing, networkName, type Reach, reach } from './network.ts';
import type { GatewayTraffic, PodWish, ReplicaSet, Workload } from './observed.ts';
import { bearers, givenBack, identity } from './pod-metadata.ts';
import { ownRoom } from './pods.ts';
import { atWeight } from './settings.ts';
import { carriedBy, neededFor } from './walk.ts';

/**
 * Gives the pods of the new version back what their template says of their labels and annotations, when the release is
 * through. Undefined when that is done.
 *
 * Where a gateway tells the versions behind one Service apart by such labels, they change sides in parts, and traffic
 * with them, so that no side is ever without the pods that its share needs, with as many missing as the owner allows
 * (attacks S24). Each part takes a grace period for the labels and one for the traffic.
 */
export function joined(look: Look): Decision | undefined {
  const { observed, versions, settings } = look;
  const { workload } = observed;
  const { canary } = versions;
  // Pods of an extra Deployment end with it.
  if (workload === undefined || canary === undefined || observed.style === 'canary') return undefined;
  const left = bearers(canary, identity(look));
  if (left.length === 0) return undefined;
  if (settings.hasCanaryServices || !isGoing(observed)) return relabelled(look, canary, left.length);
  return next(look, workload, canary, left.length);
}

function next(look: Look, workload: Workload, canary: ReplicaSet, borne: number): Decision {
  const { record, versions, settings, place } = look;
  const { replicas } = workload;
  const { unavailable } = ownRoom(workload);
  const weight = record.traffic.weight ?? 0;
  const others = (versions.stable?.ready ?? 0) + canary.ready - borne;
  const carried = carriedBy(others, replicas, unavailable);
  // The last pod of a side keeps it until nothing leads there.
  if (carried >= 100 || replicas === 0 || (borne === 1 && others > 0)) {
    const network = reach({ to: 'stable' }, place);
    if (!network.isReached) return settled(look, borne, 'none') ?? stay(look, network.wish, network);
    return relabelled(look, canary, borne, network);
  }
  const share = 100 - carried;
  if (share < weight) {
    const traffic = atWeight(settings, record.step, share);
    const network = reach({ to: 'steered', traffic }, place);
    if (network.isReached) return go(network.settled);
    return settled(look, borne, traffic) ?? stay(look, network.wish, network);
  }
  const spare = borne - (neededFor(weight, replicas) - unavailable);
  // A side with traffic keeps a pod; with a single one there is nothing to keep.
  return relabelled(look, canary, Math.max(1, Math.min(spare, borne - 1)));
}

/** Proxies have to know on which side the pods are before traffic follows them. */
function settled(look: Look, borne: number, to: GatewayTraffic | 'none'): Decision | undefined {
  const { record, now, settings } = look;
  const network = `labels of ${borne}`;
  if (record.network === networkName(to)) return undefined;
  const since = record.network === network && record.networkTime !== undefined ? record.networkTime : now;
  const after = since + settings.graceMilliseconds - now;
  if (after <= 0) return undefined;
  const waitingFor = 'the grace period after labels of pods have changed';
  return stay(look, {}, { waitingFor, after, settled: { network, networkTime: since } });
}

function relabelled(look: Look, canary: ReplicaSet, count: number, network?: Reach): Decision {
  const kept = identity(look);
  const pods: PodWish[] = givenBack(canary, bearers(canary, kept).slice(0, count), kept);
  return stay(look, merged(network?.wish, { pods }), {
    waitingFor: 'pods of the new version to get their own labels back',
    settled: network?.settled,
  });
}
