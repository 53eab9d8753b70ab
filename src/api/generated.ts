// Made from chart/files/crds by `npm run generate`. Do not edit.

/**
 * Every kind of the API by name and version.
 */
export interface Kinds {
  'Rollout/v1beta1': Rollout;
  'Rollout/v1alpha1': V1Alpha1Rollout;
  'TrafficRouting/v1alpha1': V1Alpha1TrafficRouting;
}
/**
 * A Rollout says how new versions of one workload are released: in which steps, with how many pods and with how much traffic.
 */
export interface Rollout {
  apiVersion: 'rollouts.kruise.io/v1beta1';
  kind: 'Rollout';
  metadata: ObjectMeta;
  spec?: RolloutSpec;
  status?: RolloutStatus;
}
export interface ObjectMeta {
  name?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  deletionTimestamp?: string;
  labels?: {
    [k: string]: string;
  };
  annotations?: {
    [k: string]: string;
  };
  finalizers?: string[];
}
/**
 * The plan of the release.
 */
export interface RolloutSpec {
  workloadRef: ObjectRef;
  /**
   * True stops the handling of this workload; a release in progress is finished first.
   */
  disabled?: boolean;
  strategy: RolloutStrategy;
}
/**
 * The workload that is released, in the namespace of this object.
 */
export interface ObjectRef {
  /**
   * Group and version of the object, such as `networking.istio.io/v1beta1`.
   */
  apiVersion: string;
  /**
   * Kind of the object.
   */
  kind: string;
  /**
   * Name of the object.
   */
  name: string;
}
/**
 * How the release goes. Exactly one of `canary` and `blueGreen` is given.
 */
export interface RolloutStrategy {
  /**
   * True holds the release where it is.
   */
  paused?: boolean;
  canary?: CanaryStrategy;
  blueGreen?: BlueGreenStrategy;
}
/**
 * Gradual release: step by step the new version replaces the old one.
 */
export interface CanaryStrategy {
  /**
   * Steps of the release, in order.
   */
  steps?: CanaryStep[];
  /**
   * Services and gateway objects that carry the traffic of this workload. All of them are switched in each step.
   */
  trafficRoutings?: TrafficRoutingRef[];
  /**
   * Pods of the new version that may be unready without holding up a step: a number or a percentage.
   */
  failureThreshold?: number | string;
  /**
   * Seconds without any progress after which `onFailure` applies. 600 when absent.
   */
  progressDeadlineSeconds?: number;
  /**
   * What happens when the release makes no progress for so long: `pause` waits and says so, `rollback` takes the traffic and the pods back to the old version. `pause` when absent.
   */
  onFailure?: 'pause' | 'rollback';
  patchPodTemplateMetadata?: PodMetadata;
  /**
   * True runs the new version in an extra Deployment until the end; false updates the pods of the workload itself, part by part.
   */
  enableExtraWorkloadForCanary?: boolean;
  /**
   * Name of a TrafficRouting object that steers the traffic.
   */
  trafficRoutingRef?: string;
  /**
   * When true no canary Service is made: both versions stand behind the stable Service.
   */
  disableGenerateCanaryService?: boolean;
}
/**
 * One step of the release.
 */
export interface CanaryStep {
  /**
   * Share of requests that the new version gets, as a percentage such as `"20%"`.
   */
  traffic?: string;
  /**
   * Requests that go to the new version: those for which at least one entry holds. Together with `traffic`, the requests that no entry takes are split by weight.
   */
  matches?: RouteMatch[];
  requestHeaderModifier?: RequestHeaderModifier;
  mirror?: Mirror;
  /**
   * Pods of the new version once this step is done: a number (`3`) or a share of all pods (`"20%"`).
   */
  replicas?: number | string;
  pause?: Pause;
}
/**
 * A group of conditions that must all hold. At least one condition is needed.
 */
