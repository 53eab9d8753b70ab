import { expect, test } from 'vitest';
import { isMet, linesOf, type Measurement } from './measurement.ts';
import { readOptions } from './options.ts';
import { median, percentile } from './statistics.ts';
import { renderTable } from './table.ts';

test.each<[number[], number]>([
  [[3], 3],
  [[9, 1, 10], 9],
  [[4, 1, 3, 2], 2.5],
  [[10, 9, 1, 100], 9.5],
])('the median of %j is %d', (values, middle) => {
  expect(median(values)).toBe(middle);
});

test.each<[number, number]>([
  [50, 50],
  [99, 99],
  [100, 100],
  [0.5, 1],
])('percentile %d of 1 to 100 is %d, whatever their order', (percent, value) => {
  const values = Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) + 1);
  expect(percentile(values, percent)).toBe(value);
});

test('nothing has neither a median nor a percentile', () => {
  expect(() => median([])).toThrow(RangeError);
  expect(() => percentile([], 50)).toThrow(RangeError);
});

const TIME: Measurement = {
  name: '(a) time',
  ours: 30,
  other: 100,
  unit: 'µs',
  goal: { bound: 'at most', ratio: 0.3 },
};
const RATE: Measurement = {
  name: '(b) rate',
  ours: 12_345.678,
  other: 24_691.356,
  unit: 'req/s',
  goal: { bound: 'at least', ratio: 0.6 },
  details: [{ name: '(b) rate, p50', ours: 0.123456, other: 0.061728, unit: 'ms' }],
};
const FREE: Measurement = { name: '(c) free', ours: 1, other: 3, unit: 'conv/s' };

test('a time must stay at or below its goal, a rate at or above, and without a goal there is nothing to meet', () => {
  expect([TIME, { ...TIME, ours: 31 }, RATE, { ...RATE, ours: 15_000 }, FREE].map(isMet)).toEqual([
    true,
    false,
    false,
    true,
    undefined,
  ]);
});

test('JSON has one line for each measurement and detail, with the same seven keys, in four digits', () => {
  expect(linesOf([TIME, RATE, FREE])).toEqual([
    { name: '(a) time', ours: 30, other: 100, unit: 'µs', ratio: 0.3, goal: 0.3, met: true },
    { name: '(b) rate', ours: 12_350, other: 24_690, unit: 'req/s', ratio: 0.5, goal: 0.6, met: false },
    { name: '(b) rate, p50', ours: 0.1235, other: 0.06173, unit: 'ms', ratio: 2, goal: null, met: null },
    { name: '(c) free', ours: 1, other: 3, unit: 'conv/s', ratio: 0.3333, goal: null, met: null },
  ]);
});

test('the table aligns figures to the right, and says in words what was missed', () => {
  expect(renderTable([TIME, RATE, FREE], false)).toBe(
    [
      'measured    ours   other  unit    ratio   goal  met     details (ours | other)',
      '--------  ------  ------  ------  -----  -----  ------  ----------------------',
      '(a) time      30     100  µs        0.3  ≤ 0.3  yes',
      '(b) rate  12,346  24,691  req/s     0.5  ≥ 0.6  MISSED  p50 0.123 | 0.0617 ms',
      '(c) free       1       3  conv/s  0.333',
      '',
    ].join('\n'),
  );
});

test('on a terminal met goals are green, missed ones red, others plain', () => {
  const lines = renderTable([TIME, RATE, FREE], true).split('\n').slice(2, 5);
  expect(lines.map((line) => line.slice(0, 5))).toEqual(['\u001b[32m', '\u001b[31m', '(c) f']);
  expect(lines.map((line) => line.endsWith('\u001b[39m'))).toEqual([true, true, false]);
});

test('without arguments every part is measured', () => {
  expect(readOptions([])).toEqual({ json: false, parts: ['a', 'b', 'c', 'd'] });
});

test('--only picks parts, in their own order', () => {
  expect(readOptions(['--json', '--only', 'c, a'])).toEqual({ json: true, parts: ['a', 'c'] });
});

test.each([
  ['--only', 'x'],
  ['--only', ''],
  ['--only', 'a,b,e'],
])('%s %j is refused', (...args) => {
  expect(() => readOptions(args)).toThrow('--only takes parts of a,b,c,d');
});
