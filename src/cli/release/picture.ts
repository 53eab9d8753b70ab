import type { Style } from '../../rewrite/directive.ts';
import type { Stage } from './stage.ts';

/**
 * A release as `sluice status` shows it. This is the shape of `-o json`: fields are added, but none is renamed or taken
 * away. Times are told in whole seconds before or after the moment of the picture.
 */
export type Picture = {
  readonly rollout: RolloutPicture;
  readonly steps: readonly StepPicture[];
  readonly workload: WorkloadPicture;
  readonly network: readonly NetworkPicture[];
  /** Those that are not True; without `Progressing`, `Succeeded` and `Terminating`, which are told by the stage. */
  readonly conditions: readonly ConditionPicture[];
  readonly waits: readonly Wait[];
};

export type RolloutPicture = {
  readonly namespace: string;
  readonly name: string;
  readonly style: Style;
  readonly stage: Stage;
  readonly phase: string;
  /** Counted from 1; 0 where no release has begun. */
  readonly step: number;
  readonly state: string;
  readonly finalisingStep: string;
  /** Whether `spec.strategy.paused` holds it. */
  readonly paused: boolean;
  readonly outcome?: string;
  readonly request?: string;
  /** Percent of the traffic that the new version gets by weight. */
  readonly weight?: number;
  /** Whether matched requests go to the new version. */
  readonly hasMatches: boolean;
  readonly message: string;
  readonly ageSeconds?: number;
  readonly secondsSinceStart?: number;
  readonly secondsSinceFinish?: number;
};

export type StepPicture = {
  readonly step: number;
  /** As written: a number or a percentage. */
  readonly replicas?: number | string;
  /** Pods of the new version that the step asks for, of the workload's present size. */
  readonly pods?: number;
  readonly traffic?: string;
  readonly matches: readonly string[];
  readonly pause: { readonly type: 'approval' | 'none' } | { readonly type: 'duration'; readonly seconds: number };
  readonly place: 'done' | 'current' | 'coming';
};

export type WorkloadPicture = {
  readonly kind: string;
  readonly name: string;
  readonly images: string;
  readonly replicas: number;
  readonly paused: boolean;
  /** Why there is no more to tell, where it is not `found`. */
  readonly state: 'found' | 'missing' | 'unreadable';
  readonly reason?: string;
  /** ReplicaSets with pods, and those of the two versions of a release. */
  readonly sets: readonly SetPicture[];
};

export type SetPicture = {
  readonly name: string;
  /** The Deployment that owns it: in the canary style the new version has one of its own. */
  readonly deployment: string;
  readonly role: 'stable' | 'canary' | 'other';
  readonly revision?: number;
  /** Hash of its pod template (see `src/rewrite/template.ts`). */
  readonly template: string;
  readonly images: string;
  /** `spec.replicas`, pods that there are, and those that are ready. */
  readonly desired: number;
  readonly replicas: number;
  readonly ready: number;
  readonly pods: readonly PodPicture[];
};

export type PodPicture = {
  readonly name: string;
  /** Its phase, or the reason why a container waits or has ended: `ImagePullBackOff`. */
  readonly state: string;
  readonly message?: string;
  /** Whether the state is one that does not pass by itself. */
  readonly isProblem: boolean;
  readonly ready: boolean;
  readonly readyContainers: number;
  readonly containers: number;
  readonly restarts: number;
  readonly ageSeconds?: number;
};

export type NetworkPicture = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly role: 'stable' | 'canary' | 'gateway';
  /** `steered`: it carries a directive of the Rollout, whose content follows. */
  readonly state: 'resting' | 'steered' | 'missing' | 'unreadable';
  readonly reason?: string;
  readonly step?: number;
  readonly weight?: number;
  readonly matches: readonly string[];
  /** What a Service selects beside its own selector, or a canary Service selects. */
  readonly selector?: Readonly<Record<string, string>>;
};

export type ConditionPicture = {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly secondsSince?: number;
};

/** Why it does not go on at this moment. */
export type Wait = {
  readonly for:
    | 'approval'
    | 'pause'
    | 'resume'
    | 'pods'
    | 'traffic'
    | 'closing'
    | 'decision'
    | 'request'
    | 'obstacle'
    | 'controller';
  readonly text: string;
  /** For how long already. */
  readonly seconds?: number;
  /** How long it will take at most; 0 where that is over. */
  readonly secondsLeft?: number;
  /** Until the progress deadline, and what happens then. */
  readonly deadline?: { readonly secondsLeft: number; readonly onFailure: 'pause' | 'rollback' };
  /** What ends it, without the program's name: `approve web -n shop`. */
  readonly commands: readonly string[];
};
