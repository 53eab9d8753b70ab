import { at, type Json, stringAt } from '../json/value.ts';
import type { Findings } from './findings.ts';
import { type Pods, podsOf } from './steprules.ts';
import { itemsOf, type RolloutView } from './view.ts';

/** States of a step whose pods have come. */
const BROUGHT = ['StepTrafficRouting', 'StepMetricsAnalysis', 'StepPaused', 'StepReady'];

/**
 * Warns where a step that has brought its pods asks for fewer of them now. They stay, and the release goes on at the first
 * step that asks for as many (compat §2.5), or else at the last one: nobody approves the step that it was at. Judged by what
 * both plans say, since nothing here knows how many pods there are: where one step is a number of pods and another one a
 * percentage, nothing is said.
 */
export function checkLowered(old: RolloutView, { hub, active }: RolloutView, findings: Findings): void {
  const [was, is] = [stepsOf(old.hub), stepsOf(hub)];
  const { step, brought } = standing(old.hub, was);
  const asked = is[step - 1];
  if (active === undefined || brought === undefined || asked === undefined) return;
  if (is.some((pods) => pods?.unit !== brought.unit) || asked.amount >= brought.amount) return;
  const first = is.findIndex((pods) => pods !== undefined && pods.amount >= brought.amount) + 1;
  const next = first === 0 ? is.length : first;
  if (next <= step) return;
  const pods = brought.unit === '%' ? `${brought.amount}% of the pods` : `${brought.amount} pods`;
  const why = first === 0 ? 'the last one' : 'the first that asks for as many';
  findings.warn(
    [...active.path, 'steps', step - 1, 'replicas'],
    `is less than the ${pods} that step ${step} has brought: they stay, and the release goes on at step ${next}, ${why}, without an approval of step ${step}`,
  );
}

/** Where a release stands, and what the step there has brought; nothing where none runs, or its pods are still to come. */
function standing(rollout: Json, steps: readonly (Pods | undefined)[]): { step: number; brought: Pods | undefined } {
  const status = at(rollout, ['status']);
  const step = Number(at(status, ['currentStepIndex']) ?? 0);
  const isRunning = stringAt(status, 'phase') === 'Progressing';
  const hasBrought = isRunning && BROUGHT.includes(stringAt(status, 'currentStepState') ?? '');
  return { step, brought: hasBrought ? steps[step - 1] : undefined };
}

function stepsOf(hub: Json): (Pods | undefined)[] {
  const strategy = at(hub, ['spec', 'strategy']);
  const value = at(strategy, ['canary', 'steps']) ?? at(strategy, ['blueGreen', 'steps']);
  return itemsOf({ value, path: [] }).map((step) => podsOf(at(step.value, ['replicas'])));
}
