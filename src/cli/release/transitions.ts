import type { Picture, Wait } from './picture.ts';
import { networkText, setText, summaryText, workloadText } from './words.ts';

/** What is told of a picture when it changes, by what it is about; times do not count. */
type Facts = ReadonlyMap<string, string>;

/**
 * What has happened between two pictures, a line for each; pure. All that there is to tell of the second one when there
 * is no first.
 */
export function transitions(before: Picture | undefined, after: Picture): string[] {
  const [old, now] = [before === undefined ? new Map<string, string>() : factsOf(before), factsOf(after)];
  const changed = [...now].filter(([about, text]) => old.get(about) !== text);
  const gone = [...old.keys()].filter((about) => !now.has(about) && !PASSING.test(about));
  return [
    ...changed.map(([about, text]) => (about === RELEASE ? text : `${about}: ${text}`)),
    ...gone.map((about) => `${about}: ${about.startsWith('condition ') ? 'is well again' : 'is gone'}`),
  ];
}

const RELEASE = 'release';

/** Troubles of pods end with the pod or with its being ready, which its ReplicaSet tells of. */
const PASSING = /^Pod /;

function factsOf(picture: Picture): Facts {
  const { workload, network, conditions } = picture;
  const sets = workload.sets.map((set) => [`ReplicaSet ${set.name}`, setText(set)] as const);
  const pods = workload.sets.flatMap(({ pods: all }) =>
    all.flatMap(({ name, state, isProblem, message }) =>
      isProblem ? [[`Pod ${name}`, message === undefined ? state : `${state}: ${message}`] as const] : [],
    ),
  );
  return new Map([
    [RELEASE, releaseText(picture)],
    [`${workload.kind} ${workload.name}`, workloadText(workload)],
    ...sets,
    ...pods,
    ...network.map((each) => [`${each.kind} ${each.name}`, networkText(each)] as const),
    ...conditions.map(
      ({ type, status, reason, message }) => [`condition ${type}`, `${status} ${reason}: ${message}`] as const,
    ),
  ]);
}

/**
 * Where the release stands and why it waits. Within a step that is told by its state and by the objects; for how long a
 * grace period goes on is a matter of time.
 */
function releaseText(picture: Picture): string {
  const isStepping = picture.rollout.stage === 'releasing';
  const told = picture.waits.filter((wait) => !(isStepping && WITHIN_STEP.includes(wait.for)));
  return [summaryText(picture), ...told.map(({ text }) => text)].join('; ');
}

const WITHIN_STEP: readonly Wait['for'][] = ['pods', 'traffic', 'controller'];
