import type { CanaryStep, Rollout, TrafficRoutingRef, TrafficRoutingSpec } from '../api/generated.ts';
import { ANNOTATIONS, ON_DELETE, type OnDelete } from '../api/names.ts';
import { stepsOf } from '../rollout/directives.ts';
import type { PodMetadata } from '../rollout/pod-metadata.ts';
import { routedStep, trafficRoutingOf } from '../rollout/traffic-routing.ts';
import type { GatewayTraffic } from './observed.ts';
import type { Amount } from './replicas.ts';

/** What a Rollout says of its releases, with the defaults filled in. */
export type ReleaseSettings = {
  readonly steps: readonly CanaryStep[];
  /** Services and gateway objects that the Rollout itself names. */
  readonly routings: readonly TrafficRoutingRef[];
  /** Whether gateway objects are steered at all: its own, or those of a TrafficRouting. */
  readonly isSteered: boolean;
  /** Both versions stand behind the stable Services where none are generated, and the gateway tells their pods apart. */
  readonly hasCanaryServices: boolean;
  readonly failureThreshold: Amount | undefined;
  /** What pods of the new version bear beside what their template says (`patchPodTemplateMetadata`). */
  readonly podMetadata: Partial<PodMetadata>;
  readonly graceMilliseconds: number;
  readonly deadlineMilliseconds: number;
  readonly onFailure: 'pause' | 'rollback';
  readonly scaleDownDelayMilliseconds: number;
  readonly isPaused: boolean;
  readonly isDisabled: boolean;
  /** What becomes of the release when the Rollout is deleted. */
  readonly onDelete: OnDelete;
};

const DEFAULT_GRACE_SECONDS = 3;
const DEFAULT_DEADLINE_SECONDS = 600;
const DEFAULT_SCALE_DOWN_DELAY_SECONDS = 30;

/**
 * Reads the settings of a Rollout (v1beta1). The grace period is the longest of all routings (compat §2.9). Where it has
 * none of its own and names a TrafficRouting, each step does with the traffic what that says (compat §4.8).
 *
 * @param routing what the TrafficRouting says that the Rollout names; undefined where it names none, or there is none
 */
export function settingsOf(rollout: Rollout, routing?: TrafficRoutingSpec): ReleaseSettings {
  const { canary, blueGreen, paused } = rollout.spec?.strategy ?? {};
  const strategy = canary ?? blueGreen ?? {};
  const routings = strategy.trafficRoutings ?? [];
  const isRouted = trafficRoutingOf(rollout) !== undefined;
  const isRoutedOnly = isRouted && routings.length === 0;
  const steps = stepsOf(rollout);
  const all = [...routings, ...(routing?.objectRef ?? [])];
  const grace = all.map(({ gracePeriodSeconds = DEFAULT_GRACE_SECONDS }) => gracePeriodSeconds);
  return {
    steps: isRoutedOnly ? steps.map((step) => routedStep(step, routing?.strategy)) : steps,
    routings,
    isSteered: isRouted || routings.length > 0,
    hasCanaryServices: routings.length > 0 && strategy.disableGenerateCanaryService !== true,
    failureThreshold: strategy.failureThreshold,
    podMetadata: canary?.patchPodTemplateMetadata ?? {},
    graceMilliseconds: 1000 * Math.max(0, ...grace),
    deadlineMilliseconds: 1000 * (strategy.progressDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS),
    onFailure: strategy.onFailure ?? 'pause',
    scaleDownDelayMilliseconds: 1000 * (blueGreen?.scaleDownDelaySeconds ?? DEFAULT_SCALE_DOWN_DELAY_SECONDS),
    isPaused: paused === true,
    isDisabled: rollout.spec?.disabled === true,
    onDelete: ON_DELETE.find((known) => known === rollout.metadata.annotations?.[ANNOTATIONS.onDelete]) ?? 'hold',
  };
}

/** Whether a step says anything of traffic; one that does not leaves it to the Services (compat §2.4). */
export function steersTraffic({ isSteered }: ReleaseSettings, step: CanaryStep | undefined): boolean {
  return isSteered && (step?.traffic !== undefined || (step?.matches ?? []).length > 0);
}

/** Whether the gateway tells the versions behind one Service apart by labels that only the Rollout gives to pods. */
export function toldByLabels({ routings, hasCanaryServices, podMetadata }: ReleaseSettings): boolean {
  return routings.length > 0 && !hasCanaryServices && Object.keys(podMetadata.labels ?? {}).length > 0;
}

/** What gateway objects do in a step (1-based) at another weight than the step's own; at the same weight it is the step itself. */
export function atWeight({ steps }: ReleaseSettings, step: number, weight: number): GatewayTraffic {
  const planned = steps[step - 1];
  const isPlanned = weightOf(planned) === weight && (weight < 100 || (planned?.matches ?? []).length === 0);
  return { step, weight: isPlanned ? undefined : weight };
}

/** Percent of the traffic that a step gives the new version by weight; undefined where it sets no weight. */
export function weightOf(step: CanaryStep | undefined): number | undefined {
  return step?.traffic === undefined ? undefined : Number.parseInt(step.traffic, 10);
}
