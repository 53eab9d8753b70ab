import { equal } from '../json/equal.ts';
import { at, isMap, type Json, member, stringAt } from '../json/value.ts';
import { convertRollout } from './conversion.ts';
import { withDefaults } from './defaults.ts';
import { Findings } from './findings.ts';
import type { Rollout } from './generated.ts';
import { ANNOTATIONS, ON_DELETE, V1BETA1 } from './names.ts';
import { checkLowered } from './planrules.ts';
import { checkRoutings } from './routingrules.ts';
import { isRolloutVersion } from './schema.ts';
import { checkSteps } from './steprules.ts';
import { validateSchema } from './validate.ts';
import { groupKind, itemsOf, partOf, type RolloutView, viewRollout } from './view.ts';
import { type FieldPath, oneOf, quoted, type Violation, violationText } from './violation.ts';

/** What surrounds a Rollout that is written. Everything is optional: without it, what depends on it is not checked. */
export type ValidationContext = {
  /** The stored object, on an update; either version. */
  readonly old?: Json | undefined;
  /** Other Rollouts, of any namespace and either version; the object itself may be among them. */
  readonly others?: readonly Json[] | undefined;
  /** Share of pods above which a partition step may not steer traffic; default 50, as OpenKruise. */
  readonly partitionPercentLimit?: number | undefined;
  /** `spec.replicas` of the workload: steps in numbers of pods are then held to that limit too. */
  readonly workloadReplicas?: number | undefined;
};

export type Validation = { readonly violations: Violation[]; readonly warnings: string[] };

/**
 * What is wrong with a Rollout beyond its schema: the rules of OpenKruise's webhook for either version, each at its real
 * field, with its holes closed. Everything at once; never throws, whatever the object looks like.
 *
 * An update that leaves spec and the annotations that matter as they were finds nothing: finalizers and labels can be
 * written on a Rollout that an earlier or absent webhook has let through.
 */
export function validateRollout(rollout: Json, context: ValidationContext = {}): Validation {
  const findings = new Findings();
  const old = context.old === undefined ? undefined : viewRollout(context.old);
  const view = viewRollout(rollout);
  if (old !== undefined && saysTheSame(old, view)) return findings;
  const isDeleted = member(member(rollout, 'metadata'), 'deletionTimestamp') !== undefined;
  if (!isDeleted) checkPlan(view, context, findings);
  if (old !== undefined) checkFrozen(old, view, findings);
  if (old !== undefined && !isDeleted) checkLowered(old, view, findings);
  return findings;
}

/**
 * A Rollout of either version as v1beta1 with defaults, when its schema allows it.
 *
 * @param rollout a Rollout as a file or the API server gives it; `metadata` may lack what a server fills in
 */
export function readRollout(rollout: Json): { rollout: Rollout } | { violations: Violation[] } {
  const version = stringAt(rollout, 'apiVersion');
  if (!isRolloutVersion(version) || stringAt(rollout, 'kind') !== 'Rollout') {
    return {
      violations: [{ path: ['kind'], message: `is no Rollout; write apiVersion: ${V1BETA1} and kind: Rollout` }],
    };
  }
  const violations = validateSchema(rollout);
  if (violations.length > 0) return { violations };
  // validated against the schema that the type is generated from
  return { rollout: withDefaults(convertRollout(withDefaults(rollout), V1BETA1)) as unknown as Rollout };
}

function checkPlan(view: RolloutView, context: ValidationContext, findings: Findings): void {
  checkName(view, findings);
  checkWorkload(view, findings);
  checkStrategy(view, findings);
  const partitionPercent = context.partitionPercentLimit ?? 50;
  checkSteps(view, { partitionPercent, workloadReplicas: context.workloadReplicas }, findings);
  checkRoutings(view, findings);
  checkAnnotations(view, findings);
  const own = claimIn(view);
  for (const other of context.others ?? []) checkConflict(view, own, claimOf(other), findings);
}

function checkName({ object }: RolloutView, findings: Findings): void {
  const metadata = member(object, 'metadata');
  if (stringAt(metadata, 'name') !== undefined || stringAt(metadata, 'generateName') !== undefined) return;
  findings.deny(['metadata', 'name'], 'is missing; write the name of the Rollout');
}

