import { at, isMap, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { neededFor } from '../../src/release/walk.ts';
import { isOwnKey } from '../../src/rewrite/own-keys.ts';
import type { ControllerRequest } from '../native/cluster.ts';

/** Written together with `replicas`: the native controller would else take the set's size for unfinished work. */
const SCALED_FOR = 'deployment.kubernetes.io/desired-replicas';

/** Where the traffic of a shop goes, and what is there to take it, at one moment. */
export type TrafficSeen = {
  readonly replicas: number;
  /** Pods of the old version that its owner allows to be missing. */
  readonly mayMiss: number;
  /** Percent of the traffic by Service. */
  readonly weights: Readonly<Record<string, number>>;
  /** Ready endpoints of these Services by version. */
  readonly endpoints: Readonly<Record<string, Readonly<Record<string, number>>>>;
};

/** The objects of a shop as they are stored. */
export type Belongings = Readonly<Record<'deployments' | 'services' | 'gateways' | 'replicaSets', readonly JsonMap[]>>;

/**
 * P8 at this moment: no Service with a share of the traffic is without ready endpoints, and the Service of the old version
 * has as many as its share needs, with as many missing as the user allows.
 * @param stable the Service of the old version
 */
export function trafficProblems({ replicas, mayMiss, weights, endpoints }: TrafficSeen, stable = 'web'): string[] {
  if (replicas === 0) return [];
  const problems: string[] = [];
  for (const [service, weight] of Object.entries(weights)) {
    if (weight === 0) continue;
    const versions = endpoints[service] ?? {};
    const ready = Object.values(versions).reduce((sum, count) => sum + count, 0);
    const needed = service === stable ? Math.max(1, neededFor(weight, replicas) - mayMiss) : 1;
    if (ready < needed)
      problems.push(`${weight} % of the traffic of ${replicas} go to ${service} with ${ready} ready endpoints`);
    if (service !== stable && Object.keys(versions).length > 1)
      problems.push(`${service} leads to ${Object.keys(versions).join(' and ')}`);
  }
  return problems;
}

/** P1: of a user's object the controller writes its own annotations and labels; of ReplicaSets what design §2 names. */
export function ownershipProblems(requests: readonly ControllerRequest[]): string[] {
  return requests.flatMap(({ verb, resource, name, body }) => {
    const isUsers = name.name === 'web' && resource.kind !== 'Rollout';
    const isNative = resource.kind === 'ReplicaSet' || resource.kind === 'Pod';
    if (verb !== 'patch' || !(isUsers || isNative)) return [];
    return foreignPaths(body, resource.kind).map((path) => `${resource.kind} ${name.name}: ${path}`);
  });
}

function foreignPaths(body: Json, kind: string): string[] {
  if (!isMap(body)) return ['a patch of another form'];
  const { metadata, ...rest } = body;
  const outside = Object.entries(rest).flatMap(([key, value]) => {
    if (kind !== 'ReplicaSet' || key !== 'spec' || !isMap(value)) return [key];
    return Object.keys(value).filter((field) => field !== 'replicas' && field !== 'minReadySeconds');
  });
  const inside = Object.entries(isMap(metadata) ? metadata : {}).flatMap(([key, value]) => {
    if (key === 'resourceVersion') return [];
    if (key !== 'annotations' && key !== 'labels') return [`metadata.${key}`];
    return Object.keys(isMap(value) ? value : {}).filter(
      (own) => !isOwnKey(own) && !(kind === 'ReplicaSet' && own === SCALED_FOR),
    );
  });
  return [...outside, ...inside];
}

/** What is left of a release in memory where there should be nothing. */
export function leftovers(world: { belongings(): Belongings }): string[] {
  return leftAmong(world.belongings());
}

/** What is left of a release where there should be nothing. @param names of the Deployments and their Services */
export function leftAmong(
  { deployments, services, gateways, replicaSets }: Belongings,
  names: readonly string[] = ['web'],
): string[] {
  return [
    ...Object.entries({ Deployment: deployments, Service: services }).flatMap(([kind, objects]) =>
      objects.map(nameIn).flatMap((name) => (names.includes(name) ? [] : [`${kind} ${name} is left`])),
    ),
    ...[...deployments, ...services, ...gateways].flatMap(marks),
    ...replicaSets.flatMap(setMarks),
    ...services.flatMap((service) => {
      const selector = JSON.stringify(at(service, ['spec', 'selector']));
      return selector === JSON.stringify({ app: nameIn(service) }) ? [] : [`the Service selects ${selector}`];
    }),
    ...deployments.flatMap(({ spec }) => [
      ...(member(spec, 'paused') === true ? ['the Deployment is paused'] : []),
      ...(Number(member(spec, 'minReadySeconds') ?? 0) > 0 ? ['the Deployment has another minReadySeconds'] : []),
    ]),
  ];
}

function nameIn(object: JsonMap): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}

function marks(object: JsonMap): string[] {
  const annotations = member(object['metadata'], 'annotations');
  const ours = Object.entries(isMap(annotations) ? annotations : {}).filter(
    ([key, value]) => isOwnKey(key) && !String(value).includes('"armed"'),
  );
  return ours.map(([key]) => `${nameIn(object)} bears ${key}`);
}

function setMarks(set: JsonMap): string[] {
  const left = ['sluice.dev/floor', 'sluice.dev/pod-metadata'].filter(
    (key) => stringAt(set, 'metadata', 'annotations', key) !== undefined,
  );
  return left.map((key) => `ReplicaSet ${nameIn(set)} bears ${key}`);
}