export interface RouteMatch {
  path?: PathMatch;
  /**
   * Conditions on request headers; all of them must hold.
   */
  headers?: ValueMatch[];
  /**
   * Conditions on query parameters; all of them must hold.
   */
  queryParams?: ValueMatch[];
  /**
   * The HTTP method that the request must have.
   */
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'CONNECT' | 'OPTIONS' | 'TRACE' | 'PATCH';
  /**
   * Conditions on cookies; all of them must hold.
   */
  cookies?: ValueMatch[];
  /**
   * A condition in words, which must hold together with the other fields of this entry. Operands: header("name"), cookie("name"), query("name"), path, method. Operators: ==, !=, regex, prefix, in ("a", "b"). Combined by and, or, not and parentheses. At most 64 alternatives when written out.
   */
  expression?: string;
}
/**
 * Condition on the path of the request.
 */
export interface PathMatch {
  /**
   * How `value` is compared: `Exact`, `PathPrefix` (whole path elements) or `RegularExpression` (RE2).
   */
  type?: 'Exact' | 'PathPrefix' | 'RegularExpression';
  /**
   * The path, path prefix or expression.
   */
  value?: string;
}
/**
 * One condition on a request header.
 */
export interface ValueMatch {
  /**
   * Name of the request header.
   */
  name: string;
  /**
   * How `value` is compared: `Exact` for the very same text, `RegularExpression` for an RE2 expression.
   */
  type?: 'Exact' | 'RegularExpression';
  /**
   * The text or expression that the header is compared with.
   */
  value: string;
}
/**
 * Changes to the headers of requests that go to the new version.
 */
export interface RequestHeaderModifier {
  /**
   * Headers that are written, replacing what the request had.
   */
  set?: HeaderValue[];
  /**
   * Headers that are added to what the request has.
   */
  add?: HeaderValue[];
  /**
   * Names of headers that are taken off.
   */
  remove?: string[];
}
/**
 * A header to set.
 */
export interface HeaderValue {
  /**
   * Name of the header.
   */
  name: string;
  /**
   * Value of the header.
   */
  value: string;
}
/**
 * Copies of requests that are sent to the new version beside the real traffic; answers to copies are thrown away.
 */
export interface Mirror {
  /**
   * Share of requests that are copied, from 1 to 100.
   */
  percent: number;
}
/**
 * What the release waits for after this step.
 */
export interface Pause {
  /**
   * Seconds to wait before the next step. Without it the step waits for an approval.
   */
  duration?: number;
}
/**
 * A stable Service and the gateway objects that lead to it.
 */
export interface TrafficRoutingRef {
  /**
   * Name of the Service that the stable version stands behind.
   */
  service: string;
  /**
   * Seconds to wait after each change of a Service or of a gateway object.
   */
  gracePeriodSeconds?: number;
  ingress?: IngressRef;
  gateway?: GatewayRef;
  /**
   * Gateway objects of any other kind, each steered by the script of its kind. They live in the namespace of this object.
   */
  customNetworkRefs?: ObjectRef[];
}
/**
 * An Ingress to steer.
 */
export interface IngressRef {
  /**
   * Which Ingress script is used; `nginx` when empty.
   */
  classType?: string;
  /**
   * Name of the Ingress.
   */
  name: string;
}
/**
 * A Gateway API route to steer.
 */
export interface GatewayRef {
  /**
   * Name of the HTTPRoute.
   */
  httpRouteName?: string;
}
/**
 * Labels and annotations for the pods of the new version.
 */
export interface PodMetadata {
  /**
   * Annotations for the pods of the new version.
   */
  annotations?: {
    [k: string]: string;
  };
  /**
   * Labels for the pods of the new version.
   */
  labels?: {
    [k: string]: string;
  };
}
/**
 * A full second set of pods is brought up before the old one goes.
 */