/** Workloads that can be released, by group and kind, as OpenKruise has them with `--filter-workload-type`. */
const WORKLOADS = [
  'apps/Deployment',
  'apps/StatefulSet',
  'apps/DaemonSet',
  'apps.kruise.io/CloneSet',
  'apps.kruise.io/StatefulSet',
  'apps.kruise.io/DaemonSet',
];
const BLUE_GREEN_WORKLOADS = ['apps/Deployment', 'apps.kruise.io/CloneSet'];

function checkWorkload(view: RolloutView, findings: Findings): void {
  const { value, path } = view.workload;
  if (!isMap(value)) {
    findings.deny(path, 'is missing; write apiVersion, kind and name of the workload that is released');
    return;
  }
  const empty = ['apiVersion', 'kind', 'name'].filter((field) => (stringAt(value, field) ?? '') === '');
  for (const field of empty)
    findings.deny([...path, field], 'is missing or empty; write apiVersion, kind and name of the workload');
  if (empty.length > 0) return;
  const kind = groupKind(value);
  if (!WORKLOADS.includes(kind)) findings.deny(path, `${kind} cannot be released; write one of ${oneOf(WORKLOADS)}`);
  else if (view.style === 'blueGreen' && !BLUE_GREEN_WORKLOADS.includes(kind)) {
    findings.deny(path, `${kind} has no blue-green release; write canary, or one of ${oneOf(BLUE_GREEN_WORKLOADS)}`);
  }
}

function checkStrategy(view: RolloutView, findings: Findings): void {
  const hidden = at(view.hub, ['spec', 'strategy', 'blueGreen']);
  const [canary, blueGreen] = [partOf(view.strategy, 'canary').value, partOf(view.strategy, 'blueGreen').value];
  if (isMap(canary) && isMap(blueGreen)) {
    findings.deny(view.strategy.path, 'has both canary and blueGreen; keep one of them');
  } else if (view.version === 'v1beta1' && !isMap(canary) && !isMap(blueGreen)) {
    findings.deny(view.strategy.path, 'has neither canary nor blueGreen; write one of them, with steps');
  } else if (view.version === 'v1alpha1' && !isMap(canary) && !isMap(hidden)) {
    findings.deny([...view.strategy.path, 'canary'], 'is missing; write canary with steps');
  }
}

const STYLES = ['canary', 'partition'];

function checkAnnotations(view: RolloutView, findings: Findings): void {
  const check = (key: string, known: readonly string[], value: string | undefined) => {
    if (value === undefined || value === '' || known.includes(value)) return;
    findings.deny(['metadata', 'annotations', key], `${quoted(value)} is not known; write ${oneOf(known)}`);
  };
  check(ANNOTATIONS.onDelete, ON_DELETE, stringAt(view.annotations, ANNOTATIONS.onDelete));
  if (view.version !== 'v1alpha1') return;
  check(ANNOTATIONS.rollingStyle, STYLES, stringAt(view.annotations, ANNOTATIONS.rollingStyle)?.toLowerCase());
  const id = ['spec', 'rolloutID'];
  if (at(view.object, id) !== undefined)
    findings.warn(id, `is deprecated and has no effect; put the label ${ANNOTATIONS.rolloutId} on the workload`);
}

/** One workload, one Rollout; the version of `apiVersion` plays no part, since `apps/v1` and `apps/v1beta1` are the same object. */
/** What a Rollout has for itself. */
type Claim = {
  readonly namespace: string;
  readonly name: string;
  readonly target: string;
  readonly services: ReadonlySet<string | undefined>;
};

/** Whoever watches Rollouts gives the same thousands of objects each time that one is judged: each is read once. */
const claims = new WeakMap<object, Claim>();

function claimOf(rollout: Json): Claim {
  const known = isMap(rollout) ? claims.get(rollout) : undefined;
  if (known !== undefined) return known;
  const claim = claimIn(viewRollout(rollout));
  if (isMap(rollout)) claims.set(rollout, claim);
  return claim;
}

function claimIn(view: RolloutView): Claim {
  const services = new Set(view.routings.map(({ value }) => stringAt(value, 'service')));
  return { namespace: namespaceOf(view), name: nameOf(view), target: targetOf(view), services };
}

function checkConflict(view: RolloutView, own: Claim, other: Claim, findings: Findings): void {
  if (own.namespace !== other.namespace || own.name === other.name) return;
  const named = `Rollout ${other.namespace}/${other.name}`;
  if (isMap(view.workload.value) && own.target === other.target) {
    findings.deny(
      view.workload.path,
      `is released by ${named} already; one workload has one Rollout: change that one, or name another workload`,
    );
  }
  if (own.services.size === 0 || other.services.size === 0) return;
  for (const { value, path } of view.routings.map((routing) => partOf(routing, 'service'))) {
    if (typeof value === 'string' && other.services.has(value))
      findings.warn(path, `is a stable Service of ${named} too; their releases cannot run at the same time`);
  }
}

