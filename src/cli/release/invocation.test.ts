import { expect, test } from 'vitest';
import { rolloutName, warningsIn } from './invocation.ts';
import { fitting } from './screen.ts';

test.each([
  ['web', 'web'],
  ['rollout/web', 'web'],
  ['Rollouts/web', 'web'],
  ['rollouts.rollouts.kruise.io/web', 'web'],
])('%s names the Rollout %s, as kubectl would take it', (text, name) => {
  expect(rolloutName(text)).toBe(name);
});

test.each(['deployment/web', 'rollout/', '/web', '', '.', '..', 'Web', 'a/b/c', '-a'])(
  '%s names no Rollout',
  (text) => {
    expect(() => rolloutName(text)).toThrow('is no Rollout: write its name, or rollout/NAME');
  },
);

test.each<[string | string[] | undefined, string[]]>([
  [undefined, []],
  ['299 - "one"', ['one']],
  ['299 - "one, with \\"quotes\\"", 299 kube-apiserver "two"', ['one, with "quotes"', 'two']],
  [
    ['299 - "one"', '299 - "two"'],
    ['one', 'two'],
  ],
  ['nonsense', []],
])('warnings of an answer are read from its header: %j', (header, texts) => {
  expect(warningsIn(header)).toEqual(texts);
});

test('more lines than a terminal has are counted in its last one', () => {
  const lines = ['a', 'b', 'c', 'd'];
  expect(fitting(lines, 4)).toEqual(lines);
  expect(fitting(lines, 3)).toEqual(['a', 'b', '… 2 more lines: make the window higher']);
});
