import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { isMap, type Json, type JsonMap } from '../json/value.ts';
import { type Declared, isNotUsers, type Scope, specWith } from './declared.ts';

/** One operation of an RFC 6902 patch. Whole values are replaced: how finely is invisible outside. */
export type Operation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string };

/** What an object is to become: its declared part, and Sluice's own annotations. */
export type Outcome = {
  readonly declared: Declared;
  readonly directives: ReadonlyMap<string, string>;
  readonly original: string | undefined;
  /** Annotation `rollouts.kruise.io/in-progressing`, where the kind has one. */
  readonly inProgressing: string | undefined;
};

/** The operations that turn `incoming` into the outcome; none when it is that already. */
export function operationsFor(incoming: JsonMap, outcome: Outcome, scope: Scope): Operation[] {
  const metadata = isMap(incoming['metadata']) ? incoming['metadata'] : {};
  const { declared } = outcome;
  const labels = { ...notUsers(metadata['labels'], scope), ...declared.labels };
  return [
    operation('/spec', incoming['spec'], specWith(incoming['spec'], declared, scope)),
    ...(scope.metadata ? [operation('/metadata/labels', metadata['labels'], orAbsent(labels))] : []),
    operation('/metadata/annotations', metadata['annotations'], orAbsent(annotationsOf(incoming, outcome, scope))),
  ].flat();
}

/** All annotations that the object is to have. */
export function annotationsOf(incoming: JsonMap, outcome: Outcome, scope: Scope): JsonMap {
  const metadata = isMap(incoming['metadata']) ? incoming['metadata'] : {};
  const { declared, directives, original, inProgressing } = outcome;
  return {
    ...notUsers(metadata['annotations'], scope),
    ...(scope.metadata ? declared.annotations : {}),
    ...Object.fromEntries(directives),
    ...(original === undefined ? {} : { [ANNOTATIONS.original]: original }),
    ...(inProgressing === undefined ? {} : { [ANNOTATIONS.inProgressing]: inProgressing }),
  };
}

/** What the API server counts against its limit for annotations: the bytes of all keys and values. */
export function annotationsSize(annotations: JsonMap): number {
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    size += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0);
  }
  return size;
}

/** Entries that no rewrite touches: Sluice's bookkeeping and kubectl's, and in kinds of a narrow scope the user's too. */
function notUsers(map: Json | undefined, scope: Scope): JsonMap {
  const entries = Object.entries(isMap(map) ? map : {});
  return Object.fromEntries(entries.filter(([key]) => (isNotUsers(key) ? !isProtected(key) : !scope.metadata)));
}

function isProtected(key: string): boolean {
  return key === ANNOTATIONS.original || key === ANNOTATIONS.inProgressing || key.startsWith(DIRECTIVE_PREFIX);
}

function orAbsent(map: JsonMap): JsonMap | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}

function operation(path: string, before: Json | undefined, after: Json | undefined): Operation[] {
  if (equal(before, after)) return [];
  if (after === undefined) return [{ op: 'remove', path }];
  return [{ op: before === undefined ? 'add' : 'replace', path, value: after }];
}
