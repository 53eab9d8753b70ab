import type { Rollout } from '../../api/generated.ts';
import { canaryName } from '../../api/names.ts';
import { isMap, type JsonMap, member } from '../../json/value.ts';
import { RESOURCES } from '../../kube/resource.ts';
import { settingsOf } from '../../release/settings.ts';
import { styleOf } from '../../rollout/directives.ts';
import { isRoutingKey } from '../../rollout/traffic-routing.ts';
import type { Kinds } from '../kinds.ts';
import type { Observed } from '../plan.ts';
import type { RolloutIndex } from '../rollout-index.ts';
import { ownSelector, selectingLabels } from './observe.ts';
import { foreignText, isServiceFor } from './own-objects.ts';
import type { Scene } from './scenes.ts';

/** What a release is about to be carried out on. */
export type Ground = {
  readonly rollout: Rollout;
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly workloadName: string;
  readonly observed: Observed;
  readonly scene: Scene;
  readonly kinds: Kinds;
  readonly index: RolloutIndex;
};

/**
 * What would go wrong in a release, and what to do about it; the first that is found, undefined when there is nothing.
 * Asked before a release begins: nothing has been changed by then.
 */
export function obstacleOf(ground: Ground): string | undefined {
  return controlledWorkload(ground) ?? selectingLabel(ground) ?? foreignObject(ground) ?? unfitService(ground);
}

/** A pod that is given another value of such a label leaves its ReplicaSet, or the Service. */
function selectingLabel({ rollout, workloadName, scene }: Ground): string | undefined {
  const given = Object.keys(settingsOf(rollout).podMetadata.labels ?? {});
  const taken = given.find((key) => selectingLabels(rollout, workloadName, scene).includes(key));
  return (
    taken &&
    `spec.strategy.canary.patchPodTemplateMetadata.labels names ${taken}, by which the workload or its Service selects pods; write another label`
  );
}

/** What a controller of somebody else's makes and keeps, it would change back or remove in the middle of a release. */
function controlledWorkload({ namespace, workloadName, scene }: Ground): string | undefined {
  const controller = scene.deployment(workloadName)?.controller ?? '';
  if (controller === '') return undefined;
  return `Deployment ${namespace}/${workloadName} is controlled by ${controller} (metadata.ownerReferences), which may change or remove it at any time; name a Deployment that nothing else controls`;
}

/** An object of somebody else that has the name of one of ours is never taken over. */
function foreignObject({ rollout, key, namespace, workloadName, observed, scene, kinds }: Ground): string | undefined {
  const extra = canaryName(workloadName);
  if (styleOf(rollout) === 'canary' && scene.deployment(extra)?.canaryOf === '')
    return foreignText('Deployment', namespace, extra);
  for (const service of settingsOf(rollout).hasCanaryServices ? stableServices(rollout) : []) {
    const canary = scene.service(canaryName(service));
    if (canary !== undefined && !isServiceFor(canary, rollout))
      return foreignText('Service', namespace, canaryName(service));
  }
  for (const { placed } of observed.scripts) {
    const { request, name: stable } = placed.target;
    if (request.contract !== 'ingress') continue;
    const canary = kinds.of(RESOURCES.ingress).get(namespace, canaryName(stable));
    if (canary !== undefined && canary.made?.rollout !== key)
      return foreignText('Ingress', namespace, canaryName(stable));
  }
  return undefined;
}

/** A Service that could not be split by versions, or would lose pods by it (attacks S13). */
function unfitService(ground: Ground): string | undefined {
  const { rollout, namespace, key, scene, index } = ground;
  if (!settingsOf(rollout).hasCanaryServices) return undefined;
  for (const name of stableServices(rollout)) {
    const service = scene.service(name);
    if (service === undefined) continue; // a condition says so
    const problem = splitProblem(service, rollout) ?? otherPods(name, ground);
    if (problem !== undefined) return `Service ${namespace}/${name} ${problem}`;
    const others = [...index.naming({ group: '', kind: 'Service', name }, namespace)].filter(
      (each) => each !== key && !isRoutingKey(each), // that changes no Service
    );
    if (others.length > 0)
      return `Service ${namespace}/${name} is named by Rollout ${others.join(', ')}, too; a Service can be split for one of them only: give each its own Service`;
  }
  return undefined;
}

function splitProblem(service: JsonMap, rollout: Rollout): string | undefined {
  const spec = member(service, 'spec');
  if (member(spec, 'type') === 'ExternalName')
    return 'is of type ExternalName and leads to no pods; name a Service that selects the pods of the workload';
  const selector = isMap(spec) ? ownSelector(service, rollout) : {};
  return Object.keys(selector).length === 0
    ? 'has no selector, so that it cannot be told which of its endpoints are of which version; write spec.selector'
    : undefined;
}

/** Pods behind the Service that are not of the workload: they would get no traffic while it selects one version. */
function otherPods(service: string, { scene, workloadName }: Ground): string | undefined {
  const owners = [scene.deployment(workloadName), scene.canaryOf(workloadName)];
  const sets = owners.flatMap((owner) => (owner === undefined ? [] : scene.setsOf(owner)));
  const own = new Set(sets.map(({ uid }) => uid));
  const other = [...scene.endpoints(service).all].find((name) => {
    const pod = scene.pod(name);
    return pod !== undefined && !own.has(pod.owner);
  });
  return (
    other &&
    `leads to pods of other workloads as well (${other}), which would get no traffic in a release; give them a Service of their own`
  );
}

function stableServices(rollout: Rollout): string[] {
  return settingsOf(rollout).routings.map(({ service }) => service);
}
