import { ANNOTATIONS } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { canonicalJson, parseJson } from '../json/text.ts';
import { at, isList, isMap, type Json, type JsonList, type JsonMap, stringAt } from '../json/value.ts';
import type { Path } from './attribute.ts';

/** What tells a write from the user's source apart from an edit of the rewritten view. */
export type WriteEvidence = {
  readonly incoming: JsonMap;
  readonly live?: JsonMap | undefined;
  /** `request.options.fieldManager` of the AdmissionReview. */
  readonly fieldManager: string | undefined;
  /** Sluice's annotations were dropped, as `kubectl replace` and other whole-object writers do. */
  readonly replaced: boolean;
};

/** Tests of a path in the declared part (`['spec', …]`, `['labels', …]`, `['annotations', …]`) and the value sent there. */
export type Evidence = {
  /** True when this write is an apply that left evidence: only then can the others hold. */
  readonly isApply: boolean;
  /** The text of the apply's source has this very value, or had one there and has none now. */
  readonly states: (path: Path, value: Json | undefined) => boolean;
  /** {@link states}, or the writer's apply owns the field. */
  readonly declares: (path: Path, value: Json | undefined) => boolean;
  /** {@link declares}, or the whole write is the source. */
  readonly fromSource: (path: Path, value: Json | undefined) => boolean;
};

/** How kubectl names itself when it applies on the client's side. */
const KUBECTL_APPLY = 'kubectl-client-side-apply';

/**
 * Makes the tests for "does the writer's own source say this at this path?":
 * - a replace: everything it sends is the source;
 * - server-side apply: the Apply entry of the request's field manager in `metadata.managedFields` owns the path, or the
 *   value is absent and the manager gave up owning it. Not when the same manager's Update entry changed: then it is an
 *   update by someone who also applies;
 * - client-side apply: the last-applied annotation that comes in holds that very value there, but for keys that the API
 *   server added as defaults, or held one before. Only when this write brought it: what an apply said long ago is no
 *   evidence for somebody else's edit.
 */
export function sourceEvidence(write: WriteEvidence): Evidence {
  const { fieldManager } = write;
  const isUpdate = !equal(entryOf(write.live, fieldManager, 'Update'), entryOf(write.incoming, fieldManager, 'Update'));
  const applied = isUpdate ? undefined : at(entryOf(write.incoming, fieldManager, 'Apply'), ['fieldsV1']);
  const appliedBefore = at(entryOf(write.live, fieldManager, 'Apply'), ['fieldsV1']);
  const last = lastApplied(write);
  const lastBefore = last === undefined ? undefined : parsed(lastAppliedText(write.live));
  const states = (path: Path, value: Json | undefined): boolean => {
    const place = inObject(path);
    if (value === undefined) {
      const gaveUp = applied !== undefined && owns(appliedBefore, place) && !owns(applied, place);
      return gaveUp || (last !== undefined && at(last, place) === undefined && at(lastBefore, place) !== undefined);
    }
    const said = at(last, place);
    return said !== undefined && isDefaulted(said, value);
  };
  const declares = (path: Path, value: Json | undefined) => owns(applied, inObject(path)) || states(path, value);
  return {
    isApply: applied !== undefined || last !== undefined,
    states,
    declares,
    fromSource: (path, value) => write.replaced || declares(path, value),
  };
}

/**
 * True when `sent` may be `said` after the API server filled in the defaults of its schema: maps may have more keys. An
 * apply sends a list whole, so in a list that it stated such keys are nothing else.
 */
function isDefaulted(said: Json, sent: Json): boolean {
  if (isList(said)) {
    return isList(sent) && said.length === sent.length && said.every((each, i) => isDefaulted(each, sent[i] ?? null));
  }
  if (!isMap(said) || !isMap(sent)) return equal(said, sent);
  return Object.entries(said).every(
    ([key, value]) => Object.hasOwn(sent, key) && isDefaulted(value, sent[key] ?? null),
  );
}

/** True when a client-side apply left another record: its source changed, even where the object does not show it. */
export function isNewSource(incoming: JsonMap, live: JsonMap | undefined): boolean {
  return lastAppliedText(incoming) !== lastAppliedText(live);
}

/**
 * True unless it is certain that no client wrote the annotation in this request: some field manager has it in an entry
 * that the live object does not have, or there are no entries to tell (a client may clear them). What webhooks change is
 * nobody's.
 */
export function isClaimed(annotation: string, write: Pick<WriteEvidence, 'incoming' | 'live'>): boolean {
  const entries = managersOf(write.incoming);
  const before = new Set(managersOf(write.live).map(canonicalJson));
  const claims = (entry: Json) => owns(at(entry, ['fieldsV1']), ['metadata', 'annotations', annotation]);
  return entries.length === 0 || entries.some((entry) => claims(entry) && !before.has(canonicalJson(entry)));
}

/** Labels and annotations live in `metadata`. */
function inObject(path: Path): Path {
  return path[0] === 'spec' ? path : ['metadata', ...path];
}

/** The manager's entry for the main resource (metav1.ManagedFieldsEntry), or undefined when it has none. */
function entryOf(
  object: JsonMap | undefined,
  manager: string | undefined,
  operation: 'Apply' | 'Update',
): Json | undefined {
  if (manager === undefined) return undefined;
  return managersOf(object).find(
    (candidate) =>
      stringAt(candidate, 'manager') === manager &&
      stringAt(candidate, 'operation') === operation &&
      (stringAt(candidate, 'subresource') ?? '') === '',
  );
}

function managersOf(object: JsonMap | undefined): JsonList {
  const entries = at(object, ['metadata', 'managedFields']);
  return isList(entries) ? entries : [];
}

/**
 * True when the field set has the path itself or an ancestor as a leaf (an atomic list or map, owned as a whole). Elements
 * of associative lists (`k:{…}`) are never the whole list, so a list of theirs is not owned.
 */
function owns(fields: Json | undefined, path: Path): boolean {
  let here = fields;
  for (const step of path) {
    if (!isMap(here)) return false;
    if (isLeaf(here) && here !== fields) return true;
    const next: Json | undefined = here[`f:${step}`];
    if (next === undefined) return false;
    here = next;
  }
  return isMap(here) && isLeaf(here);
}

function isLeaf(fields: JsonMap): boolean {
  return Object.keys(fields).every((key) => key === '.');
}

/** What a client-side apply says in this write; undefined when this write is none. */
function lastApplied({ incoming, live, fieldManager }: WriteEvidence): Json | undefined {
  const isApply = fieldManager === KUBECTL_APPLY || isNewSource(incoming, live) || leftRecord(live, fieldManager);
  return isApply ? parsed(lastAppliedText(incoming)) : undefined;
}

/**
 * True when the manager wrote the last-applied annotation that is there: it applies from the client's side, also in
 * the writes that leave the record as it is. Argo CD's is called `argocd-controller`.
 */
function leftRecord(live: JsonMap | undefined, manager: string | undefined): boolean {
  return owns(at(entryOf(live, manager, 'Update'), ['fieldsV1']), ['metadata', 'annotations', ANNOTATIONS.lastApplied]);
}

function lastAppliedText(object: JsonMap | undefined): string | undefined {
  return stringAt(object, 'metadata', 'annotations', ANNOTATIONS.lastApplied);
}

/** A last-applied text that kubectl itself could not read is evidence of nothing. */
function parsed(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
