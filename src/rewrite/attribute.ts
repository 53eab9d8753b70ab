import { equal } from '../json/equal.ts';
import { bearsTrace } from '../json/leaves.ts';
import { isList, isMap, isScalar, type Json, type JsonList, type JsonMap, member } from '../json/value.ts';
import { type Alignment, align, type Effort, placesOf } from './align.ts';
import { isStored, type Storage } from './covers.ts';
import type { Evidence } from './evidence.ts';
import type { SourceOf } from './provenance.ts';

/** Keys and indexes from the declared part down: `['spec', 'http', 2, 'timeout']`. */
export type Path = readonly (string | number)[];

/** What attribution needs to know beyond the three values. */
export type Context = {
  readonly storage: Storage;
  readonly effort: Effort;
  /** The element of the original that an element of the base came from; undefined for the rewrite's own. */
  readonly sourceOf: SourceOf | undefined;
  /** Whether the writer's own source says so. Reading it costs time that only a write with an edit is worth. */
  readonly evidence: () => Evidence;
  /** True when rewriting `list` at this path gives what the writer sent, so that nothing of the edit is lost. */
  readonly explains: (path: Path, list: JsonList) => boolean;
  /** What becomes of an edit by hand of a value that the rewrite computes: a share of traffic is put back, a setting of
   * the user's own (maxSurge, say) is kept for the time after the release. */
  readonly computedValues: 'put back' | 'keep for later';
  /** Told about each value that was set by hand where the rewrite decides. */
  readonly onUnkept: (path: Path) => void;
};

/** Deeper values are edited as a whole: nobody writes such objects by hand, and stacks end. */
const DEPTH_LIMIT = 200;

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
  context: Context,
): Json | undefined {
  if (isStored(base, incoming, context.storage)) return attributeView(base, original, incoming, path, context);
  if (!isMap(incoming) && equal(incoming, original)) {
    // The value of before: a source that was applied again, or somebody who undoes the rewrite by hand.
    if (!context.evidence().fromSource(path, incoming)) context.onUnkept(path);
    return original;
  }
  if (path.length < DEPTH_LIMIT && isMap(incoming) && (isMap(base) || isMap(original))) {
    return attributeMap(isMap(base) ? base : {}, isMap(original) ? original : undefined, incoming, path, context);
  }
  if (path.length < DEPTH_LIMIT && isList(incoming) && isList(base)) {
    return attributeList(base, isList(original) ? original : undefined, incoming, path, context);
  }
  return attributeValue(base, original, incoming, path, context);
}

/**
 * What equals the view is the user's where the text of the user's source has it, too, as far down as single values.
 * Owning a field is not enough here: in the second pass of an apply the source owns what the first pass rewrote.
 */
function attributeView(
  base: Json | undefined,
  original: Json | undefined,
  incoming: Json | undefined,
  path: Path,
  context: Context,
): Json | undefined {
  if (base === original || equal(base, original)) return original;
  if (!context.evidence().isApply) return original;
  if (incoming === undefined || isScalar(incoming)) {
    return context.evidence().states(path, incoming) ? incoming : original;
  }
  if (isMap(incoming) && isMap(base) && path.length < DEPTH_LIMIT) {
    return attributeMap(base, isMap(original) ? original : undefined, incoming, path, context);
  }
  return original;
}

function attributeValue(
  base: Json | undefined,
  original: Json | undefined,
  incoming: Json | undefined,
  path: Path,
  context: Context,
): Json | undefined {
  if (equal(base, original)) return incoming;
  context.onUnkept(path);
  const isRemoval = incoming === undefined && (isMap(original) || isList(original));
  if (base === undefined || isRemoval || context.evidence().fromSource(path, incoming)) return incoming;
  return context.computedValues === 'keep for later' ? incoming : original;
}

function attributeMap(
  base: JsonMap,
  original: JsonMap | undefined,
  incoming: JsonMap,
  path: Path,
  context: Context,
): Json | undefined {
  const entries: [string, Json][] = [];
  let changed = original === undefined;
  const keys = new Set([...Object.keys(original ?? {}), ...Object.keys(incoming), ...Object.keys(base)]);
  for (const key of keys) {
    const before = member(original, key);
    const value = attribute(member(base, key), before, member(incoming, key), [...path, key], context);
    if (value !== before) changed = true;
    if (value !== undefined) entries.push([key, value]);
  }
  if (!changed) return original;
  if (original === undefined && entries.length === 0) return undefined;
  return Object.fromEntries(entries);
}

