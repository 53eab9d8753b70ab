import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planPaths } from './paths.ts';

const OLD = new Set(['/a']);
const NEW = new Set(['/a', '/b']);

test.each([
  ['nothing is ready yet', [], [], [], ['/a', '/b']],
  ['nobody has answered yet', [undefined], [], [], ['/a', '/b']],
  ['all are of the old version', [OLD, OLD], [], ['/a'], ['/b']],
  ['two versions serve side by side', [OLD, NEW], ['/a'], ['/a'], ['/b']],
  ['all are of the new version', [NEW, NEW], ['/a'], ['/a', '/b'], []],
  ['one more starts, and has not answered', [NEW, undefined], ['/a', '/b'], ['/a', '/b'], []],
  ['all pods are gone', [], ['/a', '/b'], ['/a', '/b'], []],
  ['a rollback has begun', [NEW, OLD], ['/a', '/b'], ['/a', '/b'], []],
  ['a rollback has ended', [OLD, OLD], ['/a', '/b'], ['/a'], ['/b']],
  ['after a rollback, one has not answered', [OLD, undefined], ['/a', '/b'], ['/a', '/b'], []],
])('when %s, the right paths are called, and each other one has its reason', (_, ready, called, paths, waiting) => {
  const plan = planPaths(['/a', '/b'], ready, new Set(called));
  expect([...plan.paths]).toEqual(paths);
  expect([...plan.waiting.keys()]).toEqual(waiting);
});

const paths: fc.Arbitrary<string[]> = fc.uniqueArray(fc.constantFrom('/a', '/b', '/c'));
const served = fc.option(paths, { nil: undefined });

test('a path begins only when all ready webhooks serve it, and ends only when there are some and none does', () => {
  fc.assert(
    fc.property(fc.array(served), paths, (drawn, called) => {
      const ready = drawn.map((paths) => paths && new Set(paths));
      const { paths, waiting } = planPaths(['/a', '/b', '/c'], ready, new Set(called));
      for (const path of ['/a', '/b', '/c']) {
        expect(paths.has(path)).not.toBe(waiting.has(path));
        if (paths.has(path) && !called.includes(path)) {
          expect(ready.length > 0 && ready.every((served) => served?.has(path))).toBe(true);
        }
        if (!paths.has(path) && called.includes(path)) {
          expect(ready.length > 0 && ready.every((served) => served !== undefined && !served.has(path))).toBe(true);
        }
      }
    }),
  );
});
