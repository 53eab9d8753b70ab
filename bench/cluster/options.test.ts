import { expect, test } from 'vitest';
import { readOptions } from './options.ts';

test('without arguments everything is measured, from the bundle', () => {
  expect(readOptions([])).toEqual({
    parts: ['latency', 'size', 'releases', 'releasing', 'crowd'],
    rounds: 500,
    rollouts: [1000, 10_000],
    releases: 20,
    releasing: 200,
    crowd: 5000,
    fromSources: false,
    json: false,
    profiles: undefined,
  });
});

test('small numbers are for developing', () => {
  const options = readOptions(['--only', 'size', '--rollouts', '10,20', '--rounds', '5', '--sources']);
  expect(options).toMatchObject({ parts: ['size'], rollouts: [10, 20], rounds: 5, fromSources: true });
});

test.each([
  ['--only', 'speed', '--only takes parts of latency,size,releases,releasing,crowd, not speed'],
  ['--rounds', '0', '--rounds takes whole numbers from 1, not 0'],
  ['--rollouts', '10,many', '--rollouts takes whole numbers from 1, not many'],
])('%s %s is refused', (flag, value, message) => {
  expect(() => readOptions([flag, value])).toThrow(message);
});
