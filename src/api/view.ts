import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { convertRollout } from './conversion.ts';
import { ANNOTATIONS, V1ALPHA1, V1BETA1 } from './names.ts';
import type { FieldPath } from './violation.ts';

/** A part of an object and where it stands in the version that was written. */
export type Part = { readonly value: Json | undefined; readonly path: FieldPath };

/** How the pods of the new version come up. `canary` means an extra Deployment. */
export type Style = 'canary' | 'partition' | 'blueGreen';

export type StepView = Part & {
  /** The field that holds the share of traffic, `traffic` or `weight`. */
  readonly traffic: Part;
  readonly replicas: Part;
  /** In v1alpha1 with what the conversion annotation holds; the path is that of the visible list. */
  readonly matches: Part;
  readonly mirror: Part;
};

/**
 * What validation reads of a Rollout, the same for both versions, each part with its real path. Parts may be missing or
 * of any shape: the schema is checked elsewhere.
 */
export type RolloutView = {
  readonly version: 'v1alpha1' | 'v1beta1';
  readonly object: Json;
  /** The same Rollout in v1beta1, hidden fields included. */
  readonly hub: JsonMap;
  readonly workload: Part;
  readonly strategy: Part;
  /** The part of the strategy that is used; undefined when there is none, or both are given. */
  readonly active: Part | undefined;
  readonly style: Style;
  readonly steps: readonly StepView[];
  readonly routings: readonly Part[];
  readonly annotations: Json | undefined;
};

/** The part that stands under a key or index of another. */
export function partOf(part: Part, key: string | number): Part {
  const value = isList(part.value) ? part.value[Number(key)] : member(part.value, String(key));
  return { value, path: [...part.path, key] };
}

/** The elements of a list part; none when it is no list. */
export function itemsOf(part: Part): Part[] {
  return isList(part.value) ? part.value.map((_, index) => partOf(part, index)) : [];
}

/** Reads a Rollout of either version. Anything else is read as an empty v1beta1 Rollout. */
export function viewRollout(object: Json): RolloutView {
  const version = member(object, 'apiVersion') === V1ALPHA1 ? 'v1alpha1' : 'v1beta1';
  const hub = convertRollout(object, V1BETA1);
  const spec: Part = { value: member(object, 'spec'), path: ['spec'] };
  const strategy = partOf(spec, 'strategy');
  const workload =
    version === 'v1alpha1' ? partOf(partOf(spec, 'objectRef'), 'workloadRef') : partOf(spec, 'workloadRef');
  const annotations = member(member(object, 'metadata'), 'annotations');
  const hubStrategy = member(member(hub, 'spec'), 'strategy');
  const active = activeOf(strategy);
  const steps = active === undefined ? [] : itemsOf(partOf(active, 'steps'));
  return {
    version,
    object,
    hub,
    workload,
    strategy,
    active,
    style: styleOf(hubStrategy, workload.value),
    steps: steps.map((step, index) => stepView(step, index, version, hubStrategy)),
    routings: active === undefined ? [] : itemsOf(partOf(active, 'trafficRoutings')),
    annotations,
  };
}

function activeOf(strategy: Part): Part | undefined {
  const given = ['canary', 'blueGreen'].map((name) => partOf(strategy, name)).filter(({ value }) => isMap(value));
  return given.length === 1 ? given[0] : undefined;
}

function stepView(step: Part, index: number, version: RolloutView['version'], hubStrategy: Json | undefined): StepView {
  const hidden = partOf(partOf({ value: member(hubStrategy, 'canary'), path: [] }, 'steps'), index).value;
  const whole = version === 'v1alpha1' ? hidden : step.value;
  return {
    ...step,
    traffic: partOf(step, version === 'v1alpha1' ? 'weight' : 'traffic'),
    replicas: partOf(step, 'replicas'),
    matches: { value: member(whole, 'matches'), path: [...step.path, 'matches'] },
    mirror: { value: member(whole, 'mirror'), path: [...step.path, 'mirror'] },
  };
}

/** Only Deployments have an extra Deployment beside them; every other workload is updated part by part. */
function styleOf(hubStrategy: Json | undefined, workload: Json | undefined): Style {
  if (isMap(member(hubStrategy, 'blueGreen'))) return 'blueGreen';
  const isExtra = member(member(hubStrategy, 'canary'), 'enableExtraWorkloadForCanary') === true;
  // a missing workload is a mistake of its own and should not look like another one
  return isExtra && (!isMap(workload) || groupKind(workload) === 'apps/Deployment') ? 'canary' : 'partition';
}

/** `group/Kind` of a reference, the version left out; the core group is empty. */
export function groupKind(ref: Json | undefined): string {
  const [group = '', version] = (stringAt(ref, 'apiVersion') ?? '').split('/');
  return `${version === undefined ? '' : group}/${stringAt(ref, 'kind') ?? ''}`;
}

/** True when a TrafficRouting object, and not the Rollout itself, carries the traffic. */
export function hasTrafficRoutingRef(view: RolloutView): boolean {
  const ref =
    stringAt(view.annotations, ANNOTATIONS.trafficRouting) ?? stringAt(view.active?.value, 'trafficRoutingRef');
  return ref !== undefined && ref !== '';
}
