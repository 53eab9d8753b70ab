import { type JsonMap, stringAt } from '../../json/value.ts';
import type { Style } from '../../rewrite/directive.ts';
import { stepsOf, styleOf } from '../../rollout/directives.ts';
import { asRollout, rolloutStatus } from './rollout-status.ts';
import type { Cell } from './table.ts';
import { secondsSince, timeText } from './time-text.ts';

/** A Rollout in the list of `sluice get`. This is the shape of `-o json`: fields are added, but none is renamed or taken away. */
export type Listed = {
  readonly namespace: string;
  readonly name: string;
  readonly style: Style;
  readonly phase: string;
  /** Counted from 1; 0 where no release has begun. */
  readonly step: number;
  readonly steps: number;
  readonly state: string;
  readonly paused: boolean;
  readonly weight?: number;
  readonly hasMatches: boolean;
  readonly outcome?: string;
  readonly workload: { readonly kind: string; readonly name: string };
  readonly message: string;
  readonly ageSeconds?: number;
};

export function listed(object: JsonMap, now: Date): Listed {
  const rollout = asRollout(object);
  const { phase, step, state, weight, hasMatches, outcome, message } = rolloutStatus(object);
  const { kind = '', name = '' } = rollout.spec?.workloadRef ?? {};
  const ageSeconds = secondsSince(stringAt(object, 'metadata', 'creationTimestamp'), now);
  return {
    namespace: rollout.metadata.namespace ?? '',
    name: rollout.metadata.name ?? '',
    style: styleOf(rollout),
    phase,
    step,
    steps: stepsOf(rollout).length,
    state,
    paused: rollout.spec?.strategy.paused === true,
    ...(weight === undefined ? {} : { weight }),
    hasMatches,
    ...(outcome === undefined ? {} : { outcome }),
    workload: { kind, name },
    message,
    ...(ageSeconds === undefined ? {} : { ageSeconds }),
  };
}

/** Long messages make a table unreadable; `-o wide` has them whole. */
const LONGEST_MESSAGE = 60;

/** The rows of the table, with their heads. */
export function listRows(
  all: readonly Listed[],
  { wide, namespaces }: { wide: boolean; namespaces: boolean },
): Cell[][] {
  const heads = [
    ...(namespaces ? ['NAMESPACE'] : []),
    ...['NAME', 'STYLE', 'PHASE', 'STEP', 'STATE', 'TRAFFIC'],
    ...(wide ? ['WORKLOAD', 'OUTCOME'] : []),
    ...['MESSAGE', 'AGE'],
  ];
  return [heads, ...all.map((each) => row(each, wide, namespaces))];
}

function row(each: Listed, wide: boolean, namespaces: boolean): Cell[] {
  const { namespace, name, style, phase, step, steps, state, paused, outcome, workload, message, ageSeconds } = each;
  const isShort = wide || message.length <= LONGEST_MESSAGE;
  return [
    ...(namespaces ? [namespace] : []),
    { text: name, style: 'bold' },
    style,
    { text: phase || '-', style: phase === 'Healthy' ? 'green' : 'cyan' },
    steps === 0 ? '-' : `${step}/${steps} ${bar(each)}`,
    { text: paused ? `${state || '-'} (paused)` : state || '-', style: paused ? 'yellow' : undefined },
    traffic(each),
    ...(wide ? [`${workload.kind} ${workload.name}`, outcome ?? '-'] : []),
    isShort ? message || '-' : `${message.slice(0, LONGEST_MESSAGE - 1)}…`,
    ageSeconds === undefined ? '-' : timeText(ageSeconds),
  ];
}

function traffic({ weight, hasMatches }: Listed): string {
  const parts = [...(weight === undefined ? [] : [`${weight}%`]), ...(hasMatches ? ['matches'] : [])];
  return parts.length === 0 ? '-' : parts.join(' + ');
}

const MOST_DOTS = 8;

/** `●◐○○`: steps that are done, the one that it is at, those to come; of many steps in proportion. */
export function bar({ step, steps, state }: Pick<Listed, 'step' | 'steps' | 'state'>): string {
  const dots = Math.min(steps, MOST_DOTS);
  if (state === 'Completed') return '●'.repeat(dots);
  if (step === 0) return '○'.repeat(dots);
  const done = Math.min(dots - 1, Math.floor(((step - 1) * dots) / steps));
  return `${'●'.repeat(done)}◐${'○'.repeat(dots - done - 1)}`;
}
