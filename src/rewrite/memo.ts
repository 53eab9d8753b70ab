import type { Declared } from './declared.ts';
import type { Original } from './original.ts';
import type { Rewritten } from './rewriter.ts';

/** Rewrites remembered for each original: the steps of a release, and a few readings of one write. */
const RESULTS_PER_ORIGINAL = 8;

/**
 * Remembers originals by their text and rewrites by original and directives. It saves work and never changes an answer:
 * everything that it holds is a pure function of its key.
 */
export type Memo = {
  readonly original: (text: string, decode: (text: string) => Original) => Original;
  /** True for a value that {@link Memo.original} gave, the very same. */
  readonly knows: (original: Declared) => boolean;
  readonly result: (original: Declared, key: string) => Rewritten | undefined;
  readonly remember: (original: Declared, key: string, result: Rewritten) => void;
};

type Entry = { readonly original: Original; readonly size: number; readonly results: Map<string, Rewritten> };

/** @param capacity characters of original text to hold at most; the least recently used go first. */
export function createMemo(capacity: number): Memo {
  const entries = new Map<string, Entry>();
  const byDeclared = new WeakMap<Declared, Entry>();
  let held = 0;
  let newest: Entry | undefined;

  function keep(text: string, entry: Entry): void {
    entries.set(text, entry);
    newest = entry;
    byDeclared.set(entry.original.declared, entry);
    held += entry.size;
    for (const [oldest, { size }] of entries) {
      if (held <= capacity) return;
      entries.delete(oldest);
      held -= size;
    }
  }

  return {
    original(text, decode) {
      const known = entries.get(text);
      if (known !== undefined) {
        // One decision asks for the same original several times.
        if (known !== newest) {
          entries.delete(text);
          entries.set(text, known);
          newest = known;
        }
        return known.original;
      }
      const original = decode(text);
      // The results share most of the original, so three times its text is a fair reckoning of what an entry holds.
      keep(text, { original, size: 3 * text.length, results: new Map() });
      return original;
    },
    knows: (declared) => byDeclared.has(declared),
    result: (declared, key) => byDeclared.get(declared)?.results.get(key),
    remember(declared, key, result) {
      const results = capacity === 0 ? undefined : byDeclared.get(declared)?.results;
      if (results === undefined) return;
      results.set(key, result);
      for (const oldest of results.keys()) {
        if (results.size <= RESULTS_PER_ORIGINAL) return;
        results.delete(oldest);
      }
    },
  };
}
