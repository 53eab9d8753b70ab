import { isList, isMap, type Json, member, stringAt } from '../json/value.ts';
import type { Findings } from './findings.ts';
import { conditionTerms } from './matches.ts';
import { regexError } from './regex.ts';
import { isControl } from './tokens.ts';
import { hasTrafficRoutingRef, itemsOf, type Part, partOf, type RolloutView, type StepView } from './view.ts';
import { quoted } from './violation.ts';

/** What the rules of steps need beyond the Rollout. */
export type StepLimits = {
  /** Above this share of pods a partition step may not steer traffic, as OpenKruise's `--partition-percent-limit`. */
  readonly partitionPercent: number;
  /** `spec.replicas` of the workload, when it is known. */
  readonly workloadReplicas?: number | undefined;
};

/** Pods of the new version after a step: a number, or a percentage of all. */
export type Pods = { readonly unit: 'pods' | '%'; readonly amount: number };

/** OpenKruise's rules for steps, of both versions, and what is clearly a mistake beyond them. */
export function checkSteps(view: RolloutView, limits: StepLimits, findings: Findings): void {
  const { active, steps } = view;
  if (active === undefined) return;
  if (steps.length === 0)
    findings.deny([...active.path, 'steps'], 'a release needs at least one step; write one with replicas');
  const pods = steps.map((step) => checkReplicas(view, step, findings));
  steps.forEach((step, index) => {
    checkTraffic(view, step, findings);
    checkMatches(step, findings);
    checkPartition(view, step, pods[index], limits, findings);
    checkSteering(view, step, findings);
    checkPause(step, findings);
  });
  checkOrder(view, pods, findings);
  checkThreshold(partOf(active, 'failureThreshold'), findings);
}

/** True when the step says which requests the new version gets. */
function steers(step: StepView): boolean {
  return given(step.traffic) || isNonEmpty(step.matches);
}

function given({ value }: Part): boolean {
  return value !== undefined && value !== null;
}

function isNonEmpty({ value }: Part): boolean {
  return isList(value) && value.length > 0;
}

function checkReplicas(view: RolloutView, step: StepView, findings: Findings): Pods | undefined {
  const { value, path } = step.replicas;
  if (!given(step.replicas)) {
    const weight = view.version === 'v1alpha1' ? step.traffic.value : undefined;
    if (typeof weight === 'number') return { unit: '%', amount: weight };
    const also = view.version === 'v1alpha1' ? ', or a weight' : '';
    if (weight === undefined)
      findings.deny(path, `is missing; write how many pods get the new version, 3 or "20%"${also}`);
    return undefined;
  }
  const pods = podsOf(value);
  if (pods === undefined)
    findings.deny(path, `${quoted(value ?? null)} is not a number of pods or a percentage; write 3 or "20%"`);
  else if (pods.amount < 1) findings.deny(path, `${quoted(value ?? null)} is not positive; write at least 1 or "1%"`);
  else if (pods.unit === '%' && pods.amount > 100)
    findings.deny(path, `${quoted(value ?? null)} is more than all pods; write at most "100%"`);
  else return pods;
  return undefined;
}

/** Reads what a step asks for; undefined where it is neither. */
export function podsOf(value: Json | undefined): Pods | undefined {
  if (typeof value === 'number' && Number.isInteger(value)) return { unit: 'pods', amount: value };
  const amount = percentOf(value);
  return amount === undefined ? undefined : { unit: '%', amount };
}

