import { FINALIZERS, V1ALPHA1 } from '../../api/names.ts';
import type { Json, JsonMap } from '../../json/value.ts';
import { outcomeOf } from '../../kube/api-error.ts';
import type { WriteOptions } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { RESOURCES } from '../../kube/resource.ts';
import type { Script } from '../../lua/script.ts';
import { isSameTraffic, MOST_ANNOUNCED_MILLISECONDS } from '../../release/network.ts';
import type { GatewayTraffic } from '../../release/observed.ts';
import { type Api, FIELD_MANAGER, type RecordEvent, TryAgain } from '../api.ts';
import type { Gatherer } from '../gather.ts';
import type { Kinds } from '../kinds.ts';
import type { Pins } from '../pins.ts';
import { planRollout } from '../plan.ts';
import type { Again } from '../queue.ts';
import { TRAFFIC_ROUTING } from '../references.ts';
import type { RolloutEntry } from '../rollout-entry.ts';
import type { RolloutIndex } from '../rollout-index.ts';
import type { RoutingBook, RoutingWish } from '../routing-book.ts';
import { progressingOf, routingText, type StoredRouting } from '../routing-entry.ts';
import { type GatewayObject, gatewayTraffic, isDestination, isGatewayInEffect } from './gateways.ts';
import { Denied, type Steer } from './steer.ts';
import { type createSteerGateways, gatewayObjects, repairGateways, type Steered } from './steer-gateways.ts';

export type RoutingsOptions = {
  readonly api: Api;
  readonly book: RoutingBook;
  readonly gatherer: Gatherer;
  readonly kinds: Kinds;
  readonly index: RolloutIndex;
  readonly pins: Pins;
  readonly steer: Steer;
  readonly steerGateways: ReturnType<typeof createSteerGateways>;
  /** Scripts that are pinned, by hash. */
  readonly script: (hash: string) => Script | undefined;
  readonly clock: Clock;
  readonly event: RecordEvent;
  /** The scripts that a TrafficRouting uses. */
  readonly onUse: (key: string, hashes: readonly string[]) => void;
  /** What has become of a TrafficRouting matters to these Rollouts. */
  readonly queue: (keys: Iterable<string>) => void;
};

/** What a TrafficRouting is called to be (compat §1.8). */
type RoutingPhase = 'Initial' | 'Healthy' | 'Progressing' | 'Finalizing' | 'Terminating';

/**
 * Carries out TrafficRoutings: traffic that does the same as long as some release uses it (compat §4.8).
 *
 * ```
 *  release of a Rollout ─► hold.sluice.dev/<rollout> on the TrafficRouting ─► its directive on the gateway objects
 *          ▲                                                                                │
 *          └──────────────── waits until they are what it says, and then the grace ◄────────┘
 * ```
 *
 * To the release all gateway objects of a TrafficRouting are one that it steers, so that its pods are ready before that
 * has traffic, and stay until it has none.
 *
 * @returns looks at one, and brings it to where it should be
 */
