import type { Rollout, TrafficRoutingSpec } from '../api/generated.ts';
import type { Directive, Style } from '../rewrite/directive.ts';
import type { PodMetadata } from '../rollout/pod-metadata.ts';
import type { Amount } from './replicas.ts';

/** A ReplicaSet of the workload, or of its canary Deployment. */
export type ReplicaSet = {
  readonly name: string;
  /** Hash of its pod template (see `src/rewrite/template.ts`). */
  readonly template: string;
  /** Value of its label `pod-template-hash`. */
  readonly podTemplateHash: string;
  /** `spec.replicas`. */
  readonly desired: number;
  /** Pods that it has (`status.replicas`), and those that are ready; none while its status is of an older spec. */
  readonly created: number;
  readonly ready: number;
  readonly minReadySeconds: number;
  /** Pods that it may not go below while it has traffic (annotation `sluice.dev/floor`); empty without. */
  readonly floor: string;
  /** The size of its Deployment that it was last scaled for (annotation `deployment.kubernetes.io/desired-replicas`). */
  readonly scaledFor: number | undefined;
  /** What its pods get at their creation (see `src/rollout/pod-metadata.ts`); empty for nothing. */
  readonly podMetadata: string;
  /** What its template says of its pods. */
  readonly templateMetadata: PodMetadata;
  /** Its pods that are not being deleted. */
  readonly pods: readonly Pod[];
};

export type Pod = PodMetadata & { readonly name: string };

/** The Deployment that is released. */
export type Workload = {
  /** `spec.replicas`. */
  readonly replicas: number;
  readonly generation: number;
  /** Whether the native controller has seen this generation. */
  readonly isObserved: boolean;
  /** Hash of its pod template. */
  readonly template: string;
  /** Whether it is stored as paused. */
  readonly isPaused: boolean;
  /** The Rollout's directive on it, when it is of type `workload`. */
  readonly directive: Directive | undefined;
  /** Whether the object is what the directive says. */
  readonly isInEffect: boolean;
  /** The owner's own settings, as they are without a release. */
  readonly own: {
    readonly isPaused: boolean;
    /** Of type `Recreate`: no two versions may run side by side. */
    readonly isRecreate: boolean;
    readonly maxSurge: Amount | undefined;
    readonly maxUnavailable: Amount | undefined;
    readonly minReadySeconds: number;
  };
  /** Label or annotation `rollouts.kruise.io/rollout-id`; empty without. */
  readonly rolloutId: string;
  /** Pods of the current template, and pods that count as available, as its status says. */
  readonly updated: number;
  readonly available: number;
  readonly total: number;
  readonly sets: readonly ReplicaSet[];
};

/** The extra Deployment of the canary style. */
export type CanaryDeployment = {
  readonly desired: number;
  readonly template: string;
  readonly isDeleting: boolean;
  readonly sets: readonly ReplicaSet[];
};

/** A stable Service and its canary Service. */
export type ServicePair = {
  readonly stable: string;
  /** The `pod-template-hash` in the stable Service's selector by our directive, once that is in effect; undefined without. */
  readonly pin: string | undefined;
  /** Whether the Service is what its directive, or none, says. */
  readonly isInEffect: boolean;
  /** Names of the pods that are ready endpoints of the stable Service; undefined where there is no such Service. */
  readonly endpoints: ReadonlySet<string> | undefined;
  /** The same of the canary Service; undefined while there is none. */
  readonly canary: { readonly revision: string; readonly endpoints: ReadonlySet<string> } | undefined;
};

/** A gateway object, or all those of a TrafficRouting together. */
export type Gateway = {
  /** What it does now: `none` when it carries no directive of the Rollout, `other` for a directive of an earlier plan. */
  readonly traffic: GatewayTraffic | 'none' | 'other';
  /** Percent that the new version gets by the directive that the object carries; undefined where it sets no weight. */
  readonly weight: number | undefined;
  /** Whether the object is what its directive, or none, says. */
  readonly isInEffect: boolean;
};

/** What a gateway object does in a step. */
export type GatewayTraffic = {
  readonly step: number;
  /** In percent, where it differs from the step's own. */
  readonly weight: number | undefined;
};

/** All that a release depends on, at one moment. */
export type Observed = {
  readonly rollout: Rollout;
  /** What the TrafficRouting says that the Rollout names; undefined where it names none, or there is none. */
  readonly routing: TrafficRoutingSpec | undefined;
  readonly style: Style;
  readonly isDeleting: boolean;
  /** What keeps a release from beginning, and what to do about it; undefined when all is well. */
  readonly obstacle: string | undefined;
  readonly workload: Workload | undefined;
  readonly canary: CanaryDeployment | undefined;
  readonly services: readonly ServicePair[];
  /** Labels by which the workload or a stable Service selects its pods. */
  readonly selectingLabels: readonly string[];
  /** Objects that lead traffic to Services. */
  readonly gateways: readonly Gateway[];
  /** Objects that say what can be led to: subsets of a Service, say. Like canary Services they come before traffic, and go after it. */
  readonly destinations: readonly Gateway[];
};

/**
 * What everything that belongs to a release is to be now. `keep` leaves a thing as it is.
 */
export type Wish = {
  /** The workload's directive: `armed` ends its rewriting. */
  readonly workload: WorkloadWish | 'armed' | 'keep';
  /** ReplicaSets that Sluice scales or marks itself (design §2, P1: the exceptions). */
  readonly sets: readonly SetWish[];
  /** Pods of the canary Deployment. */
  readonly canaryDeployment: { readonly replicas: number } | 'absent' | 'keep';
  /** The `pod-template-hash` that stable Services select. */
  readonly pin: string | 'none' | 'keep';
  /** The `pod-template-hash` that canary Services select. */
  readonly canaryService: string | 'absent' | 'keep';
  readonly traffic: GatewayTraffic | 'none' | 'keep';
  readonly destinations: 'present' | 'absent' | 'keep';
  /** Labels and annotations that pods of the new version lack, or are to lose. */
  readonly pods: readonly PodWish[];
};

export type PodWish = {
  readonly name: string;
  /** Null takes one away. */
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
};

export type WorkloadWish = {
  readonly paused: boolean;
  readonly walk?: { readonly maxSurge: number | string; readonly maxUnavailable: number | string };
  readonly still?: true;
};

export type SetWish = {
  readonly name: string;
  readonly replicas?: number;
  /**
   * The size of the Deployment that this is for. The native controller takes a set that was scaled for another size for a
   * sign of scaling, and does nothing else before it has dealt with it (pkg/controller/deployment isScalingEvent).
   */
  readonly scaledFor?: number;
  readonly minReadySeconds?: number;
  /** Its floor, or empty for none (see `src/rewrite/floor.ts`). */
  readonly floor?: string;
  readonly podMetadata?: string;
  /** An empty set that the native controller would fill when the workload is scaled up from 0. */
  readonly isRemoved?: true;
};

export const KEEP: Wish = {
  workload: 'keep',
  sets: [],
  canaryDeployment: 'keep',
  pin: 'keep',
  canaryService: 'keep',
  traffic: 'keep',
  destinations: 'keep',
  pods: [],
};
