import type { Style } from '../terminal.ts';
import type {
  ConditionPicture,
  NetworkPicture,
  Picture,
  PodPicture,
  RolloutPicture,
  SetPicture,
  StepPicture,
  Wait,
  WorkloadPicture,
} from './picture.ts';
import { type Branch, type Cell, type Paint, table, textOf, treeLines } from './table.ts';
import { timeText } from './time-text.ts';
import {
  networkText,
  outcomeText,
  pauseText,
  podsText,
  replicasText,
  stepText,
  trafficText,
  waitText,
  workloadText,
} from './words.ts';

/** How a picture is told. */
export type Telling = {
  readonly paint: Paint;
  /** What stands before commands: `kubectl sluice`. */
  readonly programName: string;
};

/** Of a ReplicaSet with more pods the rest is counted. */
const MOST_PODS = 10;
const LONGEST_MESSAGE = 120;

/** The picture as the lines of a tree; pure. */
export function pictureLines(picture: Picture, telling: Telling): string[] {
  const { rollout, steps, workload, network, conditions, waits } = picture;
  const { paint } = telling;
  const branches = [
    ...(steps.length === 0 ? [] : [stepsBranch(steps, paint)]),
    workloadBranch(workload, paint),
    ...networkBranches(network, paint),
    ...conditions.map((condition) => conditionBranch(condition, paint)),
    ...waits.map((wait) => waitBranch(wait, telling)),
  ];
  const root = table([rootCells(rollout, steps.length)], paint).join('');
  const more = rollout.message === '' ? '' : `\n${rollout.message}`;
  return treeLines({ text: root + more, branches });
}

function rootCells(rollout: RolloutPicture, steps: number): Cell[] {
  const { namespace, name, style, phase, paused } = rollout;
  const cells: Cell[] = [
    { text: `Rollout ${namespace}/${name}`, style: 'bold' },
    style,
    { text: phase === '' ? 'not taken in yet' : phase, style: phase === 'Healthy' ? 'green' : 'cyan' },
    stepText(rollout, steps),
    { text: paused ? 'paused' : '', style: 'yellow' },
    trafficText(rollout),
    outcomeCell(rollout),
    { text: timesText(rollout), style: 'dim' },
  ];
  return cells.filter((cell) => textOf(cell) !== '');
}

function outcomeCell(rollout: RolloutPicture): Cell {
  return { text: outcomeText(rollout), style: rollout.outcome === 'Success' ? 'green' : 'red' };
}

function timesText({ secondsSinceStart, secondsSinceFinish, stage }: RolloutPicture): string {
  if (secondsSinceFinish !== undefined && stage !== 'held') return `finished ${timeText(secondsSinceFinish)} ago`;
  const isUnderWay = secondsSinceStart !== undefined && stage !== 'held' && stage !== 'resting';
  return isUnderWay ? `began ${timeText(secondsSinceStart)} ago` : '';
}

const MARKS = { done: '✓', current: '▸', coming: '·' } as const;
const PLACE_STYLES = { done: 'green', current: 'cyan', coming: 'dim' } as const;
const DOTS = { done: '●', current: '◐', coming: '○' } as const;

function stepsBranch(steps: readonly StepPicture[], paint: Paint): Branch {
  const bar = steps.map(({ place }) => paint(PLACE_STYLES[place], DOTS[place])).join('');
  const rows = steps.map((step): Cell[] => [
    { text: `${MARKS[step.place]} ${step.step}`, style: PLACE_STYLES[step.place] },
    replicasText(step),
    step.traffic === undefined ? '' : `traffic ${step.traffic}`,
    step.matches.join(' or '),
    pauseText(step),
  ]);
  return { text: `steps ${bar}`, branches: table(withoutEmptyColumns(rows), paint).map((text) => ({ text })) };
}

/** Columns that no row fills take no room. */
function withoutEmptyColumns(rows: readonly (readonly Cell[])[]): Cell[][] {
  return rows.map((row) => row.filter((_, i) => rows.some((other) => textOf(other[i] ?? '') !== '')));
}

