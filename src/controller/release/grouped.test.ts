import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Grouped } from './grouped.ts';

type Thing = { readonly name: string; readonly owner: string };

test('after any changes each group holds what belongs to it now, and nothing else', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const step = fc.record({ name: names, owner: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const grouped = new Grouped<Thing>(({ owner }) => owner);
      const all = new Map<string, Thing>();
      for (const { name, owner } of steps) {
        const [before, after] = [all.get(name), owner === undefined ? undefined : { name, owner }];
        grouped.take({ before, after });
        if (after === undefined) all.delete(name);
        else all.set(name, after);
      }
      for (const group of ['x', 'y']) {
        const expected = [...all.values()].filter(({ owner }) => owner === group);
        expect(new Set(grouped.of(group))).toEqual(new Set(expected));
      }
    }),
  );
});