export interface BlueGreenStrategy {
  /**
   * Steps of the release, in order.
   */
  steps?: CanaryStep[];
  /**
   * Services and gateway objects that carry the traffic of this workload. All of them are switched in each step.
   */
  trafficRoutings?: TrafficRoutingRef[];
  /**
   * Pods of the new version that may be unready without holding up a step: a number or a percentage.
   */
  failureThreshold?: number | string;
  /**
   * Seconds without any progress after which `onFailure` applies. 600 when absent.
   */
  progressDeadlineSeconds?: number;
  /**
   * What happens when the release makes no progress for so long: `pause` waits and says so, `rollback` takes the traffic and the pods back to the old version. `pause` when absent.
   */
  onFailure?: 'pause' | 'rollback';
  /**
   * Seconds for which the old pods are kept after all traffic has moved, so that the way back is instant. 30 when absent.
   */
  scaleDownDelaySeconds?: number;
  /**
   * Name of a TrafficRouting object that steers the traffic.
   */
  trafficRoutingRef?: string;
  /**
   * When true no canary Service is made: both versions stand behind the stable Service.
   */
  disableGenerateCanaryService?: boolean;
}
/**
 * State of the release, written by the controller.
 */
export interface RolloutStatus {
  /**
   * Generation of this object that was last acted on.
   */
  observedGeneration?: number;
  /**
   * State of the release as a whole.
   */
  phase?: string;
  /**
   * State in words.
   */
  message?: string;
  /**
   * Aspects of the state.
   */
  conditions?: Condition[];
  /**
   * Step that the release is in, counted from 1.
   */
  currentStepIndex: number;
  /**
   * Where the release stands within the step.
   */
  currentStepState: string;
  release?: Release;
  canaryStatus?: CanaryStatus;
  blueGreenStatus?: BlueGreenStatus;
}
/**
 * One aspect of the state.
 */
export interface Condition {
  /**
   * Name of the aspect.
   */
  type: string;
  /**
   * `True`, `False` or `Unknown`.
   */
  status: string;
  /**
   * The cause in one word, for programs.
   */
  reason: string;
  /**
   * The cause in words, for people.
   */
  message: string;
  /**
   * When this entry was last written.
   */
  lastUpdateTime?: string;
  /**
   * When `status` last changed.
   */
  lastTransitionTime?: string;
}
/**
 * What Sluice remembers of a release, beyond what other tools read.
 */
export interface Release {
  /**
   * Hash of the pod template of the old version.
   */
  stableTemplate?: string;
  /**
   * Hash of the pod template of the new version.
   */
  canaryTemplate?: string;
  /**
   * When the release began.
   */
  startTime?: string;
  /**
   * When the current step began.
   */
  stepTime?: string;
  /**
   * When the release ended.
   */
  finishTime?: string;
  /**
   * How the release ends or ended: `Success`, `Rollback`, `Superseded`, `Failure`, `Abort`, `Disabled`, `Deleted` or `WorkloadGone`; empty while it goes forward.
   */
  outcome?: string;
  /**
   * What somebody asks for: `promote` goes through all steps without a pause, `abort` takes traffic and pods back to the old version, `retry` begins again after that; empty when it is carried out.
   */
  request?: '' | 'promote' | 'abort' | 'retry';
  /**
   * The step that an approval is meant for, counted from 1; written together with it. An approval that names no step is refused in the first two seconds of a pause.
   */
  approvedStep?: number;
  /**
   * Percent of the traffic that the new version gets now by weight.
   */
  weight?: number;
  /**
   * Whether matched requests go to the new version now.
   */
  hasMatches?: boolean;
  /**
   * Fingerprint of what Services and gateway objects are to be.
   */
  network?: string;
  /**
   * When Services and gateway objects became so; grace periods count from here.
   */
  networkTime?: string;
  /**
   * Fingerprint of how far the pods are.
   */
  progress?: string;
  /**
   * When something last moved; the progress deadline counts from here.
   */
  progressTime?: string;
}
/**
 * Progress of the release.
 */