export function createRoutings(options: RoutingsOptions): (entry: RolloutEntry) => Promise<Again> {
  const { api, book, gatherer, kinds, index, pins, steer, steerGateways, script, clock, onUse, queue } = options;

  /** What was refused when it was last carried out. */
  const denied = new Map<string, string>();
  /** Since when nothing leads to a new version; a restart makes the grace longer, never shorter. */
  const quietSince = new Map<string, number>();
  /** Since when destinations of a TrafficRouting are there, which proxies have to know before routes lead to them. */
  const definedSince = new Map<string, number>();

  const tellRollouts = ({ namespace, name }: StoredRouting) =>
    queue(index.naming({ ...TRAFFIC_ROUTING, name }, namespace));

  function warn({ namespace, name, uid }: StoredRouting, note: string): void {
    const regarding = { apiVersion: V1ALPHA1, kind: RESOURCES.trafficRouting.kind, namespace, name, uid };
    options.event(regarding, { type: 'Warning', reason: 'NotCarriedOut', action: 'Reconcile', note });
  }

  async function patch({ namespace, name }: StoredRouting, body: JsonMap, subresource?: 'status'): Promise<void> {
    const how: WriteOptions = {
      fieldManager: FIELD_MANAGER,
      isAnswerRead: false,
      ...(subresource === undefined ? {} : { subresource }),
    };
    try {
      await api.patch(RESOURCES.trafficRouting, { namespace, name }, 'merge', body, how);
    } catch (error) {
      if (outcomeOf(error) === 'conflict')
        throw new TryAgain(`TrafficRouting ${namespace}/${name} has changed meanwhile`);
      if (outcomeOf(error) !== 'gone') throw error;
    }
  }

  /** Holds of Rollouts that are gone, or name another one; and finalizers by which OpenKruise said the same. */
  function stale(routing: StoredRouting): JsonMap | undefined {
    const dead = routing.holds.filter(({ rollout }) => !book.isLive(routing, rollout));
    const taken = progressingOf(routing).filter((name) => book.isRollout(routing, name));
    if (dead.length + taken.length === 0) return undefined;
    const left = taken.map((name) => FINALIZERS.progressingPrefix + name);
    return {
      resourceVersion: routing.resourceVersion,
      annotations: Object.fromEntries(dead.map(({ key }): [string, Json] => [key, null])),
      ...(taken.length === 0 ? {} : { finalizers: routing.finalizers.filter((each) => !left.includes(each)) }),
    };
  }

  async function tell(routing: StoredRouting, phase: RoutingPhase, message: string): Promise<void> {
    const { status, generation: observedGeneration, resourceVersion } = routing;
    const isTold =
      status['phase'] === phase && status['message'] === message && status['observedGeneration'] === observedGeneration;
    if (isTold) return;
    await patch(routing, { metadata: { resourceVersion }, status: { phase, message, observedGeneration } }, 'status');
  }

  /** With nothing left to take back OpenKruise's finalizers have no meaning; Sluice has none of its own. */
  async function letGo(routing: StoredRouting): Promise<void> {
    const { finalizers, resourceVersion } = routing;
    const { trafficRouting, progressingPrefix } = FINALIZERS;
    const others = finalizers.filter((each) => each !== trafficRouting && !each.startsWith(progressingPrefix));
    if (others.length < finalizers.length) await patch(routing, { metadata: { resourceVersion, finalizers: others } });
  }

  /** What can be led to goes a grace period after what leads there. */
  async function takeBack(
    routing: StoredRouting,
    { destinations, routes, areDefined, areRouted }: Parted,
    of: Steered,
  ): Promise<Again> {
    const isThere = areDefined && areRouted;
    await steerGateways(routes, 'none', of);
    const now = clock.now().getTime();
    if (!areRouted || isThere) quietSince.delete(routing.key);
    else if (!quietSince.has(routing.key)) quietSince.set(routing.key, now);
    const left = (quietSince.get(routing.key) ?? now) + graceOf(routing) - now;
    if (areRouted && !isThere && left > 0) return { afterMilliseconds: left };
    if (areRouted) await steerGateways(destinations, 'none', of);
    if (routing.isDeleting && isThere) await letGo(routing);
    return {};
  }

  /** What leads to a new version comes after that which says what can be led to, when proxies know that. */
  async function putOut(
    routing: StoredRouting,
    { destinations, routes, areDefined, areRouted }: Parted,
    wish: GatewayTraffic,
    of: Steered,
  ): Promise<Again> {
    await steerGateways(destinations, wish, of);
    if (!areDefined) return {};
    const now = clock.now().getTime();
    const since = definedSince.get(routing.key) ?? now;
    definedSince.set(routing.key, since);
    const left = since + Math.min(graceOf(routing), MOST_ANNOUNCED_MILLISECONDS) - now;
    if (destinations.length > 0 && !areRouted && left > 0) return { afterMilliseconds: left };
    await steerGateways(routes, wish, of);
    return {};
  }

  /** A refusal is told at the next look, and forgotten when it is none any more. */
  async function remembered({ key }: StoredRouting, work: () => Promise<Again>): Promise<Again> {
    try {
      const again = await work();
      denied.delete(key);
      return again;
    } catch (error) {
      if (error instanceof Denied) denied.set(key, error.message);
      throw error;
    }
  }

  return async (entry) => {
    const routing = book.get(entry.key);
    const { rollout } = entry;
    if (routing === undefined || rollout === undefined) return {};
    const observed = await gatherer.gather(entry);
    const { findings, scripts } = planRollout(observed);
    for (const each of scripts) await pins.ensure(each);
    onUse(
      entry.key,
      scripts.map(({ hash }) => hash),
    );
    const outdated = stale(routing);
    if (outdated !== undefined) {
      await patch(routing, { metadata: outdated });
      return {};
    }
    const { namespace } = routing;
    const of = { rollout, namespace, revision: '' };
    const gateways = gatewayObjects(of, observed, kinds, script).filter((object) => object !== undefined);
    const [refused] = await repairGateways(gateways, namespace, steer);
    const bad = findings.find(({ status }) => status !== 'True')?.message ?? refused;
    const isAble = bad === undefined;
    const problem = bad === undefined ? denied.get(routing.key) : routingText(bad);
    const wish = book.wishOf(routing);
    const traffic = wish.isHeld ? { step: 1, weight: wish.weight } : 'none';
    const areThere = (objects: readonly GatewayObject[]) =>
      objects.every((object) => isWhatItShould(object, traffic, rollout, steer));
    const [destinations, routes] = [gateways.filter(isDestination), gateways.filter((each) => !isDestination(each))];
    const [areDefined, areRouted] = [areThere(destinations), areThere(routes)];
    const isThere = areDefined && areRouted;
    const isJudged = book.judge(routing, problem);
    // On the way back it is the routes that lead to the new version.
    const isSettled = wish.isHeld ? isThere && isAble : areRouted;
    if (book.settle(routing, isSettled) || isJudged) tellRollouts(routing);
    if (isJudged && problem !== undefined) warn(routing, problem);
    await tell(routing, ...said(routing, wish, isThere, problem));
    const parted = { destinations, routes, areDefined, areRouted };
    if (traffic === 'none') {
      definedSince.delete(routing.key);
      return await remembered(routing, () => takeBack(routing, parted, of));
    }
    quietSince.delete(routing.key);
    // What cannot be carried out stays as it is.
    return isAble ? await remembered(routing, () => putOut(routing, parted, traffic, of)) : {};
  };
}