/** A percentage in whole numbers, as Kubernetes reads one. */
function percentOf(value: Json | undefined): number | undefined {
  const digits = typeof value === 'string' ? /^([+-]?\d{1,9})%$/.exec(value)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

function checkTraffic(view: RolloutView, step: StepView, findings: Findings): void {
  const { value, path } = step.traffic;
  if (!given(step.traffic)) return;
  const isAlpha = view.version === 'v1alpha1';
  const percent = isAlpha ? (typeof value === 'number' ? value : undefined) : percentOf(value);
  // with pods of its own a v1alpha1 step may leave traffic alone; copies need no share of the real traffic
  const least = view.style === 'blueGreen' || (isAlpha && given(step.replicas)) || given(step.mirror) ? 0 : 1;
  if (percent !== undefined && percent >= least && percent <= 100) return;
  const write = isAlpha ? `a whole number from ${least} to 100` : `a percentage from "${least}%" to "100%"`;
  findings.deny(path, `${quoted(value ?? null)} is no share of traffic; write ${write}`);
}

/** Fields whose `type` may be `RegularExpression`. */
const VALUE_LISTS = ['headers', 'queryParams', 'cookies'];

function checkMatches(step: StepView, findings: Findings): void {
  const visible = partOf(step, 'matches');
  for (const match of itemsOf(visible)) {
    for (const entry of [partOf(match, 'path'), ...VALUE_LISTS.flatMap((field) => itemsOf(partOf(match, field)))])
      checkValue(entry, findings);
  }
  findings.violations.push(...conditionTerms(step.matches.value, step.matches.path).violations);
}

function checkValue(entry: Part, findings: Findings): void {
  const { value, path } = partOf(entry, 'value');
  if (typeof value !== 'string') return;
  if (isControl(value)) findings.deny(path, 'has a control character, which no request has there; take it out');
  const problem = stringAt(entry.value, 'type') === 'RegularExpression' ? regexError(value) : undefined;
  if (problem !== undefined) findings.deny(path, `${quoted(value)} is no regular expression: ${problem}`);
}

/**
 * OpenKruise's limit for partition steps. With partition the old pods shrink as the new ones grow, so a step beyond the limit that still sends traffic
 * to the old version could overload it. A number of pods is a share of what the workload has; where that is not known,
 * the author is told that nobody has checked it.
 */
function checkPartition(
  view: RolloutView,
  step: StepView,
  pods: Pods | undefined,
  limits: StepLimits,
  findings: Findings,
): void {
  if (view.style !== 'partition' || pods === undefined || !steers(step)) return;
  const { partitionPercent: limit, workloadReplicas: all } = limits;
  const place = given(step.replicas) ? step.replicas.path : step.traffic.path;
  const advice = `above ${limit}% of the pods a partition release cannot steer traffic; write at most "${limit}%", leave traffic and matches out of this step, or use an extra workload (canary style)`;
  if (pods.unit === '%') {
    if (pods.amount > limit) findings.deny(place, `"${pods.amount}%" is too much: ${advice}`);
  } else if (all === undefined) {
    findings.warn(
      place,
      `${pods.amount} pods cannot be held against the limit of ${limit}% of the workload here; write a percentage to have it checked`,
    );
  } else if (pods.amount * 100 > all * limit) {
    findings.deny(place, `${pods.amount} of ${all} pods are too many: ${advice}`);
  }
}

function checkSteering(view: RolloutView, step: StepView, findings: Findings): void {
  const isSteered = steers(step);
  if (given(step.mirror) && !isSteered) {
    findings.deny(
      step.mirror.path,
      'has no effect without traffic or matches; write traffic: "0%" beside it to send nothing but copies',
    );
  }
  if (isMap(member(step.value, 'requestHeaderModifier')) && !isSteered) {
    findings.warn([...step.path, 'requestHeaderModifier'], 'has no effect without traffic or matches in the same step');
  }
  if (view.routings.length > 0 || hasTrafficRoutingRef(view)) return;
  const where = [...(view.active?.path ?? []), 'trafficRoutings'].join('.');
  const message = `needs ${where}, which says what carries the traffic; write it, or leave this out`;
  if (isNonEmpty(step.matches)) findings.deny(step.matches.path, message);
  if (!given(step.traffic)) return;
  // in v1alpha1 a weight is the share of pods too, and as traffic = replicas it comes back from there
  const isShareOfPods = view.version === 'v1alpha1' || step.traffic.value === step.replicas.value;
  if (!isShareOfPods) findings.deny(step.traffic.path, message);
  else if (given(step.replicas)) findings.warn(step.traffic.path, `has no effect without ${where}`);
}

function checkPause(step: StepView, findings: Findings): void {
  const { value, path } = partOf(partOf(step, 'pause'), 'duration');
  if (typeof value === 'number' && value < 0)
    findings.deny(path, `${value} seconds cannot be waited; write 0 or more, or leave it out to wait for an approval`);
}

function checkOrder(view: RolloutView, pods: readonly (Pods | undefined)[], findings: Findings): void {
  view.steps.forEach((step, index) => {
    const [before, now] = [pods[index - 1], pods[index]];
    if (before === undefined || now === undefined || before.unit !== now.unit || now.amount >= before.amount) return;
    const place = given(step.replicas) ? step.replicas : step.traffic;
    const unit = now.unit === '%' ? '%' : ' pods';
    findings.deny(
      place.path,
      `${now.amount}${unit} are fewer than the ${before.amount}${unit} of the step before; write at least as many`,
    );
  });
  if (view.version === 'v1alpha1' && view.routings.length > 0) checkWeights(view, findings);
}

function checkWeights(view: RolloutView, findings: Findings): void {
  let highest = 0;
  for (const { traffic } of view.steps) {
    if (typeof traffic.value !== 'number') continue;
    if (traffic.value < highest)
      findings.deny(
        traffic.path,
        `${traffic.value} is less than the ${highest} of an earlier step; write at least as much`,
      );
    highest = Math.max(highest, traffic.value);
  }
}

function checkThreshold(threshold: Part, findings: Findings): void {
  if (!given(threshold)) return;
  const pods = podsOf(threshold.value);
  if (pods !== undefined && pods.amount >= 0 && (pods.unit === 'pods' || pods.amount <= 100)) return;
  findings.deny(
    threshold.path,
    `${quoted(threshold.value ?? null)} is not a number of pods or a percentage; write 1 or "10%"`,
  );
}
