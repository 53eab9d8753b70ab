/** Corrections that are made at once, within {@link WINDOW}. */
const FREE = 5;
const WINDOW = 60_000;
const LONGEST = 60_000;

/**
 * How long to wait before an object is corrected once more. Somebody who edits an object by hand is corrected at once; a
 * controller that edits it back each time (some providers rewrite all webhook configurations) is met ever more
 * slowly, so that the two do not keep an API server busy.
 */
export function createDamping(monotonic: () => number): {
  delayFor(name: string): number;
  corrected(name: string): void;
} {
  const corrections = new Map<string, { count: number; last: number }>();
  const recent = (name: string) => {
    const known = corrections.get(name);
    return known === undefined || monotonic() - known.last > WINDOW + delayAfter(known.count) ? undefined : known;
  };
  return {
    delayFor(name) {
      const known = recent(name);
      return known === undefined ? 0 : Math.max(0, known.last + delayAfter(known.count) - monotonic());
    },
    corrected(name) {
      corrections.set(name, { count: (recent(name)?.count ?? 0) + 1, last: monotonic() });
    },
  };
}

function delayAfter(count: number): number {
  return count < FREE ? 0 : Math.min(LONGEST, 1000 * 2 ** (count - FREE));
}
