import { canonicalJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonList, member, stringAt } from '../json/value.ts';

/** Index in the first list → index in the second, for elements that are taken to be the same one. */
export type Alignment = ReadonlyMap<number, number>;

/** Likeness is reckoned for at most this many left-over elements on each side. */
const LEFT_OVER_LIMIT = 64;
/** Elements that share no name must be at least this alike to be taken for the same. */
const LIKE_ENOUGH = 0.5;
/** Elements with different names are the same only if one was renamed: everything else then agrees. */
const RENAMED = 0.6;

/**
 * What is left of the work that one write may cost in aligning lists, in steps of some 20 ns: characters written out,
 * cells of tables, values compared. It is counted down; when it is used up lists are paired by place, so that no object
 * makes other admissions wait.
 */
export type Effort = { steps: number };

export function fullEffort(): Effort {
  return { steps: 1_000_000 };
}

/** What one comparison of values costs, in steps. */
const COMPARISON = 5;

/**
 * Tells which element of `b` is which element of `a`: first the longest common subsequence of equal elements, then equal
 * elements that were moved (duplicates in order), then elements with the same identifying field by likeness, then by
 * likeness alone. Elements without a counterpart are absent from the answer.
 *
 * @param isPreferred elements of `a` that find their like before the others.
 */
export function align(
  a: JsonList,
  b: JsonList,
  effort: Effort = fullEffort(),
  isPreferred: (i: number) => boolean = () => true,
): Alignment {
  const pairs = new Map<number, number>();
  const taken = new Set<number>();
  const pair = (i: number, j: number) => {
    pairs.set(i, j);
    taken.add(j);
  };
  if (effort.steps <= 0) return byPlace(a, b);
  const [idsA, idsB] = identities(a, b, effort);
  for (const [i, j] of commonSubsequence(idsA, idsB, effort)) pair(i, j);
  pairMoved(idsA, idsB, pairs, taken, pair);
  if (effort.steps > 0) pairAlike(a, b, pairs, taken, pair, effort, isPreferred);
  return pairs;
}

function byPlace(a: JsonList, b: JsonList): Alignment {
  return new Map(Array.from({ length: Math.min(a.length, b.length) }, (_, i) => [i, i]));
}

/** Equal elements get equal numbers. */
function identities(a: JsonList, b: JsonList, effort: Effort): [number[], number[]] {
  const numbers = new Map<string, number>();
  const idOf = (value: Json): number => {
    const text = canonicalJson(value);
    effort.steps -= text.length;
    const known = numbers.get(text) ?? numbers.size;
    numbers.set(text, known);
    return known;
  };
  return [a.map(idOf), b.map(idOf)];
}

/** Pairs of indexes of a longest common subsequence. What both lists begin or end with alike is taken off first. */
function commonSubsequence(a: number[], b: number[], effort: Effort): [number, number][] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const head = a.slice(0, start).map((_, i): [number, number] => [i, i]);
  const tail = a.slice(endA).map((_, i): [number, number] => [endA + i, endB + i]);
  const middle = tableSubsequence(a.slice(start, endA), b.slice(start, endB), effort);
  return [...head, ...middle.map(([i, j]): [number, number] => [i + start, j + start]), ...tail];
}

function tableSubsequence(a: number[], b: number[], effort: Effort): [number, number][] {
  const width = b.length + 1;
  // Lists this long and this different are paired by equality alone, in the next step.
  if (a.length * b.length > effort.steps) return [];
  effort.steps -= a.length * b.length;
  const lengths = new Uint32Array((a.length + 1) * width);
  const cell = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j] ? cell(i + 1, j + 1) + 1 : Math.max(cell(i + 1, j), cell(i, j + 1));
    }
  }
  const result: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) result.push([i++, j++]);
    else if (cell(i + 1, j) >= cell(i, j + 1)) i++;
    else j++;
  }
  return result;
}

