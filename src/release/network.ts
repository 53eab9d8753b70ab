import type { GatewayTraffic, Observed, ReplicaSet, ServicePair, Wish } from './observed.ts';
import type { Versions } from './pods.ts';
import { type FinalisingStep, NO_TRAFFIC, type ReleaseRecord, type Traffic } from './record.ts';
import { type ReleaseSettings, weightOf } from './settings.ts';

/**
 * Where traffic is to go.
 *
 * - `pinned`: the stable Services select the old version only; gateway objects stay as they are.
 * - `split`: gateway objects as a step says, between stable and canary Services.
 * - `steered`: gateway objects do this, with Services as they are: on the way back to the old version.
 * - `stable`: gateway objects as they are without a release; the stable Services stay pinned.
 * - `open`: no trace of the release: Services select both versions again.
 */
export type NetworkGoal =
  | { readonly to: 'pinned' }
  | { readonly to: 'split'; readonly traffic: GatewayTraffic }
  | { readonly to: 'steered'; readonly traffic: GatewayTraffic }
  | { readonly to: 'stable' }
  | { readonly to: 'open' };

/** How far the goal is reached, and what to wish for on the way. */
export type Reach = {
  readonly wish: Partial<Wish>;
  readonly isReached: boolean;
  readonly waitingFor: string;
  /** When to look again; undefined where an event tells. */
  readonly after?: number;
  /** On the way to `open`: the part of a closing sequence that this is (compat §2.8). */
  readonly stage?: FinalisingStep;
  /** The part of the record that counts since when the traffic is where it is to be. */
  readonly settled: Pick<ReleaseRecord, 'network' | 'networkTime' | 'traffic'>;
};

/** Where a release stands when it looks at its traffic. */
export type Place = {
  readonly observed: Observed;
  readonly versions: Pick<Versions, 'stable' | 'canary'>;
  readonly record: ReleaseRecord;
  readonly now: number;
  readonly settings: ReleaseSettings;
};

/**
 * Takes traffic to a goal in safe order: a version gets traffic only when its endpoints are ready, and a Service is taken
 * away only a grace period after nothing leads to it any more (design P8).
 *
 * ```
 *  pinned: pin ─► (Services)
 *  split:  pin ─► canary Services ─► endpoints ready ─► known to proxies ─► gateways ─► grace
 *  stable:                                              gateways ─► grace
 *  open:   unpin ─► endpoints of both versions ready ─► gateways ─► grace ─► canary Services go
 * ```
 *
 * Objects that only define destinations come with the canary Services, and go with them. Where the versions share one
 * Service, they come before the pods of the new version do.
 */
export function reach(goal: NetworkGoal, place: Place): Reach {
  if (goal.to === 'stable') return steered('none', {}, place);
  if (goal.to === 'steered') return steered(goal.traffic, {}, place);
  if (goal.to === 'open') return opened(place);
  // Without a canary Service both versions stand behind the stable one, and the gateway tells their pods apart.
  const { hasCanaryServices } = place.settings;
  if (!hasCanaryServices) return shared(goal.to === 'pinned' ? undefined : goal.traffic, place);
  return pinned(goal.to === 'pinned' ? undefined : goal.traffic, place);
}

function shared(traffic: GatewayTraffic | undefined, place: Place): Reach {
  const wish: Partial<Wish> = { destinations: 'present' };
  if (!isDefined(place)) return waiting('the objects that define destinations', wish, place.record);
  if (traffic === undefined) return reached(wish, place.record);
  const { stable, canary } = place.versions;
  const isReady = place.observed.services.every(({ endpoints }) => isKnown(canary, endpoints));
  if (!isReady && isMore(traffic, place)) return waiting('the endpoints of the new version', wish, place.record);
  return isBack(traffic, place) && !isServing(stable, place.observed)
    ? waiting('the endpoints of the old version', wish, place.record)
    : led(traffic, wish, place);
}

/** Whether all ready pods of a version, and one at least, are among these endpoints: proxies know of no others. */
function isKnown(set: ReplicaSet | undefined, endpoints: ReadonlySet<string> | undefined): boolean {
  return knownOf(set, endpoints) >= Math.max(1, set?.ready ?? 0);
}

function knownOf(set: ReplicaSet | undefined, endpoints: ReadonlySet<string> | undefined): number {
  return (set?.pods ?? []).filter(({ name }) => endpoints?.has(name)).length;
}

/** Pods of a version that are ready, and known by each of the stable Services that there are. */
export function servingBy(set: ReplicaSet | undefined, { services }: Pick<Observed, 'services'>): number {
  const known = services.flatMap(({ endpoints }) => (endpoints === undefined ? [] : [knownOf(set, endpoints)]));
  return Math.min(set?.ready ?? 0, ...known);
}

