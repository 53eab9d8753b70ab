import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS, Meter } from './limits.ts';
import { Table } from './table.ts';
import type { Value } from './value.ts';

const key = fc.oneof(
  fc.integer({ min: -1, max: 14 }),
  fc.constantFrom(1.5, 2 ** 53, true, false),
  fc.constantFrom(...'abcdefghijkl'),
);
const change = fc.oneof(
  fc.record({ op: fc.constant('set' as const), key, value: fc.option(fc.integer(), { nil: undefined }) }),
  fc.record({ op: fc.constant('insert' as const), key: fc.nat({ max: 20 }), value: fc.integer() }),
  fc.record({ op: fc.constant('remove' as const), key: fc.nat({ max: 20 }), value: fc.constant(undefined) }),
);

/** All members by walking from key to key, as `next` does. */
function walked(table: Table): Map<Value, Value> {
  const found = new Map<Value, Value>();
  let at = table.occupied(0);
  while (at >= 0) {
    found.set(table.keyAt(at), table.valueAt(at));
    at = table.occupied(table.cursorAfter(table.keyAt(at)) ?? Number.POSITIVE_INFINITY);
  }
  return found;
}

function shifted(model: Map<Value, Value>, from: number, to: number, value: Value): void {
  const step = from < to ? 1 : -1;
  for (let i = from; i !== to; i += step) put(model, i, model.get(i + step));
  put(model, to, value);
}

function put(model: Map<Value, Value>, at: Value, value: Value): void {
  if (value === undefined) model.delete(at);
  else model.set(at, value);
}

test('a table holds what was put into it, in any order, and walking finds each member once', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const table = new Table(new Meter(DEFAULT_LIMITS));
      const model = new Map<Value, Value>();
      for (const { op, key: at, value } of changes) {
        const size = table.length;
        if (op === 'set') {
          table.set(at, value);
          put(model, at, value);
        } else if (op === 'insert') {
          const place = 1 + (Number(at) % (size + 1));
          table.insertAt(place, value);
          shifted(model, size + 1, place, value);
        } else if (size > 0) {
          const place = 1 + (Number(at) % size);
          expect(table.removeAt(place)).toBe(model.get(place));
          shifted(model, place, size, undefined);
        }
        const border = table.length;
        expect(border === 0 || model.has(border)).toBe(true);
        expect(model.has(border + 1)).toBe(false);
      }
      expect(walked(table)).toEqual(model);
      for (const [at, value] of model) expect(table.get(at)).toBe(value);
    }),
  );
});

test('every member that is removed while it is visited is visited all the same', () => {
  fc.assert(
    fc.property(fc.uniqueArray(key), fc.array(key), (keys, before) => {
      const table = new Table(new Meter(DEFAULT_LIMITS));
      for (const at of before) table.set(at, true);
      for (const at of before) table.set(at, undefined);
      for (const at of keys) table.set(at, true);
      const visited: Value[] = [];
      for (let at = table.occupied(0); at >= 0; ) {
        const here = table.keyAt(at);
        visited.push(here);
        table.set(here, undefined);
        at = table.occupied(table.cursorAfter(here) ?? Number.POSITIVE_INFINITY);
      }
      expect(new Set(visited)).toEqual(new Set(keys));
      expect(visited.length).toBe(keys.length);
    }),
  );
});

test('a table of JSON fills itself once, at the first look', () => {
  let fills = 0;
  const table = new Table(new Meter(DEFAULT_LIMITS), { a: 1 }, (itself) => {
    fills++;
    itself.load([], ['a'], [1]);
  });
  expect(table.untouched).toBe(true);
  expect([table.get('a'), table.length, table.memberCount, table.untouched, fills]).toEqual([1, 0, 1, false, 1]);
});
