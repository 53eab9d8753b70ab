import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileText, ROOT } from './chart-files.ts';

const FILES = globSync('chart/templates/rbac-*.yaml', { cwd: ROOT }).sort();

/** One rule of a role, with the line before it. */
type Rule = { readonly line: number; readonly before: string; readonly verbs: string };

function rules(file: string): Rule[] {
  const lines = fileText(file).split('\n');
  return lines.flatMap((text, index) => {
    if (!/^ {2}- apiGroups:/.test(text)) return [];
    const verbs = lines.slice(index).find((line) => line.startsWith('    verbs:')) ?? '';
    return [{ line: index + 1, before: lines[index - 1] ?? '', verbs }];
  });
}

test('there are roles of all accounts and of users', () => {
  expect(FILES.map((file) => file.split('/').at(-1))).toEqual([
    'rbac-controller.yaml',
    'rbac-users.yaml',
    'rbac-webhook.yaml',
  ]);
});

test.each(FILES)('above every rule, or the first of several with the same verbs, is what it is for: %s', (file) => {
  const found = rules(file);
  expect(found.length).toBeGreaterThan(1);
  const silent = found.filter(({ before, verbs }, index) => {
    const follows = before.startsWith('    verbs:') && found[index - 1]?.verbs === verbs;
    return !follows && !/^ {2}# \S.*\.$/.test(before);
  });
  expect(silent).toEqual([]);
});