export interface CanaryStatus {
  /**
   * Generation of the workload that this status was reckoned from.
   */
  observedWorkloadGeneration?: number;
  /**
   * Id of the release, as the workload carries it.
   */
  observedRolloutID?: string;
  /**
   * Hash of the release plan, to notice changes of it.
   */
  rolloutHash?: string;
  /**
   * Revision of the old version.
   */
  stableRevision?: string;
  /**
   * Value of the label that tells pods of the new version.
   */
  podTemplateHash: string;
  /**
   * Step that the release is in, counted from 1.
   */
  currentStepIndex?: number;
  /**
   * Step that comes next; written to jump.
   */
  nextStepIndex: number;
  /**
   * Part of the closing sequence that runs now, or empty.
   */
  finalisingStep: string;
  /**
   * Where the release stands within the step.
   */
  currentStepState: string;
  /**
   * State in words.
   */
  message?: string;
  /**
   * When the step state last changed.
   */
  lastUpdateTime?: string;
  /**
   * Revision of the new version.
   */
  canaryRevision: string;
  /**
   * Pods of the new version.
   */
  canaryReplicas: number;
  /**
   * Ready pods of the new version.
   */
  canaryReadyReplicas: number;
}
/**
 * Progress of the release.
 */
export interface BlueGreenStatus {
  /**
   * Generation of the workload that this status was reckoned from.
   */
  observedWorkloadGeneration?: number;
  /**
   * Id of the release, as the workload carries it.
   */
  observedRolloutID?: string;
  /**
   * Hash of the release plan, to notice changes of it.
   */
  rolloutHash?: string;
  /**
   * Revision of the old version.
   */
  stableRevision?: string;
  /**
   * Value of the label that tells pods of the new version.
   */
  podTemplateHash: string;
  /**
   * Step that the release is in, counted from 1.
   */
  currentStepIndex?: number;
  /**
   * Step that comes next; written to jump.
   */
  nextStepIndex: number;
  /**
   * Part of the closing sequence that runs now, or empty.
   */
  finalisingStep: string;
  /**
   * Where the release stands within the step.
   */
  currentStepState: string;
  /**
   * State in words.
   */
  message?: string;
  /**
   * When the step state last changed.
   */
  lastUpdateTime?: string;
  /**
   * Revision of the new version.
   */
  updatedRevision: string;
  /**
   * Pods of the new version.
   */
  updatedReplicas: number;
  /**
   * Ready pods of the new version.
   */
  updatedReadyReplicas: number;
}
/**
 * A Rollout says how new versions of one workload are released: in which steps, with how many pods and with how much traffic.
 */
export interface V1Alpha1Rollout {
  apiVersion: 'rollouts.kruise.io/v1alpha1';
  kind: 'Rollout';
  metadata: ObjectMeta;
  spec?: V1Alpha1RolloutSpec;
  status?: V1Alpha1RolloutStatus;
}
/**
 * The plan of the release.
 */
export interface V1Alpha1RolloutSpec {
  objectRef: RolloutTarget;
  /**
   * Deprecated and without effect: the workload carries the id of a release.
   */
  rolloutID?: string;
  /**
   * True stops the handling of this workload; a release in progress is finished first.
   */
  disabled?: boolean;
  strategy: V1Alpha1RolloutStrategy;
}
/**
 * What is released.
 */
export interface RolloutTarget {
  workloadRef?: ObjectRef;
}
/**
 * How the release goes.
 */
export interface V1Alpha1RolloutStrategy {
  /**
   * True holds the release where it is.
   */
  paused?: boolean;
  canary?: V1Alpha1CanaryStrategy;
}
/**
 * Gradual release: step by step the new version replaces the old one.
 */