function namespaceOf({ object }: RolloutView): string {
  return stringAt(object, 'metadata', 'namespace') ?? 'default';
}

function nameOf({ object }: RolloutView): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}

function targetOf({ workload }: RolloutView): string {
  return `${groupKind(workload.value)}/${stringAt(workload.value, 'name') ?? ''}`;
}

/** Phases in which a release is under way and its frame must not move, as in OpenKruise. */
const FROZEN = ['Progressing', 'Terminating'];

/**
 * What must not change in a release, for both versions alike (OpenKruise leaves the step count of v1alpha1 open).
 * Compared in v1beta1, where the same thing is said in one way only; told at the field of the version that was written.
 */
function checkFrozen(old: RolloutView, view: RolloutView, findings: Findings): void {
  const phase = stringAt(old.object, 'status', 'phase');
  if (phase === undefined || !FROZEN.includes(phase)) return;
  const freeze = (path: FieldPath, before: Json, now: Json, instead: string) => {
    if (!equal(before, now)) findings.deny(path, `cannot change while the Rollout is ${phase}; ${instead}`);
  };
  const wait = 'change it back, and change it once the release is over';
  const [was, is] = [frameOf(old), frameOf(view)];
  freeze(view.workload.path, was.workload, is.workload, wait);
  freeze(stylePath(view), was.style, is.style, wait);
  if (was.style !== is.style) return;
  const place = view.active?.path ?? view.strategy.path;
  freeze([...place, 'trafficRoutings'], was.routings, is.routings, wait);
  freeze([...place, 'disableGenerateCanaryService'], was.isShared, is.isShared, wait);
  // Where the versions share a Service, these labels are how a gateway tells them apart.
  if (is.isShared) freeze([...place, 'patchPodTemplateMetadata', 'labels'], was.podLabels, is.podLabels, wait);
  freeze([...place, 'steps'], was.steps, is.steps, `keep ${was.steps} steps; what a step says may change`);
}

type Frame = {
  workload: Json;
  style: string;
  routings: Json;
  /** Both versions are behind the stable Services. */
  isShared: boolean;
  podLabels: Json;
  steps: number;
};

function frameOf({ hub }: RolloutView): Frame {
  const whole = withDefaults(hub);
  const strategy = at(whole, ['spec', 'strategy']);
  const name = isMap(member(strategy, 'blueGreen')) ? 'blueGreen' : 'canary';
  const active = member(strategy, name);
  const isExtra = name === 'canary' && member(active, 'enableExtraWorkloadForCanary') === true;
  return {
    workload: at(whole, ['spec', 'workloadRef']) ?? null,
    style: isExtra ? 'extra workload' : name,
    routings: member(active, 'trafficRoutings') ?? [],
    isShared: member(active, 'disableGenerateCanaryService') === true,
    podLabels: at(active, ['patchPodTemplateMetadata', 'labels']) ?? {},
    steps: itemsOf(partOf({ value: active, path: [] }, 'steps')).length,
  };
}

/** Where the version that was written says how the release goes. */
function stylePath(view: RolloutView): FieldPath {
  if (view.version === 'v1alpha1') return ['metadata', 'annotations', ANNOTATIONS.rollingStyle];
  return view.active?.path.at(-1) === 'canary'
    ? [...view.active.path, 'enableExtraWorkloadForCanary']
    : view.strategy.path;
}

const MEANINGFUL = [ANNOTATIONS.rollingStyle, ANNOTATIONS.trafficRouting, ANNOTATIONS.onDelete, ANNOTATIONS.conversion];

function saysTheSame(old: RolloutView, view: RolloutView): boolean {
  const parts = ({ hub, annotations }: RolloutView): Json => [
    member(withDefaults(hub), 'spec') ?? null,
    ...(old.version === view.version ? MEANINGFUL.map((key) => member(annotations, key) ?? null) : []),
  ];
  return equal(parts(old), parts(view));
}

/** One line for each violation, as a denial shows them. */
export function violationsText(violations: readonly Violation[]): string {
  return violations.map(violationText).join('\n');
}
