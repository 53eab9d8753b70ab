import { equal } from '../json/equal.ts';
import { isNearer } from '../json/leaves.ts';
import { isList, isMap, isScalar, type Json, type JsonList, type JsonMap } from '../json/value.ts';
import { type Alignment, align, type Effort } from './align.ts';
import { type Storage, same } from './covers.ts';
import type { Evidence } from './evidence.ts';

/** Keys and indexes from the declared part down: `['spec', 'http', 2, 'timeout']`. */
export type Path = readonly (string | number)[];

/** What attribution needs to know beyond the three values. */
export type Reading = {
  readonly storage: Storage;
  readonly effort: Effort;
  /** The element of the original that an element of the base came from; undefined for the rewrite's own. */
  readonly sourceOf: ((element: Json) => Json | undefined) | undefined;
  /** Whether the writer's own source says so. Reading it costs time that only a write with an edit is worth. */
  readonly evidence: () => Evidence;
  /** True when rewriting `list` at this path gives what the writer sent, so that nothing of the edit is lost. */
  readonly explains: (path: Path, list: JsonList) => boolean;
  /** What becomes of an edit by hand of a value that the rewrite computes: a share of traffic is put back, a setting of
   * the user's own (maxSurge, say) is kept for the time after the release. */
  readonly computedValues: 'put back' | 'keep for later';
  /** Told about each value set by hand that is not in effect. */
  readonly onUnkept: (path: Path) => void;
};

/**
 * Attributes what a writer sent to the user's original, path by path. An apply replaces only what its source mentions,
 * the rest of `incoming` is the rewritten view, so at each path: equal to the base (the original rewritten) or equal to
 * the original means "not edited"; maps go down key by key, an absent key being a value; anything else is an edit.
 *
 * @returns the new original at this path; the very same reference when nothing was edited; undefined for "absent".
 */
export function attribute(
  base: Json | undefined,
  original: Json | undefined,
  incoming: Json | undefined,
  path: Path,
  reading: Reading,
): Json | undefined {
  if (same(incoming, original, reading.storage)) return original;
  if (same(incoming, base, reading.storage)) return isSaid(incoming, path, reading) ? incoming : original;
  if (isMap(incoming) && (isMap(base) || isMap(original))) {
    return attributeMap(isMap(base) ? base : {}, isMap(original) ? original : undefined, incoming, path, reading);
  }
  if (isList(incoming) && isList(base)) {
    return attributeList(base, isList(original) ? original : undefined, incoming, path, reading);
  }
  return attributeValue(base, original, incoming, path, reading);
}

/** A value (or absence) that the rewrite happens to give as well is the user's when the user's source says it. */
function isSaid(incoming: Json | undefined, path: Path, reading: Reading): boolean {
  return (incoming === undefined || isScalar(incoming)) && reading.evidence().declares(path, incoming);
}

function attributeValue(
  base: Json | undefined,
  original: Json | undefined,
  incoming: Json | undefined,
  path: Path,
  reading: Reading,
): Json | undefined {
  const computed = !same(base, original, reading.storage);
  if (!computed || reading.evidence().fromSource(path, incoming)) return incoming;
  if (base === undefined) return incoming;
  reading.onUnkept(path);
  return reading.computedValues === 'keep for later' ? incoming : original;
}

function attributeMap(
  base: JsonMap,
  original: JsonMap | undefined,
  incoming: JsonMap,
  path: Path,
  reading: Reading,
): Json | undefined {
  const result: { [key: string]: Json } = Object.create(null);
  let changed = original === undefined;
  const before = original ?? {};
  for (const key of Object.keys({ ...before, ...incoming, ...base })) {
    const value = attribute(own(base, key), own(before, key), own(incoming, key), [...path, key], reading);
    if (value !== own(before, key)) changed = true;
    if (value !== undefined) result[key] = value;
  }
  if (!changed) return original;
  if (original === undefined && Object.keys(result).length === 0) return undefined;
  return plain(result);
}

/**
 * A list that differs from both is merged as an edit of the rewritten view. Where that loses something and the source
 * owns the list, or the list bears less trace of the view than of the original (a source that came in while we were not
 * called), it is the original as it stands.
 */
function attributeList(
  base: JsonList,
  original: JsonList | undefined,
  incoming: JsonList,
  path: Path,
  reading: Reading,
): Json | undefined {
  const unkept: Path[] = [];
  const merged = mergeList(base, original ?? [], incoming, path, {
    ...reading,
    onUnkept: (inner) => unkept.push(inner),
  });
  if (reading.explains(path, merged)) return settled(merged, original);
  if (reading.evidence().fromSource(path, incoming) || isNearer(incoming, original ?? [], base)) return incoming;
  reading.onUnkept(unkept[0] ?? path);
  return settled(merged, original);
}

