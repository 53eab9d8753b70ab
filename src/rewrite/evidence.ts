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
  /** The writer's apply names this value, or gave the field up. */
  readonly declares: (path: Path, value: Json | undefined) => boolean;
  /** {@link declares}, or the whole write is the source. */
  readonly fromSource: (path: Path, value: Json | undefined) => boolean;
};

/**
 * Makes the tests for "does the writer's own source say this at this path?":
 * - a replace: everything it sends is the source;
 * - server-side apply: the Apply entry of the request's field manager in `metadata.managedFields` owns the path, or the
 *   value is absent and the manager gave up owning it;
 * - client-side apply: the last-applied annotation that comes in holds that very value there, or held one before.
 */
export function sourceEvidence(write: WriteEvidence): Evidence {
  const declares = applyEvidence(write);
  return { declares, fromSource: (path, value) => write.replaced || declares(path, value) };
}

function applyEvidence(write: WriteEvidence): Evidence['declares'] {
  const applied = appliedFields(write.incoming, write.fieldManager);
  const appliedBefore = appliedFields(write.live, write.fieldManager);
  const last = lastApplied(write.incoming);
  const lastBefore = lastApplied(write.live);
  return (path, value) => {
    const place = inObject(path);
    if (value === undefined) {
      const gaveUp = owns(appliedBefore, place) && !owns(applied, place) && applied !== undefined;
      return gaveUp || (at(last, place) === undefined && at(lastBefore, place) !== undefined);
    }
    if (owns(applied, place)) return true;
    const said = at(last, place);
    return said !== undefined && equal(said, value);
  };
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

/** `fieldsV1` of the manager's Apply entry (metav1.ManagedFieldsEntry), or undefined when it has none. */
function appliedFields(object: JsonMap | undefined, manager: string | undefined): Json | undefined {
  if (manager === undefined) return undefined;
  const entry = managersOf(object).find(
    (candidate) =>
      stringAt(candidate, 'manager') === manager &&
      stringAt(candidate, 'operation') === 'Apply' &&
      (stringAt(candidate, 'subresource') ?? '') === '',
  );
  return at(entry, ['fieldsV1']);
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

function lastApplied(object: JsonMap | undefined): Json | undefined {
  const text = stringAt(object, 'metadata', 'annotations', ANNOTATIONS.lastApplied);
  if (text === undefined) return undefined;
  try {
    return parseJson(text);
  } catch {
    // A last-applied text that kubectl itself could not read is evidence of nothing.
    return undefined;
  }
}
