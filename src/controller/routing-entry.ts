import { withDefaults } from '../api/defaults.ts';
import type { Rollout, TrafficRoutingSpec } from '../api/generated.ts';
import { FINALIZERS, HOLD_PREFIX, V1ALPHA1 } from '../api/names.ts';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import type { GatewayTraffic } from '../release/observed.ts';
import { readHold, routingName, routingRollout } from '../rollout/traffic-routing.ts';
import { referencesOf, trafficRoutingKey } from './references.ts';
import type { RolloutEntry } from './rollout-entry.ts';

/** A TrafficRouting as the API server stores it, with the defaults of the API. */
export type StoredRouting = {
  /** `namespace/name`, under which it steers gateway objects (see {@link routingName}). */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly isDeleting: boolean;
  readonly finalizers: readonly string[];
  /** The Rollouts whose releases use it now, each with what it wants of its traffic. */
  readonly holds: readonly Hold[];
  readonly spec: TrafficRoutingSpec;
  readonly status: JsonMap;
};

/** What a Rollout wants of a TrafficRouting while a release of it uses that. */
export type Hold = {
  /** The Rollout's name, and the annotation that says so. */
  readonly rollout: string;
  readonly key: string;
  readonly traffic: GatewayTraffic;
};

/** Takes a TrafficRouting (v1alpha1) apart as it arrives. */
export function storedRouting(object: JsonMap): StoredRouting {
  const typed = withDefaults({ ...object, apiVersion: V1ALPHA1, kind: 'TrafficRouting' });
  const metadata = member(typed, 'metadata');
  const status = member(typed, 'status');
  const generation = member(metadata, 'generation');
  const finalizers = member(metadata, 'finalizers');
  const [namespace, name] = [stringAt(metadata, 'namespace') ?? '', stringAt(metadata, 'name') ?? ''];
  return {
    key: trafficRoutingKey(namespace, name),
    namespace,
    name,
    uid: stringAt(metadata, 'uid') ?? '',
    resourceVersion: stringAt(metadata, 'resourceVersion') ?? '',
    generation: typeof generation === 'number' ? generation : 0,
    isDeleting: stringAt(metadata, 'deletionTimestamp') !== undefined,
    finalizers: (isList(finalizers) ? finalizers : []).filter((each) => typeof each === 'string'),
    holds: holdsOf(member(metadata, 'annotations')),
    // The API server has held it to the schema that the type is generated from.
    spec: { objectRef: [], strategy: {}, ...(member(typed, 'spec') as object | undefined) } as TrafficRoutingSpec,
    status: isMap(status) ? status : {},
  };
}

function holdsOf(annotations: Json | undefined): Hold[] {
  return Object.entries(isMap(annotations) ? annotations : {}).flatMap(([key, text]) => {
    const hold = key.startsWith(HOLD_PREFIX) ? readHold(text) : undefined;
    return hold === undefined ? [] : [{ ...hold, key }];
  });
}

/** Whether two states of one ask for the same: what was read of it can be kept. */
export function isSameRouting(a: StoredRouting | undefined, b: StoredRouting | undefined): boolean {
  return a?.uid === b?.uid && a?.generation === b?.generation && a?.isDeleting === b?.isDeleting;
}

/** Finalizers by which OpenKruise says that a Rollout, or something else, uses a TrafficRouting: their names. */
export function progressingOf({ finalizers }: Pick<StoredRouting, 'finalizers'>): string[] {
  const { progressingPrefix } = FINALIZERS;
  return finalizers.flatMap((each) =>
    each.startsWith(progressingPrefix) ? [each.slice(progressingPrefix.length)] : [],
  );
}

/**
 * A TrafficRouting as the Rollout without a workload that it amounts to, so that its objects, scripts and rights are
 * looked at as those of Rollouts are.
 */
export function routingEntry(routing: StoredRouting): RolloutEntry {
  const { key, namespace, name, uid, resourceVersion, generation, isDeleting, finalizers, spec, status } = routing;
  const metadata = { namespace, name: routingName(name), uid };
  const made = routingRollout(metadata, spec as unknown as JsonMap);
  const rollout = made as JsonMap & Rollout;
  const stored = { ...metadata, resourceVersion, generation, createdAt: '', isDeleting, finalizers, annotations: {} };
  const references = referencesOf(rollout).map((reference) => ({
    ...reference,
    path: ['spec', 'objectRef', ...reference.path.slice(ROUTINGS_DEPTH)],
  }));
  return {
    key,
    stored: { ...stored, spec: made['spec'] ?? {}, status },
    rollout,
    problems: problemsOf(spec),
    references,
  };
}

/** `spec.strategy.canary.trafficRoutings` */
const ROUTINGS_DEPTH = 4;

function problemsOf({ strategy: { weight = 0 } }: TrafficRoutingSpec): string[] {
  return weight >= 0 && weight <= 100 ? [] : [`spec.strategy.weight: is ${weight}; write a percentage from 0 to 100`];
}

/** What the steps of Rollouts are called in words about a TrafficRouting. */
export function routingText(message: string): string {
  return message
    .replaceAll('spec.strategy.canary.steps[0]', 'spec.strategy')
    .replaceAll('spec.strategy.canary.trafficRoutings', 'spec.objectRef');
}