function isServing(set: ReplicaSet | undefined, observed: Observed): boolean {
  return servingBy(set, observed) >= (set?.ready ?? 0);
}

/** Whether the new version is to get traffic that it does not have. */
function isMore(traffic: GatewayTraffic, { record, settings }: Place): boolean {
  const [to, from] = [trafficOf(traffic, settings), record.traffic];
  return (to.weight ?? 0) > (from.weight ?? 0) || (to.hasMatches && !from.hasMatches);
}

/** Whether the old version is to get traffic back. */
function isBack(traffic: GatewayTraffic, { record, settings }: Place): boolean {
  return (trafficOf(traffic, settings).weight ?? 0) < (record.traffic.weight ?? 0);
}

function isDefined({ observed }: Place): boolean {
  return observed.destinations.every(({ traffic, isInEffect }) => typeof traffic === 'object' && isInEffect);
}

function pinned(traffic: GatewayTraffic | undefined, place: Place): Reach {
  const { observed, versions, record } = place;
  const { services } = observed;
  const [stable, canary] = [versions.stable?.podTemplateHash, versions.canary?.podTemplateHash];
  if (stable === undefined) return waiting('the pods of the old version', {}, record);
  const pin: Partial<Wish> = { pin: stable };
  if (!services.every((pair) => pair.pin === stable && pair.isInEffect))
    return waiting('the stable Services to select the old version only', pin, record);
  if (traffic === undefined) return reached(pin, record);
  if (canary === undefined) return waiting('the pods of the new version', pin, record);
  const both: Partial<Wish> = { ...pin, canaryService: canary, destinations: 'present' };
  if (!services.every((pair) => pair.canary?.revision === canary) || !isDefined(place))
    return waiting('the canary Services', both, record);
  // Traffic that is there stays: to take it away where pods fall ill would be a decision of its own.
  const isReady = services.every((pair) => isKnown(versions.canary, pair.canary?.endpoints));
  if (!isReady && (!isGoing(observed) || isMore(traffic, place)))
    return waiting('the endpoints of the canary Services', both, record);
  if (isBack(traffic, place) && !isServing(versions.stable, observed))
    return waiting('the endpoints of the stable Services', both, record);
  return led(traffic, both, place);
}

/** What a record says of traffic while the canary Services are there and nothing has led to them yet. */
const ANNOUNCED = 'announced';

/**
 * The longest that is waited for proxies to know a destination. Istio sends what it hears of within 100 ms in one push,
 * the routes of which are in effect some 40 ms before a destination that is new in it; nothing is said of how long
 * others take. Mostly it is over before the pods are ready.
 */
export const MOST_ANNOUNCED_MILLISECONDS = 1000;

/**
 * Leads gateway objects to the new version, which proxies have to know before: a route to what they do not know answers
 * errors (Istio, "Avoid 503 errors while reconfiguring service routes").
 */
function led(traffic: GatewayTraffic, wish: Partial<Wish>, place: Place): Reach {
  const { observed, record, now } = place;
  if (isGoing(observed) || record.network === networkName(traffic)) return steered(traffic, wish, place);
  const { settled } = announced(place);
  const most = Math.min(place.settings.graceMilliseconds, MOST_ANNOUNCED_MILLISECONDS);
  const after = (settled.networkTime ?? now) + most - now;
  if (after <= 0 || !isAnnounced(place)) return steered(traffic, wish, place);
  return { wish, isReached: false, waitingFor: 'proxies to know the new version', after, settled };
}

/**
 * Before anything leads to the new version: canary Services, and objects that define destinations, are there as soon as
 * its first pods are, so that proxies know them in time.
 */
export function announced(place: Place): Pick<Reach, 'wish' | 'settled'> {
  const { versions, record, now } = place;
  const { hasCanaryServices } = place.settings;
  const revision = versions.canary?.podTemplateHash;
  const canary: Partial<Wish> = revision === undefined ? {} : { canaryService: revision };
  const wish: Partial<Wish> = hasCanaryServices ? { ...canary, destinations: 'present' } : {};
  if (!isAnnounced(place)) {
    const settled = settledOf(record);
    return {
      wish,
      settled: record.network === ANNOUNCED ? { ...settled, network: '', networkTime: undefined } : settled,
    };
  }
  const since = record.network === ANNOUNCED ? (record.networkTime ?? now) : now;
  return { wish, settled: { network: ANNOUNCED, networkTime: since, traffic: record.traffic } };
}

