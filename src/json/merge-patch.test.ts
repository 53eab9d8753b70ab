import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equal } from './equal.ts';
import { mergePatch } from './merge-patch.ts';
import { isMap, type Json, type JsonMap } from './value.ts';

/** RFC 7386, section 2. */
function merged(target: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const result: { [key: string]: Json } = isMap(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

const { map } = fc.letrec<{ value: Json; map: JsonMap }>((tie) => ({
  // A merge patch cannot set null: it removes.
  value: fc.oneof({ maxDepth: 3 }, fc.integer(), fc.string(), fc.array(fc.integer(), { maxLength: 2 }), tie('map')),
  map: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3 }),
}));

test('the patch makes of the one what the other is, and there is none between equals', () => {
  fc.assert(
    fc.property(map, map, (before, after) => {
      const patch = mergePatch(before, after);
      expect(patch === undefined).toBe(equal(before, after));
      expect(merged(before, patch ?? {})).toEqual(after);
    }),
  );
});

test('only what differs is in it', () => {
  expect(mergePatch({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { a: 1, b: { c: 1 }, e: [1, 2] })).toEqual({
    b: { d: null },
    e: [1, 2],
  });
});