export interface V1Alpha1CanaryStrategy {
  /**
   * Steps of the release, in order.
   */
  steps?: V1Alpha1CanaryStep[];
  /**
   * Services and gateway objects that carry the traffic of this workload. All of them are switched in each step.
   */
  trafficRoutings?: V1Alpha1TrafficRoutingRef[];
  /**
   * Pods of the new version that may be unready without holding up a step: a number or a percentage.
   */
  failureThreshold?: number | string;
  patchPodTemplateMetadata?: PodMetadata;
  /**
   * When true no canary Service is made: both versions stand behind the stable Service.
   */
  disableGenerateCanaryService?: boolean;
}
/**
 * One step of the release.
 */
export interface V1Alpha1CanaryStep {
  /**
   * Share of requests that the new version gets, in percent. Also the share of pods when `replicas` is not given.
   */
  weight?: number;
  /**
   * Requests that go to the new version: those for which at least one entry holds.
   */
  matches?: V1Alpha1RouteMatch[];
  requestHeaderModifier?: RequestHeaderModifier;
  /**
   * Pods of the new version once this step is done: a number (`3`) or a share of all pods (`"20%"`).
   */
  replicas?: number | string;
  pause?: Pause;
}
/**
 * A group of conditions that must all hold. At least one condition is needed.
 */
export interface V1Alpha1RouteMatch {
  /**
   * Conditions on request headers; all of them must hold.
   */
  headers?: ValueMatch[];
}
/**
 * A stable Service and the gateway objects that lead to it.
 */
export interface V1Alpha1TrafficRoutingRef {
  /**
   * Name of the Service that the stable version stands behind.
   */
  service: string;
  /**
   * Seconds to wait after each change of a Service or of a gateway object.
   */
  gracePeriodSeconds?: number;
  ingress?: IngressRef;
  gateway?: GatewayRef;
  /**
   * Gateway objects of any other kind, each steered by the script of its kind. They live in the namespace of this object.
   */
  customNetworkRefs?: ObjectRef[];
  /**
   * Older name of `customNetworkRefs`. Deprecated: write `customNetworkRefs`.
   */
  networkRefs?: ObjectRef[];
  /**
   * Older, opposite form of `canary.disableGenerateCanaryService`. Deprecated: write that field.
   */
  createCanaryService?: boolean;
}
/**
 * State of the release, written by the controller.
 */
export interface V1Alpha1RolloutStatus {
  /**
   * Generation of this object that was last acted on.
   */
  observedGeneration?: number;
  /**
   * State of the release as a whole.
   */
  phase?: string;
  /**
   * State in words.
   */
  message?: string;
  /**
   * Aspects of the state.
   */
  conditions?: Condition[];
  canaryStatus?: CanaryStatus;
}
/**
 * A TrafficRouting is a traffic rule that several Rollouts may use: it applies while at least one of them is in a release.
 */
export interface V1Alpha1TrafficRouting {
  apiVersion: 'rollouts.kruise.io/v1alpha1';
  kind: 'TrafficRouting';
  metadata: ObjectMeta;
  spec?: TrafficRoutingSpec;
  status?: TrafficRoutingStatus;
}
/**
 * What is steered, and how.
 */
export interface TrafficRoutingSpec {
  /**
   * Services and gateway objects that carry the traffic.
   */
  objectRef: TrafficRoutingRef[];
  strategy: TrafficRoutingStrategy;
}
/**
 * How the traffic is split while a release uses this object.
 */
export interface TrafficRoutingStrategy {
  /**
   * Share of requests that the new version gets, in percent.
   */
  weight?: number;
  /**
   * Requests that go to the new version: those for which at least one entry holds.
   */
  matches?: V1Alpha1RouteMatch[];
  requestHeaderModifier?: RequestHeaderModifier;
}
/**
 * State of the routing, written by the controller.
 */
export interface TrafficRoutingStatus {
  /**
   * Generation of this object that was last acted on.
   */
  observedGeneration?: number;
  /**
   * `Initial`, `Healthy`, `Progressing`, `Finalizing` or `Terminating`.
   */
  phase?: string;
  /**
   * State in words.
   */
  message?: string;
}
