import { describe, expect, test } from 'vitest';
import { progressed } from './progress.ts';

describe('the progress of a state', () => {
  test.each<[string, readonly number[][], boolean]>([
    ['more pods than ever', [[0], [1], [2]], true],
    ['fewer pods than ever', [[5], [4], [3]], true],
    ['a pod that falls ill and recovers', [[1], [2], [1], [2], [1]], false],
    ['the same pods', [[3], [3]], false],
    ['a pod beyond those that flap', [[1], [2], [1], [3]], true],
    [
      'one that moves beside one that flaps',
      [
        [1, 0],
        [2, 0],
        [1, 0],
        [2, 1],
      ],
      true,
    ],
  ])('%s', (_, looks, isMoving) => {
    const texts = [''];
    for (const counts of looks) texts.push(progressed(texts.at(-1) ?? '', 'x', counts));
    expect(texts.at(-1) !== texts.at(-2)).toBe(isMoving);
  });

  test('counts begin anew when something has changed as a whole', () => {
    const before = progressed(progressed('', 'none', [1]), 'none', [5]);
    expect(progressed(before, 'step 1', [3])).toBe('step 1|3-3');
  });

  test('another number of things to count begins with those that are new', () => {
    expect(progressed(progressed('', 'x', [1]), 'x', [2, 7])).toBe('x|1-2 7-7');
  });
});
