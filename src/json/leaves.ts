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

/** The number of leaves that only one side has. */
export function leafDifference(a: LeafCounts, b: LeafCounts): number {
  let sum = 0;
  for (const [leaf, count] of a) sum += Math.abs(count - (b.get(leaf) ?? 0));
  for (const [leaf, count] of b) if (!a.has(leaf)) sum += count;
  return sum;
}

/** True when fewer leaves tell `value` from `near` than from `far`. */
export function isNearer(value: Json, near: Json, far: Json): boolean {
  const counts = leafCounts(value);
  return leafDifference(counts, leafCounts(near)) < leafDifference(counts, leafCounts(far));
}
