import type { CanaryStep, Rollout } from '../api/generated.ts';
import { ANNOTATIONS, ON_DELETE } from '../api/names.ts';
import type { Json, JsonMap } from '../json/value.ts';
import type { Script } from '../lua/script.ts';
import { type Directive, FORMAT, type GatewayAction, type Style } from '../rewrite/directive.ts';
import type { Target } from './targets.ts';

/** The steps of a Rollout (v1beta1), whichever strategy it has. */
export function stepsOf(rollout: Rollout): readonly CanaryStep[] {
  const strategy = rollout.spec?.strategy;
  return strategy?.canary?.steps ?? strategy?.blueGreen?.steps ?? [];
}

/** How a Rollout releases its workload (compat §1.2). */
export function styleOf({ spec }: Rollout): Style {
  if (spec?.strategy.blueGreen !== undefined) return 'blueGreen';
  return spec?.strategy.canary?.enableExtraWorkloadForCanary === true ? 'canary' : 'partition';
}

/** What a workload carries between releases, so that the write that brings a new version can be held. */
export function armedDirective(rollout: Rollout): Directive {
  const { name = '', namespace = 'default', uid = '', annotations } = rollout.metadata;
  const onDelete = ON_DELETE.find((known) => known === annotations?.[ANNOTATIONS.onDelete]);
  return {
    format: FORMAT,
    rollout: { namespace, name, uid },
    revision: '',
    step: 0,
    continues: false,
    action: { type: 'armed', style: styleOf(rollout), ...(onDelete === undefined ? {} : { onDelete }) },
  };
}

/** What a step's directive is written for. */
export type DirectiveOptions = {
  /** The revision that is released. */
  readonly revision?: string;
  /** The object was rewritten before in the same release. */
  readonly continues?: boolean;
  /** Another percentage than the step's own: on the way to it, or back. */
  readonly weight?: number;
};

/**
 * What a step wants of a gateway object. Undefined for a step with neither traffic nor matches: the object is then what
 * it is without a release (compat §2.4).
 *
 * @param step 1-based, as in the Rollout's status.
 * @param matches the step's `matches` as scripts get them: expressions compiled, types written out.
 */
export function stepDirective(
  rollout: Rollout,
  step: number,
  target: Target,
  script: Script,
  matches: readonly JsonMap[],
  { revision = '', continues = false, weight = percent(stepsOf(rollout)[step - 1]?.traffic) }: DirectiveOptions = {},
): Directive | undefined {
  const canaryStep = stepsOf(rollout)[step - 1];
  if (canaryStep === undefined) return undefined;
  if (weight === undefined && matches.length === 0) return undefined;
  const { name = '', namespace = 'default', uid = '' } = rollout.metadata;
  const action: GatewayAction = {
    contract: target.request.contract,
    script: { name: script.name, hash: script.hash },
    routes: target.routes,
    ...(weight === undefined ? {} : { weight }),
    ...(matches.length === 0 ? {} : { matches }),
    ...stepExtras(canaryStep),
    ...podMetadata(rollout),
  };
  return {
    format: FORMAT,
    rollout: { namespace, name, uid },
    revision,
    step,
    continues,
    action: { type: 'gateway', ...action },
  };
}

function stepExtras({ requestHeaderModifier, mirror }: CanaryStep): Partial<GatewayAction> {
  return {
    ...(requestHeaderModifier === undefined ? {} : { requestHeaderModifier: asMap(requestHeaderModifier) }),
    ...(mirror === undefined ? {} : { mirror: asMap(mirror) }),
  };
}

function podMetadata(rollout: Rollout): Partial<GatewayAction> {
  const patch = rollout.spec?.strategy.canary?.patchPodTemplateMetadata;
  return patch === undefined ? {} : { podMetadata: asMap(patch) };
}

/** `"20%"` → 20; undefined stays undefined. */
function percent(traffic: string | undefined): number | undefined {
  return traffic === undefined ? undefined : Number.parseInt(traffic, 10);
}

/** API types are JSON maps; TypeScript cannot see that an interface has no other members. */
function asMap(value: object): JsonMap {
  return value as { readonly [key: string]: Json };
}
