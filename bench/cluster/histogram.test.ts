import { expect, test } from 'vitest';
import { quantileOf, scrapedHistogram } from './histogram.ts';

const scrape = (counts: readonly number[]) =>
  ['0.1', '1', '+Inf'].map((le, i) => `took_bucket{le="${le}",work="a"} ${counts[i]}`).join('\n');

test('what came between two scrapes is counted, series added up', () => {
  const after = `${scrape([3, 5, 6])}\ntook_bucket{le="0.1",work="b"} 1\nother_bucket{le="0.1"} 9`;
  expect(scrapedHistogram(scrape([1, 1, 1]), after, 'took')).toEqual([
    { bound: 0.1, count: 3 },
    { bound: 1, count: 4 },
    { bound: Number.POSITIVE_INFINITY, count: 5 },
  ]);
});

test.each([
  [0.5, 0.1],
  [0.75, 0.55],
  [0.99, 1],
])('the quantile %s is read within its bucket: %s', (share, value) => {
  const buckets = scrapedHistogram(scrape([0, 0, 0]), scrape([2, 4, 4]), 'took');
  expect(quantileOf(buckets, share)).toBeCloseTo(value, 1);
});
