import { equal } from '../json/equal.ts';
import { at, type Json, type JsonMap, stringAt } from '../json/value.ts';
import {
  type ArmedAction,
  type Directive,
  encodeDirective,
  glanceAt,
  readDirective,
  type WorkloadAction,
} from './directive.ts';
import { templateHash } from './template.ts';

/** Every pod of the new version is held back: one of them may exist beside all of the old version, once it is unpaused. */
const FIRST_POD = { maxSurge: 1, maxUnavailable: 0 } as const;
/** Nothing is taken down, and the set of the current template may grow to its full size. */
export const ROOM_FOR_ALL = { maxSurge: '100%', maxUnavailable: 0 } as const;

/**
 * What becomes of a workload's directives in a write that changes its pod template: this is where a release begins, is
 * taken back, or meets another version. Decided from the write alone (design §3), so that not one pod of a version runs
 * before the controller has seen it.
 *
 * ```
 *              another template                    the stable template
 *   armed ────────────────────────► held ──────────────────────────────► returning (all that serve stay, stable grows)
 *                                    │  ▲                                     │
 *            yet another template    ▼  │ controller: step by step            ▼ controller: armed again
 *                              superseded (everything stands still; the controller clears the way, then holds it)
 * ```
 *
 * One directive holds a workload at a time: while one does, or where several are armed, the others stay armed. The
 * template before is then a version that nobody has approved, and never the stable one of another release.
 *
 * @returns the directives that count after the write; the very same map when none changes.
 */
export function followTemplate(
  directives: ReadonlyMap<string, string>,
  incoming: JsonMap,
  live: JsonMap | undefined,
): ReadonlyMap<string, string> {
  if (live === undefined || directives.size === 0) return directives;
  const [sent, stored] = [at(incoming, ['spec', 'template']), at(live, ['spec', 'template'])];
  if (equal(sent, stored)) return directives;
  const [revision, before] = [templateHash(sent), templateHash(stored)];
  if (revision === before) return directives;
  const isRecreate = stringAt(incoming, 'spec', 'strategy', 'type') === 'Recreate';
  const change = { revision, before, hasPods: hasPods(incoming) && hasPods(live), isRecreate };
  const [holder] = [...directives].toSorted(([, a], [, b]) => Number(isArmed(a)) - Number(isArmed(b)));
  const isFollowing = (key: string, text: string) => key === holder?.[0] || !isArmed(text);
  return new Map(
    [...directives].map(([key, text]) => [key, isFollowing(key, text) ? followed(key, text, change) : text]),
  );
}

function isArmed(text: string): boolean {
  return glanceAt(text).isArmed;
}

/**
 * The directive of a workload whose template has become another one in a write that we were not asked about: as if we
 * had been.
 */
export function caughtUp(directive: Directive, revision: string): Directive {
  const { action } = directive;
  if (action.type !== 'workload' || revision === directive.revision) return directive;
  return { ...directive, revision, step: 0, action: turned(action, revision) };
}

type Change = {
  readonly revision: string;
  readonly before: string;
  readonly hasPods: boolean;
  /** Its owner wants no two versions side by side: it is held, and nothing else of it is changed. */
  readonly isRecreate: boolean;
};

function followed(key: string, text: string, change: Change): string {
  const { revision } = change;
  const directive = readDirective(key, text);
  if (directive === undefined) return text;
  const { action } = directive;
  // Without pods there is nothing to release step by step, and nothing to protect.
  if (action.type === 'armed') return change.hasPods ? held(directive, action, change) : text;
  if (action.type !== 'workload' || revision === directive.revision) return text;
  return encodeDirective(caughtUp(directive, revision));
}

function held(
  directive: Directive,
  { style, onDelete }: ArmedAction,
  { revision, before: stable, isRecreate }: Change,
): string {
  const action: WorkloadAction = {
    style,
    stable,
    paused: true,
    ...(style === 'canary' || isRecreate ? {} : { walk: FIRST_POD }),
    ...(onDelete === undefined ? {} : { onDelete }),
  };
  return encodeDirective({ ...directive, revision, step: 0, action: { type: 'workload', ...action } });
}

function turned(
  { style, stable, onDelete }: WorkloadAction,
  revision: string,
): { readonly type: 'workload' } & WorkloadAction {
  const rest = { type: 'workload', style, stable, ...(onDelete === undefined ? {} : { onDelete }) } as const;
  if (style === 'canary') return { ...rest, paused: true };
  if (revision === stable) return { ...rest, paused: false, walk: ROOM_FOR_ALL };
  // Blue-green: two full sets are what the room is for, so that pausing alone keeps both.
  return style === 'blueGreen'
    ? { ...rest, paused: true, walk: ROOM_FOR_ALL }
    : { ...rest, paused: true, walk: ROOM_FOR_ALL, still: true };
}

function hasPods(object: JsonMap): boolean {
  const replicas: Json | undefined = at(object, ['spec', 'replicas']);
  return replicas !== 0;
}
