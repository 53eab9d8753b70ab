import { applyPatch } from 'diff';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineDiff } from './line-diff.ts';

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd: 1', 'e', ...'klmnop'), { maxLength: 40 })
  .map((lines) => lines.map((line) => `${line}\n`).join(''));

test('a diff turns the first text into the second, and nothing else', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = lineDiff(before, after);
      if (before === after) expect(lines).toEqual([]);
      else expect(applyPatch(before, `--- a\n+++ b\n${lines.join('\n')}\n`)).toBe(after);
    }),
  );
});

test('a change is shown with three lines around it, and where it stands', () => {
  const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni\n';
  expect(lineDiff(before, before.replace('e', 'E'))).toEqual([
    '@@ -2,7 +2,7 @@',
    ' b',
    ' c',
    ' d',
    '-e',
    '+E',
    ' f',
    ' g',
    ' h',
  ]);
});

test('a text that appears or goes is all new or all gone', () => {
  expect(lineDiff('', 'a\nb\n')).toEqual(['@@ -0,0 +1,2 @@', '+a', '+b']);
  expect(lineDiff('a\n', '')).toEqual(['@@ -1,1 +0,0 @@', '-a']);
});

test('thousands of edits are compared in pieces, between lines that both texts have once', () => {
  const route = (index: number, weight: string) => `- name: r${index}\n  route:\n  - host: web\n${weight}`;
  const routes = Array.from({ length: 3_000 }, (_, index) => index);
  const before = routes.map((index) => route(index, '')).join('');
  const after = routes.map((index) => route(index, '    weight: 80\n')).join('');
  const lines = lineDiff(before, after);
  expect(lines.filter((line) => line.startsWith('+'))).toHaveLength(3_000);
  expect(lines.filter((line) => line.startsWith('-'))).toEqual([]);
});

test('a part with too many edits is shown as replaced', () => {
  const lines = lineDiff('a\n'.repeat(1_500), 'b\n'.repeat(1_500));
  expect(lines.filter((line) => line === '-a')).toHaveLength(1_500);
  expect(lines.filter((line) => line === '+b')).toHaveLength(1_500);
});
