import { expect, test } from 'vitest';
import { openProgress } from './progress.ts';
import { Channel } from './terminal.ts';

/** What is written when each part of the work begins at one of these times. */
function shown(isTTY: boolean, times: readonly number[]): string {
  let text = '';
  const write = (part: string) => {
    text += part;
  };
  const clock = [0, ...times];
  const progress = openProgress(new Channel({ isTTY, write }, { NO_COLOR: '1' }), () => clock.shift() ?? 0);
  for (const time of times) progress.at(`part at ${time}`);
  progress.end();
  return text;
}

test('work of less than a second says nothing', () => {
  expect(shown(true, [10, 500, 999])).toBe('');
});

test('longer work says what it is at, on one line that is taken away at the end', () => {
  expect(shown(true, [10, 1_200, 2_000])).toBe('\r\x1b[K… part at 1200\r\x1b[K… part at 2000\r\x1b[K');
});

test('ten times a second is enough', () => {
  expect(shown(true, [1_200, 1_201, 1_299, 1_301])).toBe('\r\x1b[K… part at 1200\r\x1b[K… part at 1301\r\x1b[K');
});

test('in a pipe there is no progress', () => {
  expect(shown(false, [5_000])).toBe('');
});
