import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, isMap, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { neededFor } from '../../src/release/walk.ts';
import { isOwnKey } from '../../src/rewrite/own-keys.ts';
import type { ControllerRequest } from '../native/cluster.ts';
import type { World } from './world.ts';

/** Written together with `replicas`: the native controller would else take the set's size for unfinished work. */
const SCALED_FOR = 'deployment.kubernetes.io/desired-replicas';

const WEB = { namespace: 'shop', name: 'web' };

/**
 * P8 at this moment: no Service with a share of the traffic is without ready endpoints, and the Service of the old version
 * has as many as its share needs, with as many missing as the user allows.
 */
export function trafficProblems(world: World): string[] {
  const replicas = Number(at(world.cluster.read(RESOURCES.deployment, WEB), ['spec', 'replicas']) ?? 0);
  if (replicas === 0) return [];
  const problems: string[] = [];
  for (const [service, weight] of Object.entries(world.weights())) {
    if (weight === 0) continue;
    const versions = world.endpoints(service);
    const ready = Object.values(versions).reduce((sum, count) => sum + count, 0);
    const needed = service === 'web' ? Math.max(1, neededFor(weight, replicas) - Math.floor(replicas / 4)) : 1;
    if (ready < needed)
      problems.push(`${weight} % of the traffic of ${replicas} go to ${service} with ${ready} ready endpoints`);
    if (service !== 'web' && Object.keys(versions).length > 1)
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

/** What is left of a release where there should be nothing. */
export function leftovers(world: World): string[] {
  const { cluster } = world;
  const problems: string[] = [];
  for (const resource of [RESOURCES.deployment, RESOURCES.service, VIRTUAL_SERVICE]) {
    for (const object of cluster.list(resource, 'shop')) {
      const name = stringAt(object, 'metadata', 'name') ?? '';
      if (name !== 'web') problems.push(`${resource.kind} ${name} is left`);
      const annotations = member(object['metadata'], 'annotations');
      for (const [key, value] of Object.entries(isMap(annotations) ? annotations : {})) {
        if (isOwnKey(key) && !String(value).includes('"armed"')) problems.push(`${resource.kind} ${name} bears ${key}`);
      }
    }
  }
  for (const set of cluster.list(RESOURCES.replicaSet, 'shop')) {
    for (const key of ['sluice.dev/floor', 'sluice.dev/pod-metadata']) {
      if (stringAt(set, 'metadata', 'annotations', key) !== undefined)
        problems.push(`ReplicaSet ${stringAt(set, 'metadata', 'name')} bears ${key}`);
    }
  }
  const selector = at(cluster.read(RESOURCES.service, WEB), ['spec', 'selector']);
  if (JSON.stringify(selector) !== '{"app":"web"}') problems.push(`the Service selects ${JSON.stringify(selector)}`);
  const spec = cluster.read(RESOURCES.deployment, WEB)['spec'] as JsonMap;
  if (spec['paused'] === true) problems.push('the Deployment is paused');
  if (Number(spec['minReadySeconds'] ?? 0) > 0) problems.push('the Deployment has another minReadySeconds');
  return problems;
}