function workloadBranch(workload: WorkloadPicture, paint: Paint): Branch {
  const { kind, name, images, replicas, paused, state, reason = '', sets } = workload;
  const what: Cell = { text: `${kind} ${name}`, style: 'bold' };
  if (state !== 'found') {
    const why: Cell = { text: workloadText(workload), style: 'red' };
    return { text: table([[what, why]], paint).join('') };
  }
  const cells: Cell[] = [
    what,
    podsText(replicas),
    ...(paused ? ['paused'] : []),
    images,
    { text: reason, style: 'red' },
  ];
  const rows = table(withoutEmptyColumns(sets.map((set) => setCells(set, name))), paint);
  const branches = sets.map((set, i) => ({ text: rows[i] ?? '', branches: podBranches(set.pods, paint) }));
  return { text: table(withoutEmptyColumns([cells]), paint).join(''), branches };
}

const ROLE_STYLES: Readonly<Record<SetPicture['role'], Style | undefined>> = {
  stable: 'green',
  canary: 'cyan',
  other: undefined,
};

function setCells({ name, deployment, role, revision, images, desired, ready }: SetPicture, workload: string): Cell[] {
  return [
    `ReplicaSet ${name}`,
    { text: role === 'other' ? '' : role, style: ROLE_STYLES[role] },
    revision === undefined ? '' : `revision ${revision}`,
    deployment === workload ? '' : `of Deployment ${deployment}`,
    images,
    { text: `${ready}/${desired} ready`, style: ready < desired ? 'yellow' : undefined },
  ];
}

function podBranches(pods: readonly PodPicture[], paint: Paint): Branch[] {
  const shown = pods.slice(0, pods.length > MOST_PODS ? MOST_PODS - 1 : MOST_PODS);
  const rest = pods.slice(shown.length);
  const unready = rest.filter(({ ready }) => !ready).length;
  const more = `… and ${podsText(rest.length)} more, ${unready === 0 ? 'all ready' : `${unready} not ready`}`;
  return [
    ...table(shown.map(podCells), paint).map((text) => ({ text })),
    ...(rest.length === 0 ? [] : [{ text: paint('dim', more) }]),
  ];
}

function podCells(pod: PodPicture): Cell[] {
  const { name, state, isProblem, ready, readyContainers, containers, restarts, ageSeconds, message = '' } = pod;
  return [
    `Pod ${name}`,
    { text: state, style: isProblem ? 'red' : ready ? 'green' : 'yellow' },
    `${readyContainers}/${containers}`,
    `${restarts} restart${restarts === 1 ? '' : 's'}`,
    ageSeconds === undefined ? '' : timeText(ageSeconds),
    { text: isProblem ? cut(message) : '', style: 'red' },
  ];
}

function cut(message: string): string {
  const line = message.replaceAll(/\s+/g, ' ');
  return line.length <= LONGEST_MESSAGE ? line : `${line.slice(0, LONGEST_MESSAGE - 1)}…`;
}

function networkBranches(network: readonly NetworkPicture[], paint: Paint): Branch[] {
  const rows = network.map((each): Cell[] => [
    `${each.kind} ${each.name}`,
    { text: networkText(each), style: networkStyle(each) },
    each.step === undefined ? '' : `step ${each.step}`,
  ]);
  return table(rows, paint).map((text) => ({ text }));
}

function networkStyle({ state }: NetworkPicture): Style | undefined {
  if (state === 'missing' || state === 'unreadable') return 'red';
  return state === 'steered' ? 'cyan' : 'dim';
}

function conditionBranch({ type, status, reason, message, secondsSince }: ConditionPicture, paint: Paint): Branch {
  const since = secondsSince === undefined ? '' : `for ${timeText(secondsSince)}`;
  const cells: Cell[] = [{ text: `${type} is ${status}`, style: status === 'False' ? 'red' : 'yellow' }, reason, since];
  return { text: table([cells], paint).join(''), branches: message === '' ? [] : [{ text: message }] };
}

function waitBranch(wait: Wait, { paint, programName }: Telling): Branch {
  const branches = wait.commands.map((command) => ({ text: paint('bold', `${programName} ${command}`) }));
  return { text: paint('yellow', waitText(wait)), branches };
}
