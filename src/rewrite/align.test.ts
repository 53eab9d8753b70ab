import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equal } from '../json/equal.ts';
import type { Json, JsonList } from '../json/value.ts';
import { align, fullEffort } from './align.ts';

const rule = (name: string, more: Record<string, Json> = {}): Json => ({ name, timeout: '1s', ...more });

const cases: [string, JsonList, JsonList, [number, number][]][] = [
  [
    'equal lists pair one by one',
    ['a', 'b'],
    ['a', 'b'],
    [
      [0, 0],
      [1, 1],
    ],
  ],
  [
    'an inserted element pairs with nothing',
    ['a', 'b'],
    ['a', 'x', 'b'],
    [
      [0, 0],
      [1, 2],
    ],
  ],
  [
    'a removed element pairs with nothing',
    ['a', 'x', 'b'],
    ['a', 'b'],
    [
      [0, 0],
      [2, 1],
    ],
  ],
  [
    'moved elements find each other',
    ['a', 'b', 'c'],
    ['c', 'a', 'b'],
    [
      [0, 1],
      [1, 2],
      [2, 0],
    ],
  ],
  [
    'duplicates pair in order',
    ['d', 'd', 'a'],
    ['a', 'd', 'd'],
    [
      [0, 1],
      [1, 2],
      [2, 0],
    ],
  ],
  [
    'an edited element is known by its name',
    [rule('x'), rule('y')],
    [rule('y', { timeout: '9s' }), rule('x', { timeout: '9s' })],
    [
      [0, 1],
      [1, 0],
    ],
  ],
  ['elements with nothing in common do not pair', [{ a: 1 }], [{ b: 2 }], []],
];

test.each(cases)('%s', (_title, a, b, pairs) => {
  expect([...align(a, b)].sort(([i], [j]) => i - j)).toEqual(pairs);
});

test('preferred elements find their like before the others', () => {
  const [own, users] = [rule('canary', { to: 'x' }), { timeout: '1s', to: 'y', path: '/a' }];
  const edited = { timeout: '2s', to: 'y', path: '/a' };
  expect(align([own, users], [edited], fullEffort(), (i) => i === 1).get(1)).toBe(0);
});

test('every index is used once, and equal elements never stay apart', () => {
  const element = fc.oneof(
    fc.constantFrom<Json>('a', 'b', 1, null),
    fc.record({ name: fc.constantFrom('x', 'y'), v: fc.nat(2) }),
  );
  fc.assert(
    fc.property(fc.array(element), fc.array(element), (a, b) => {
      const pairs = align(a, b);
      expect(new Set(pairs.values()).size).toBe(pairs.size);
      const freeB = b.filter((_, j) => ![...pairs.values()].includes(j));
      const freeA = a.filter((_, i) => !pairs.has(i));
      expect(freeA.some((x) => freeB.some((y) => equal(x, y)))).toBe(false);
    }),
  );
});

test('lists of thousands of elements are aligned in bounded time', () => {
  const list = (from: number) => Array.from({ length: 3000 }, (_, i) => ({ id: from + i, name: `r${from + i}` }));
  // 9 million cells would be too many: the elements are paired by equality and by name for the first left over.
  const pairs = align(list(0), list(1500).reverse());
  expect(pairs.get(1500)).toBe(2999);
  expect(pairs.size).toBeGreaterThanOrEqual(1500);
});

test('when the effort of a write is used up, lists are paired by place', () => {
  expect([...align(['a', 'b', 'c'], ['c', 'a'], { steps: 0 })]).toEqual([
    [0, 0],
    [1, 1],
  ]);
});