/** Whether there are destinations of the release's own, all of them. */
function isAnnounced(place: Place): boolean {
  const { observed, versions, settings } = place;
  const { services, destinations } = observed;
  const own = settings.hasCanaryServices ? services : [];
  const revision = versions.canary?.podTemplateHash;
  const isThere = revision !== undefined && own.every(({ canary }) => canary?.revision === revision);
  return own.length + destinations.length > 0 && isThere && isDefined(place);
}

function opened(place: Place): Reach {
  const { observed, versions, record } = place;
  const { services } = observed;
  const open: Partial<Wish> = { pin: 'none' };
  const restoring = (waitingFor: string): Reach => ({
    ...waiting(waitingFor, open, record),
    stage: 'RestoreStableService',
  });
  if (!services.every(({ pin, isInEffect }) => pin === undefined && isInEffect))
    return restoring('the stable Services to select both versions');
  if (isGoing(observed) && !services.every((pair) => isOpen(pair, versions)))
    return restoring('the endpoints of the stable Services');
  const quiet = steered('none', open, place);
  if (!quiet.isReached) return { ...quiet, stage: 'FinalisingStepRouteTrafficToStable' };
  return {
    ...quiet,
    wish: { ...quiet.wish, canaryService: 'absent', destinations: 'absent' },
    isReached:
      services.every(({ canary }) => canary === undefined) &&
      observed.destinations.every(({ traffic, isInEffect }) => traffic === 'none' && isInEffect),
    waitingFor: 'the canary Services to be removed',
    stage: 'RemoveCanaryService',
  };
}

/** Whether a stable Service has the ready pods of both versions as its endpoints. */
export function isOpen({ endpoints }: ServicePair, { stable, canary }: Pick<Versions, 'stable' | 'canary'>): boolean {
  return [stable, canary].every((set) => knownOf(set, endpoints) >= (set?.ready ?? 0));
}

/** Whether gateway objects lead to the new version now. */
export function isGoing({ gateways }: Observed): boolean {
  return gateways.some(({ traffic }) => traffic !== 'none');
}

function steered(traffic: GatewayTraffic | 'none', wish: Partial<Wish>, place: Place): Reach {
  const { observed, record, now, settings } = place;
  const all: Partial<Wish> = { ...wish, traffic };
  const name = networkName(traffic);
  const isThere = observed.gateways.every((gateway) => gateway.isInEffect && isSameTraffic(gateway.traffic, traffic));
  if (!isThere) {
    const settled = { ...settledOf(record), network: name, networkTime: undefined };
    return { ...waiting('the gateway objects', all, record), settled };
  }
  // Where nothing ever led to the new version there is nothing to wait for.
  if (traffic === 'none' && (record.network === '' || record.network === ANNOUNCED)) return reached(all, record);
  const since = record.network === name && record.networkTime !== undefined ? record.networkTime : now;
  const settled = { network: name, networkTime: since, traffic: trafficOf(traffic, settings) };
  const left = since + settings.graceMilliseconds - now;
  if (left <= 0) return { wish: all, isReached: true, waitingFor: '', settled };
  return {
    wish: all,
    isReached: false,
    waitingFor: GRACE,
    after: left,
    settled,
  };
}

/** What a release waits for when its traffic has moved and proxies may still go by what they knew. */
export const GRACE = 'the grace period after traffic has moved';

/** How a record names what gateway objects are to do. */
export function networkName(traffic: GatewayTraffic | 'none'): string {
  return traffic === 'none' ? 'none' : `step ${traffic.step}, weight ${traffic.weight ?? 'as planned'}`;
}

/** Whether a gateway object does what is wished for. */
export function isSameTraffic(a: GatewayTraffic | 'none' | 'other', b: GatewayTraffic | 'none'): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.step === b.step && a.weight === b.weight;
}

/** What gateway objects that do this send where, by weight and by matches. */
export function trafficOf(traffic: GatewayTraffic | 'none', { steps }: ReleaseSettings): Traffic {
  if (traffic === 'none') return NO_TRAFFIC;
  const step = steps[traffic.step - 1];
  return {
    weight: traffic.weight ?? weightOf(step),
    hasMatches: (step?.matches?.length ?? 0) > 0 && traffic.weight !== 100,
  };
}

function settledOf({ network, networkTime, traffic }: ReleaseRecord): Reach['settled'] {
  return { network, networkTime, traffic };
}

function waiting(waitingFor: string, wish: Partial<Wish>, record: ReleaseRecord): Reach {
  return { wish, isReached: false, waitingFor, settled: settledOf(record) };
}

function reached(wish: Partial<Wish>, record: ReleaseRecord): Reach {
  return { wish, isReached: true, waitingFor: '', settled: settledOf(record) };
}