/** A list that only the rewrite had, and of which nothing is the user's, stays absent. */
function settled(merged: JsonList, original: JsonList | undefined): Json | undefined {
  if (original === undefined) return merged.length === 0 ? undefined : merged;
  const untouched = merged.length === original.length && merged.every((element, i) => element === original[i]);
  return untouched ? original : merged;
}

/**
 * Three-way merge of a list. Which base element came from which original element is known from the rewrite's provenance
 * (reckoned by likeness only when the rewrite itself is no longer known); which incoming element is which base element
 * is reckoned by {@link align}. The rewrite's own elements drop out, the user's new ones come in, elements that the
 * rewrite had taken away keep their place behind their predecessor.
 */
function mergeList(base: JsonList, original: JsonList, incoming: JsonList, path: Path, reading: Reading): JsonList {
  const originalOfBase = provenance(base, original, reading);
  const incomingOfBase = align(base, incoming, reading.effort, (b) => originalOfBase.has(b));
  const baseOfIncoming = inverse(incomingOfBase);
  const rewritten = new Set(originalOfBase.values());
  // Elements that the rewrite had taken away and the writer put in again.
  const putBack = inverse(
    onlyEqual(
      align(original, incoming, { comparisons: 0 }),
      original,
      incoming,
      (o, i) => !rewritten.has(o) && !baseOfIncoming.has(i),
    ),
  );
  const placed = new Set(putBack.values());
  const merged: { value: Json; from: number | undefined }[] = [];
  incoming.forEach((element, i) => {
    const b = baseOfIncoming.get(i);
    if (b === undefined) {
      merged.push({ value: element, from: putBack.get(i) });
      return;
    }
    const o = originalOfBase.get(b);
    if (o === undefined) {
      reportOwn(base[b], element, [...path, i], reading);
      return;
    }
    const inner: Reading = { ...reading, explains: () => true };
    const value = attribute(base[b], original[o], element, [...path, o], inner);
    if (value !== undefined) merged.push({ value, from: o });
  });
  original.forEach((element, o) => {
    if (rewritten.has(o) || placed.has(o)) return;
    const predecessor = merged.findLastIndex(({ from }) => from !== undefined && from < o);
    merged.splice(predecessor + 1, 0, { value: element, from: o });
  });
  return merged.map(({ value }) => value);
}

/** The pairs of equal elements that the filter admits. */
function onlyEqual(
  pairs: Alignment,
  a: JsonList,
  b: JsonList,
  admits: (i: number, j: number) => boolean,
): Map<number, number> {
  return new Map([...pairs].filter(([i, j]) => admits(i, j) && equal(a[i], b[j])));
}

function reportOwn(base: Json | undefined, incoming: Json, path: Path, reading: Reading): void {
  if (!same(base, incoming, reading.storage)) reading.onUnkept(path);
}

function provenance(base: JsonList, original: JsonList, { sourceOf, effort }: Reading): Alignment {
  if (sourceOf === undefined) return inverse(align(original, base, effort));
  const indexes = new Map<Json, number[]>();
  original.forEach((element, o) => {
    if (typeof element === 'object' && element !== null) indexes.set(element, [...(indexes.get(element) ?? []), o]);
  });
  const result = new Map<number, number>();
  base.forEach((element, b) => {
    const source = sourceOf(element);
    // One element of the original that comes out twice was copied: the second one is the rewrite's own.
    const o = source === undefined ? undefined : indexes.get(source)?.shift();
    if (o !== undefined) result.set(b, o);
  });
  return withScalars(result, base, original);
}

/** Scalars have no identity: those of the base are the original's where they are equal. */
function withScalars(known: Map<number, number>, base: JsonList, original: JsonList): Alignment {
  const isValue = (element: Json) => !isMap(element) && !isList(element);
  const originals = [...original.keys()].filter((o) => isValue(original[o] ?? null));
  const bases = [...base.keys()].filter((b) => isValue(base[b] ?? null));
  if (originals.length === 0 || bases.length === 0) return known;
  const pairs = align(
    originals.map((o) => original[o] ?? null),
    bases.map((b) => base[b] ?? null),
  );
  for (const [i, j] of pairs) {
    const [o, b] = [originals[i], bases[j]];
    if (o !== undefined && b !== undefined) known.set(b, o);
  }
  return known;
}

function inverse(pairs: Alignment): Map<number, number> {
  return new Map([...pairs].map(([from, to]) => [to, from]));
}

function own(map: JsonMap, key: string): Json | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** Keys such as `__proto__` are data: the result is built without a prototype, then handed on as an ordinary object. */
function plain(map: JsonMap): JsonMap {
  return Object.fromEntries(Object.entries(map));
}
