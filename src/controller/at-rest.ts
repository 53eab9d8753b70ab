import type { Rollout } from '../api/generated.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { at, isMap, type JsonMap, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { RESOURCES } from '../kube/resource.ts';
import { lackOf, type Rest, type VersionAtRest } from '../release/at-rest.ts';
import { planHash } from '../release/plan-hash.ts';
import { rolloutIdOf } from '../release/record.ts';
import { stepsOf, styleOf } from '../rollout/directives.ts';
import type { Api } from './api.ts';
import { foundWorkload, type Observed } from './plan.ts';
import { type DeploymentSeen, deploymentSeen, replicaSetSeen } from './release/scene-objects.ts';
import type { Seen } from './seen.ts';

/**
 * What the status of a Rollout says that has released nothing yet. Its workload is read for that once, and once more where
 * it had no ReplicaSet by then: nothing of its spec is kept in memory while nothing is released.
 */
export async function restOf(api: Api, { entry, ...observed }: Observed, rollout: Rollout): Promise<Rest> {
  const style = styleOf(rollout);
  const rest = { style, steps: stepsOf(rollout).length, planHash: planHash(rollout) };
  const workload = foundWorkload(observed);
  const lack = lackOf(entry.stored.status, style);
  const isTold = lack === 'all' || (lack === 'set' && workload?.nativeRevision !== '');
  return { ...rest, version: workload !== undefined && isTold ? await versionOf(api, workload) : undefined };
}

/** @returns undefined where the workload is gone, or in a release, whose record comes next. */
async function versionOf(api: Api, { namespace, name }: Seen): Promise<VersionAtRest | undefined> {
  let object: JsonMap;
  try {
    object = await api.get(RESOURCES.deployment, { namespace, name });
  } catch (error) {
    if (outcomeOf(error) !== 'gone') throw error;
    return undefined;
  }
  const seen = deploymentSeen(object);
  if (seen.directives.some(({ action }) => action.type === 'workload')) return undefined;
  return {
    template: seen.template,
    podTemplateHash: await podTemplateHashOf(api, object, seen),
    rolloutId: rolloutIdOf(seen.rolloutId, seen.template),
    workloadGeneration: seen.generation,
  };
}

/** Of the ReplicaSet of this template; empty while there is none. */
async function podTemplateHashOf(
  api: Api,
  deployment: JsonMap,
  { namespace, uid, template }: DeploymentSeen,
): Promise<string> {
  if (stringAt(deployment, 'metadata', 'annotations', ANNOTATIONS.nativeRevision) === undefined) return '';
  const labels = at(deployment, ['spec', 'selector', 'matchLabels']);
  const pairs = Object.entries(isMap(labels) ? labels : {}).map(([key, value]) => `${key}=${String(value)}`);
  // Sets of others may be among them.
  const selection = { namespace, ...(pairs.length === 0 ? {} : { labelSelector: pairs.join(',') }) };
  for await (const object of api.listAll(RESOURCES.replicaSet, selection)) {
    const set = replicaSetSeen(object);
    if (set.owner === uid && set.template === template) return set.podTemplateHash;
  }
  return '';
}