/**
 * A list that differs from both is merged as an edit of the rewritten view. Where that loses something and the source
 * owns the list, or the list bears no trace of the view (a source that came in while we were not called), it is the
 * original as it stands.
 */
function attributeList(
  base: JsonList,
  original: JsonList | undefined,
  incoming: JsonList,
  path: Path,
  context: Context,
): Json | undefined {
  const unkept: Path[] = [];
  const merging: Context = { ...context, onUnkept: (inner) => unkept.push(inner) };
  const merged = mergeList(base, original ?? [], incoming, path, merging);
  const isExplained = context.explains(path, merged);
  // A list that is taken from the source as it stands leaves nothing in doubt.
  if (!isExplained && context.evidence().fromSource(path, incoming)) return incoming;
  for (const inner of unkept) context.onUnkept(inner);
  if (isExplained) return settled(merged, original);
  context.onUnkept(path);
  return bearsTrace(incoming, base, original ?? []) ? settled(merged, original) : incoming;
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
function mergeList(base: JsonList, original: JsonList, incoming: JsonList, path: Path, context: Context): JsonList {
  const originalOfBase = provenance(base, original, context);
  const incomingOfBase = align(base, incoming, context.effort, (b) => originalOfBase.has(b));
  const baseOfIncoming = inverse(incomingOfBase);
  const rewritten = new Set(originalOfBase.values());
  const putBack = restoredElements(
    original,
    incoming,
    (o) => rewritten.has(o),
    (i) => baseOfIncoming.has(i),
    context.effort,
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
      if (isStored(base[b], element, context.storage)) return;
      if (bearsTrace([element], [base[b] ?? null], original)) context.onUnkept([...path, i]);
      // A new element of the user's that only looks like the rewrite's own.
      else merged.push({ value: element, from: undefined });
      return;
    }
    const inner: Context = { ...context, explains: () => true };
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

/**
 * Elements that the rewrite had taken away and the writer put in again: index in what was sent → index in the original.
 */
function restoredElements(
  original: JsonList,
  incoming: JsonList,
  isRewritten: (o: number) => boolean,
  isPaired: (i: number) => boolean,
  effort: Effort,
): Map<number, number> {
  const gone = [...original.keys()].filter((o) => !isRewritten(o));
  const fresh = [...incoming.keys()].filter((i) => !isPaired(i));
  const result = new Map<number, number>();
  if (gone.length === 0 || fresh.length === 0) return result;
  const pairs = align(elementsAt(original, gone), elementsAt(incoming, fresh), effort);
  for (const [g, f] of pairs) {
    const [o, i] = [gone[g], fresh[f]];
    if (o !== undefined && i !== undefined && equal(original[o], incoming[i])) result.set(i, o);
  }
  return result;
}

function elementsAt(list: JsonList, indexes: readonly number[]): Json[] {
  return indexes.map((index) => list[index] ?? null);
}

function provenance(base: JsonList, original: JsonList, { sourceOf, effort }: Context): Alignment {
  if (sourceOf === undefined) return inverse(align(original, base, effort));
  const places = placesOf([...original.keys()], (o) => original[o] ?? null);
  const result = new Map<number, number>();
  base.forEach((element, b) => {
    const source = sourceOf(element);
    // One element of the original that comes out twice was copied: the second one is the rewrite's own.
    const o = source === undefined || isScalar(source) ? undefined : places.next(source);
    if (o !== undefined) result.set(b, o);
  });
  return withScalars(result, base, original, effort);
}

/** Scalars have no identity: those of the base are the original's where they are equal. */
function withScalars(known: Map<number, number>, base: JsonList, original: JsonList, effort: Effort): Alignment {
  const originals = [...original.keys()].filter((o) => isScalar(original[o] ?? null));
  const bases = [...base.keys()].filter((b) => isScalar(base[b] ?? null));
  if (originals.length === 0 || bases.length === 0) return known;
  const pairs = align(elementsAt(original, originals), elementsAt(base, bases), effort);
  for (const [i, j] of pairs) {
    const [o, b] = [originals[i], bases[j]];
    if (o !== undefined && b !== undefined) known.set(b, o);
  }
  return known;
}

function inverse(pairs: Alignment): Map<number, number> {
  return new Map([...pairs].map(([from, to]) => [to, from]));
}
