import { hash } from 'node:crypto';
import { equal } from '../json/equal.ts';
import { canonicalJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonList, type JsonMap, member } from '../json/value.ts';

/**
 * An overlay is what has to be laid over one value to get another, as JSON, so that it can travel in an annotation.
 * Each of its changes says what it replaces and takes effect only where that is still there: whoever edits the value in
 * between wins. Its forms:
 *
 *     {"set": v, "over": w}     v instead of w; without "set" nothing instead of w; without "over" v instead of nothing
 *     {"in": {key: overlay}, "units": [{"keys": […], "set": {…}, "over": {…}}]}       members of a map
 *     {"each": [{"seen": hash, "lay": overlay}]}     elements of a list, found again by what they looked like
 */
export type Overlay = JsonMap;

/** Keys that say one thing together: their changes take effect together or not at all. */
export type Units = readonly (readonly string[])[];

/**
 * What to lay over `seen` to get `wanted`; undefined when they are equal.
 * `applyOverlay(seen, overlayOf(seen, wanted)) = wanted`.
 */
export function overlayOf(seen: Json | undefined, wanted: Json | undefined, units: Units): Overlay | undefined {
  if (seen === wanted) return undefined;
  if (isMap(seen) && isMap(wanted)) return overMap(seen, wanted, units);
  if (isList(seen) && isList(wanted) && seen.length === wanted.length) return overList(seen, wanted, units);
  if (equal(seen, wanted)) return undefined;
  return { ...(wanted === undefined ? {} : { set: wanted }), ...(seen === undefined ? {} : { over: seen }) };
}

function overMap(seen: JsonMap, wanted: JsonMap, units: Units): Overlay | undefined {
  const joined = units
    .filter((keys) => keys.some((key) => !same(member(seen, key), member(wanted, key))))
    .map((keys) => ({ keys, set: pick(wanted, keys), over: pick(seen, keys) }));
  const apart = joined.flatMap(({ keys }) => keys);
  const added = Object.keys(wanted).filter((key) => !Object.hasOwn(seen, key));
  const changes: [string, Overlay][] = [];
  for (const key of [...Object.keys(seen), ...added]) {
    const overlay = apart.includes(key) ? undefined : overlayOf(member(seen, key), member(wanted, key), units);
    if (overlay !== undefined) changes.push([key, overlay]);
  }
  if (changes.length === 0 && joined.length === 0) return undefined;
  return { in: Object.fromEntries(changes), ...(joined.length === 0 ? {} : { units: joined }) };
}

function overList(seen: JsonList, wanted: JsonList, units: Units): Overlay | undefined {
  const lays = seen.map((item, i) => overlayOf(item, wanted[i], units));
  if (lays.every((lay) => lay === undefined)) return undefined;
  return { each: seen.map((item, i) => ({ seen: looks(item), ...(lays[i] === undefined ? {} : { lay: lays[i] }) })) };
}

/**
 * The value with the overlay laid over it. An overlay of any other shape changes nothing: it comes out of an annotation
 * that anyone can write.
 */
export function applyOverlay(value: Json | undefined, overlay: Json | undefined): Json | undefined {
  const members = member(overlay, 'in');
  if (isMap(members)) return isMap(value) ? applyToMap(value, members, member(overlay, 'units')) : value;
  const each = member(overlay, 'each');
  if (isList(each)) return isList(value) ? applyToList(value, each) : value;
  const [set, over] = [member(overlay, 'set'), member(overlay, 'over')];
  return (set !== undefined || over !== undefined) && same(value, over) ? set : value;
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || equal(a, b);
}

function applyToMap(value: JsonMap, members: JsonMap, units: Json | undefined): JsonMap {
  // by way of a Map, so that a key named __proto__ is data like any other
  const result = new Map(Object.entries(value));
  const put = (key: string, next: Json | undefined) =>
    next === undefined ? result.delete(key) : result.set(key, next);
  for (const [key, overlay] of Object.entries(members)) put(key, applyOverlay(member(value, key), overlay));
  for (const unit of isList(units) ? units : []) {
    const list = member(unit, 'keys');
    const keys = isList(list) ? list.filter((key) => typeof key === 'string') : [];
    if (!same(pick(value, keys), member(unit, 'over'))) continue;
    for (const key of keys) put(key, member(member(unit, 'set'), key));
  }
  return Object.fromEntries(result);
}

function applyToList(value: JsonList, each: JsonList): JsonList {
  const partner = align(
    each.map((entry) => member(entry, 'seen')),
    value.map(looks),
  );
  return value.map((item, i) => {
    const lay = member(each[partner[i] ?? -1], 'lay');
    // an element of a list cannot be laid over with nothing
    return lay === undefined ? item : (applyOverlay(item, lay) ?? item);
  });
}

function pick(map: JsonMap, keys: readonly string[]): JsonMap {
  return Object.fromEntries(keys.flatMap((key) => (Object.hasOwn(map, key) ? [[key, map[key] ?? null] as const] : [])));
}

/** Short name of what a list element looks like; 48 bits tell the few elements of one list apart. */
function looks(item: Json): string {
  return hash('sha1', canonicalJson(item)).slice(0, 12);
}

/** Comparisons that aligning two lists may cost; lists of Rollouts stay far below, forged ones would not. */
const MAX_COMPARISONS = 250_000;

/**
 * For each element of `now` the index of the element of `before` that it is, if any: the longest common subsequence of
 * equal ones, and between two of those, where as many are left on both sides, one by one (edited in place).
 */
function align(before: readonly unknown[], now: readonly unknown[]): (number | undefined)[] {
  const partner: (number | undefined)[] = now.map(() => undefined);
  let [b, n] = [0, 0];
  for (const [i, j] of [...commonSubsequence(before, now), [before.length, now.length] as const]) {
    if (i - b === j - n) for (let k = 0; k < i - b; k++) partner[n + k] = b + k;
    if (j < now.length) partner[j] = i;
    [b, n] = [i + 1, j + 1];
  }
  return partner;
}

/** Pairs of indexes of equal elements, rising on both sides, as many as possible. */
function commonSubsequence(a: readonly unknown[], b: readonly unknown[]): (readonly [number, number])[] {
  if (a.length === b.length && a.every((item, i) => item === b[i])) return a.map((_, i) => [i, i] as const);
  if (a.length * b.length > MAX_COMPARISONS) return [];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  const length = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    const row = lengths[i] ?? [];
    for (let j = b.length - 1; j >= 0; j--) {
      row[j] = a[i] === b[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  const pairs: (readonly [number, number])[] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (length(i + 1, j) >= length(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}
