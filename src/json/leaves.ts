import { isList, isMap, type Json } from './value.ts';

/** How often each leaf (path and value) occurs in a value. */
export type LeafCounts = ReadonlyMap<string, number>;

/** Counts leaves. Indexes of lists are no part of a path, so that an inserted element makes no difference to the others. */
export function leafCounts(value: Json): LeafCounts {
  const counts = new Map<string, number>();
  const walk = (here: Json, path: string): void => {
    if (isList(here) && here.length > 0) for (const element of here) walk(element, `${path}/[]`);
    else if (isMap(here) && Object.keys(here).length > 0) {
      for (const [key, entry] of Object.entries(here)) walk(entry, `${path}/${key}`);
    } else {
      const leaf = `${path}=${JSON.stringify(here)}`;
      counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
    }
  };
  walk(value, '');
  return counts;
}

/** True when `value` has a leaf that can only come from `made`: one that `made` has and `from` has nowhere. */
export function bearsTrace(value: Json, made: Json, from: Json): boolean {
  const [own, before] = [leafCounts(value), leafCounts(from)];
  for (const leaf of leafCounts(made).keys()) if (!before.has(leaf) && own.has(leaf)) return true;
  return false;
}

/** The number of leaves that only one side has. */
export function leafDifference(a: LeafCounts, b: LeafCounts): number {
  let sum = 0;
  for (const [leaf, count] of a) sum += Math.abs(count - (b.get(leaf) ?? 0));
  for (const [leaf, count] of b) if (!a.has(leaf)) sum += count;
  return sum;
}