/** Its gateway objects, those apart that only say what can be led to; and whether they are where they should be. */
type Parted = {
  readonly destinations: readonly GatewayObject[];
  readonly routes: readonly GatewayObject[];
  readonly areDefined: boolean;
  readonly areRouted: boolean;
};

function graceOf({ spec }: StoredRouting): number {
  return 1000 * Math.max(0, ...spec.objectRef.map(({ gracePeriodSeconds = 0 }) => gracePeriodSeconds));
}

function isWhatItShould(
  object: GatewayObject,
  wish: GatewayTraffic | 'none',
  rollout: NonNullable<RolloutEntry['rollout']>,
  steer: Steer,
): boolean {
  const isVerified = ({ uid, content }: GatewayObject['seen'], isPlain: boolean) =>
    steer.isInEffect(uid, content, isPlain);
  return isSameTraffic(gatewayTraffic(rollout, object, ''), wish) && isGatewayInEffect(object, isVerified);
}

function said(
  { isDeleting, holds, ...routing }: StoredRouting,
  { isHeld }: RoutingWish,
  isThere: boolean,
  problem: string | undefined,
): [RoutingPhase, string] {
  const users = [...holds.map(({ rollout }) => rollout), ...progressingOf(routing)].sort().join(', ');
  if (isDeleting) return ['Terminating', isThere ? 'nothing is steered any more' : 'traffic goes back'];
  if (isHeld) return ['Progressing', problem ?? `${isThere ? 'traffic is steered' : 'traffic moves'} for ${users}`];
  if (!isThere) return ['Finalizing', 'traffic goes back'];
  return problem === undefined ? ['Healthy', 'no release uses it now'] : ['Initial', problem];
}
