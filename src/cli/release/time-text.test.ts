import { expect, test } from 'vitest';
import { secondsSince, timeText } from './time-text.ts';

test.each([
  [-3, '0s'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [320, '5m20s'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [11_400, '3h10m'],
  [28_800, '8h'],
  [172_800, '2d'],
  [176_400, '2d1h'],
  [691_200, '8d'],
  [86_400 * 400, '400d'],
])('%i seconds are told as %s', (seconds, text) => {
  expect(timeText(seconds)).toBe(text);
});

test('a moment of the future is no time ago, and a text that is no moment none', () => {
  const now = new Date('2026-05-01T12:00:00.900Z');
  expect(secondsSince('2026-05-01T11:59:50Z', now)).toBe(10);
  expect(secondsSince('2026-05-01T12:00:05Z', now)).toBe(0);
  expect(secondsSince('soon', now)).toBeUndefined();
  expect(secondsSince(undefined, now)).toBeUndefined();
});
