/**
 * Names that stand in users' clusters: API group, annotation, label and finalizer keys, names of our objects. Those of
 * `rollouts.kruise.io` are given by the API that we are compatible with and never change.
 */

export const GROUP = 'rollouts.kruise.io';
export const V1ALPHA1 = `${GROUP}/v1alpha1`;
export const V1BETA1 = `${GROUP}/v1beta1`;
export type RolloutApiVersion = typeof V1ALPHA1 | typeof V1BETA1;

/** Where Sluice is installed unless its users choose otherwise. */
export const DEFAULT_NAMESPACE = 'sluice-system';

/** Who Sluice's controller is to API servers, when Sluice is installed in this namespace. */
export function controllerUser(namespace: string): string {
  return `system:serviceaccount:${namespace}:sluice-controller`;
}

/** Keys of our own; everything under this domain may be written by the controller. */
export const DOMAIN = 'sluice.dev';

export const ANNOTATIONS = {
  /** On gateway objects, Services and workloads: spec, labels and annotations as the user meant them, as JSON. */
  original: 'rollouts.kruise.io/original-spec-configuration',
  /** On v1alpha1 Rollouts: `canary` or `partition`. */
  rollingStyle: 'rollouts.kruise.io/rolling-style',
  /** On Rollouts: name of a TrafficRouting object. */
  trafficRouting: 'rollouts.kruise.io/trafficrouting',
  /** On Rollouts: hash of the plan that is being carried out. */
  hash: 'rollouts.kruise.io/hash',
  rollbackInBatch: 'rollouts.kruise.io/rollback-in-batch',
  /** On workloads: which release is in progress. */
  inProgressing: 'rollouts.kruise.io/in-progressing',
  /** On workloads: id of the release (read at admission). */
  rolloutId: 'rollouts.kruise.io/rollout-id',
  /** On Rollouts: what the version that the object is in has no field for. */
  conversion: 'sluice.dev/conversion',
  /** On the script ConfigMap: `"true"` lets its scripts win over bundled ones. */
  override: 'sluice.dev/override',
  /** Mark of a rescue: guarded writes on the object pass without us. */
  rescue: 'sluice.dev/rescue',
  /** On Rollouts: what happens when it is deleted in a release: `hold`, `rollback` or `complete`. */
  onDelete: 'sluice.dev/on-delete',
  /**
   * On workloads that a Rollout has left held: the version that may come out without one, as its directive names it. Of any
   * other version it says nothing.
   */
  resume: 'sluice.dev/resume',
  /** On ReplicaSets that have traffic in a release: proportional scaling leaves them one pod. */
  floor: 'sluice.dev/floor',
  /** On ReplicaSets: labels and annotations for pods that are made from now on, as JSON `{"labels": …, "annotations": …}`. */
  podMetadata: 'sluice.dev/pod-metadata',
  /** On ReplicaSets, by the native controller: how many pods the Deployment asks for. */
  desiredReplicas: 'deployment.kubernetes.io/desired-replicas',
  /** On Deployments, by the native controller: the number of the ReplicaSet of the current template. */
  nativeRevision: 'deployment.kubernetes.io/revision',
  /** On objects of ours: the Rollout that they are there for, and the object itself, as JSON (see `made-for.ts`). */
  madeFor: 'sluice.dev/made-for',
  /** On objects of ours: the directive that they were made by, and the content of the object that they follow. */
  madeBy: 'sluice.dev/made-by',
  madeFrom: 'sluice.dev/made-from',
  lastApplied: 'kubectl.kubernetes.io/last-applied-configuration',
} as const;

/** What may stand in {@link ANNOTATIONS}`.onDelete`. */
export const ON_DELETE = ['hold', 'rollback', 'complete'] as const;
export type OnDelete = (typeof ON_DELETE)[number];

/** One annotation for each Rollout: this prefix and the Rollout's name (hashed when over 63 characters). */
export const DIRECTIVE_PREFIX = 'directive.sluice.dev/';

/**
 * Under this and its own name a TrafficRouting steers gateway objects: no Rollout can be called so, since names of objects
 * have no capital letters.
 */
export const ROUTING_PREFIX = 'TrafficRouting.';

/** On TrafficRoutings: one annotation for each Rollout whose release uses it, this prefix and the Rollout's name, cut as above. */
export const HOLD_PREFIX = 'hold.sluice.dev/';

export const LABELS = {
  workloadType: 'rollouts.kruise.io/workload-type',
  rolloutId: 'rollouts.kruise.io/rollout-id',
  rolloutName: 'rollouts.kruise.io/rollout-name',
  rolloutBatchId: 'rollouts.kruise.io/rollout-batch-id',
  stableRevision: 'rollouts.kruise.io/stable-revision',
  canaryDeployment: 'rollouts.kruise.io/canary-deployment',
  noNeedUpdate: 'rollouts.kruise.io/no-need-update',
  /** On objects of ours: the name of the Rollout that they are there for, cut where it is long. It proves nothing. */
  rollout: 'sluice.dev/rollout',
  podTemplateHash: 'pod-template-hash',
  controllerRevisionHash: 'controller-revision-hash',
  /** `"true"` on ReplicaSets that carry {@link ANNOTATIONS}`.podMetadata`, so that they can be found. */
  podMetadata: 'sluice.dev/pod-metadata',
} as const;

export const FINALIZERS = {
  rollout: 'rollouts.kruise.io/rollout',
  trafficRouting: 'rollouts.kruise.io/trafficrouting',
  /** Followed by the name of the Rollout that uses the TrafficRouting. */
  progressingPrefix: 'progressing.rollouts.kruise.io/',
} as const;

/** The ConfigMap of user scripts, in our own namespace, and the keys of its data. */
export const SCRIPT_CONFIG_MAP = {
  name: 'kruise-rollout-configuration',
  ingressPrefix: 'lua.traffic.routing.ingress.',
  customPrefix: 'lua.traffic.routing.',
} as const;

/** `lua.traffic.routing.ingress.<class type>`; an empty class type means nginx. */
export function ingressScriptKey(classType: string): string {
  return `${SCRIPT_CONFIG_MAP.ingressPrefix}${classType || 'nginx'}`;
}

/** `lua.traffic.routing.<Kind>.<group>`. */
export function customScriptKey(kind: string, group: string): string {
  return `${SCRIPT_CONFIG_MAP.customPrefix}${kind}.${group}`;
}

/** What errors call the script under a key of the ConfigMap: `ingress/<class>`, `<group>/<Kind>`; undefined for other keys. */
export function scriptNameOf(key: string): string | undefined {
  const { ingressPrefix, customPrefix } = SCRIPT_CONFIG_MAP;
  if (key.startsWith(ingressPrefix)) return `ingress/${key.slice(ingressPrefix.length)}`;
  const [, kind, group] =
    /^([^.]+)\.(.+)$/.exec(key.startsWith(customPrefix) ? key.slice(customPrefix.length) : '') ?? [];
  return kind === undefined || group === undefined ? undefined : `${group}/${kind}`;
}

/** Name of the canary Service or Ingress of a stable one. */
export function canaryName(stable: string): string {
  return `${stable}-canary`;
}