/** Hands out indexes by what is there, first come, first served, each once. */
export function placesOf<K>(
  indexes: readonly number[],
  keyOf: (index: number) => K,
): { next(key: K): number | undefined } {
  const places = new Map<K, { readonly list: number[]; used: number }>();
  for (const index of indexes) {
    const key = keyOf(index);
    const known = places.get(key);
    if (known === undefined) places.set(key, { list: [index], used: 0 });
    else known.list.push(index);
  }
  return {
    next(key) {
      const found = places.get(key);
      return found === undefined ? undefined : found.list[found.used++];
    },
  };
}

type Pair = (i: number, j: number) => void;

function pairMoved(a: number[], b: number[], pairs: Alignment, taken: ReadonlySet<number>, pair: Pair): void {
  const free = placesOf(
    [...b.keys()].filter((j) => !taken.has(j)),
    (j) => b[j] ?? 0,
  );
  a.forEach((id, i) => {
    const j = pairs.has(i) ? undefined : free.next(id);
    if (j !== undefined) pair(i, j);
  });
}

function pairAlike(
  a: JsonList,
  b: JsonList,
  pairs: Alignment,
  taken: ReadonlySet<number>,
  pair: Pair,
  effort: Effort,
  isPreferred: (i: number) => boolean,
): void {
  const leftA = [...a.keys()].filter((i) => !pairs.has(i)).slice(0, LEFT_OVER_LIMIT);
  const leftB = [...b.keys()].filter((j) => !taken.has(j)).slice(0, LEFT_OVER_LIMIT);
  const candidates = leftA.flatMap((i) =>
    leftB.flatMap((j) => {
      const score = likeness(a[i] ?? null, b[j] ?? null, effort);
      const named = sameName(a[i], b[j]);
      if (named === 'differs' ? score < RENAMED : named === 'no name' && score < LIKE_ENOUGH) return [];
      // A likeness is at most 1, a shared name adds 1: preference outranks both.
      return [{ i, j, score: score + (named === 'same' ? 1 : 0) + (isPreferred(i) ? 2 : 0) }];
    }),
  );
  candidates.sort((p, q) => q.score - p.score || Math.abs(p.i - p.j) - Math.abs(q.i - q.j));
  for (const { i, j } of candidates) if (!pairs.has(i) && !taken.has(j)) pair(i, j);
}

/** Compares the fields by which people tell elements of such lists apart. */
function sameName(a: Json | undefined, b: Json | undefined): 'same' | 'differs' | 'no name' {
  const [nameA, nameB] = [nameOf(a), nameOf(b)];
  if (nameA === undefined || nameB === undefined) return 'no name';
  return nameA === nameB ? 'same' : 'differs';
}

function nameOf(element: Json | undefined): string | undefined {
  const name = stringAt(element, 'name') ?? stringAt(element, 'serviceName') ?? stringAt(element, 'path');
  if (name !== undefined) return name;
  const host = stringAt(element, 'destination', 'host') ?? stringAt(element, 'host');
  return host === undefined ? undefined : `${host}#${stringAt(element, 'destination', 'subset') ?? ''}`;
}

/** From 0 (nothing in common) to 1 (equal): the share of leaves that agree. */
function likeness(a: Json, b: Json, effort: Effort): number {
  effort.steps -= COMPARISON;
  if (effort.steps <= 0) return 0;
  if (isMap(a) && isMap(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    if (keys.size === 0) return 1;
    let sum = 0;
    for (const key of keys) {
      const [left, right] = [member(a, key), member(b, key)];
      if (left !== undefined && right !== undefined) sum += likeness(left, right, effort);
    }
    return sum / keys.size;
  }
  if (isList(a) && isList(b)) {
    const length = Math.max(a.length, b.length);
    if (length === 0) return 1;
    let sum = 0;
    for (let i = 0; i < Math.min(a.length, b.length); i++) sum += likeness(a[i] ?? null, b[i] ?? null, effort);
    return sum / length;
  }
  return a === b ? 1 : 0;
}
