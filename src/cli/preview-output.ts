import type { JsonMap } from '../json/value.ts';
import { writeYaml } from '../manifest/write.ts';
import { objectDiff } from './object-diff.ts';
import type { Subject } from './plan.ts';
import { isSame, type Moment, ownAnnotations, type Played, type State, withoutOwn } from './release.ts';
import type { Channel } from './terminal.ts';

/** A release as a preview shows it: its objects, each through all steps. */
export type Preview = {
  /** `namespace/name` of the Rollout. */
  readonly name: string;
  readonly steps: number;
  /** A TrafficRouting that the Rollout leaves its traffic to. */
  readonly routedBy: string | undefined;
  readonly subjects: readonly PreviewedSubject[];
};
export type PreviewedSubject = Played & { readonly subject: Subject };

/** Which moments are to be shown. */
type Wanted = (moment: Moment) => boolean;

/** What became of the object at the end; `not reached` after a failure. */
export function restoration({ stored, states, subject }: PreviewedSubject): 'same' | 'differs' | 'not reached' {
  const end = states.find(({ moment }) => moment === 'restore');
  if (end === undefined) return 'not reached';
  // the canary Ingress has to be gone; the user's own was never written
  if (subject.target.request.contract === 'ingress') return end.object === undefined ? 'same' : 'differs';
  return end.object !== undefined && isSame(end.object, stored) ? 'same' : 'differs';
}

/** One object at one moment, with the state before it. */
type Shown = {
  readonly preview: Preview;
  readonly subject: PreviewedSubject;
  readonly state: State;
  readonly before: JsonMap | undefined;
};

/** Step by step, and in each step object by object: the order in which a release goes. */
function* shown(previews: readonly Preview[], isWanted: Wanted): Generator<Shown> {
  for (const preview of previews) {
    for (let index = 0; index <= preview.steps; index++) {
      for (const subject of preview.subjects) {
        const state = subject.states[index];
        if (state === undefined || !isWanted(state.moment)) continue;
        yield { preview, subject, state, before: index === 0 ? first(subject) : subject.states[index - 1]?.object };
      }
    }
  }
}

function first({ stored, subject }: PreviewedSubject): JsonMap | undefined {
  return subject.target.request.contract === 'ingress' ? undefined : stored;
}

/** `Rollout shop/web, step 1/2: VirtualService web`. */
function heading({ preview, subject, state }: Shown): string {
  const { kind, name, request } = subject.subject.target;
  const when = state.moment === 'restore' ? 'restored' : `step ${state.moment}/${preview.steps}`;
  const what = request.contract === 'ingress' ? `canary Ingress of ${name}` : `${kind} ${name}`;
  return `Rollout ${preview.name}, ${when}: ${what}`;
}

/** A diff for each step against the step before, in sorted keys, without Sluice's annotations, which get a line. */
export function printDiffs(previews: readonly Preview[], isWanted: Wanted, out: Channel): void {
  let isFirst = true;
  for (const each of shown(previews, isWanted)) {
    if (!isFirst) out.line();
    isFirst = false;
    out.line(out.paint('bold', heading(each)));
    for (const line of changes(each, out)) out.line(line);
    for (const line of remarks(each, out)) out.line(line);
  }
}

function changes({ state, before }: Shown, out: Channel): string[] {
  // that an object is deleted takes a line, not all of its own
  if (state.object === undefined) return [];
  const lines = objectDiff(shownPart(before), shownPart(state.object), out);
  return lines.length === 0 ? [out.paint('dim', 'no change')] : lines;
}

function shownPart(object: JsonMap | undefined): JsonMap | undefined {
  return object === undefined ? undefined : withoutOwn(object);
}

function remarks({ state, subject, before }: Shown, out: Channel): string[] {
  if (state.moment === 'restore') return [ending(subject, out)];
  const { object } = state;
  if (object === undefined)
    return [out.paint('dim', before === undefined ? 'there is none in this step' : 'deleted in this step')];
  const kept = ownAnnotations(object).map(([key]) => key);
  return kept.length === 0 ? [] : [out.paint('dim', `annotations of Sluice: ${kept.join(', ')}`)];
}

function ending(subject: PreviewedSubject, out: Channel): string {
  const { kind, name, request } = subject.subject.target;
  if (restoration(subject) === 'differs') return out.paint('red', `not restored: ${kind} ${name} is not what it was`);
  return out.paint(
    'green',
    request.contract === 'ingress'
      ? `deleted: the canary Ingress is gone; Ingress ${name} was never changed`
      : 'restored: the same, byte for byte as canonical JSON',
  );
}

/**
 * What there is of an object at a moment: where no canary Ingress is (any more), the Ingress that it stood beside. A
 * program that reads the objects thus finds at the end what the cluster has.
 */
function objectOf({ state, subject }: Shown): JsonMap {
  return state.object ?? subject.stored;
}

/** Whole objects as YAML documents, each under a comment with its Rollout and step. */
export function printYaml(previews: readonly Preview[], isWanted: Wanted, out: Channel): void {
  for (const each of shown(previews, isWanted)) {
    const gone = each.state.object === undefined ? ' (there is none; this is the Ingress itself)' : '';
    out.write(`---\n# ${heading(each)}${gone}\n${writeYaml(objectOf(each))}`);
  }
}

/** One list of `{"step", "object"}`; the last step of each object is `"restore"`. */
export function printJson(previews: readonly Preview[], isWanted: Wanted, out: Channel): void {
  const entries = [...shown(previews, isWanted)].map((each) => ({ step: each.state.moment, object: objectOf(each) }));
  out.line(JSON.stringify(entries, undefined, 2));
}
