import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { called } from './called.testing.ts';

const DOCUMENT = readFileSync('docs/commands.md', 'utf8');
const examples = [...DOCUMENT.matchAll(/```console\n\$ sluice (.*)\n([\s\S]*?)```/g)].map(([, argv = '', output]) => ({
  argv,
  output,
}));

test('the documentation has an example of every command whose output is always the same', () => {
  expect([...new Set(examples.map(({ argv }) => /^(?:lua )?\w+/.exec(argv)?.[0]))]).toEqual([
    'preview',
    'lint',
    'lua test',
    'lua run',
  ]);
});

test.each(examples)('the output in the documentation is that of: $argv', async ({ argv, output }) => {
  const { all } = await called(argv.split(' '));
  // a shipped script's hash has a fixed length, so that even the sizes are the same for every text of it
  expect(all).toBe(output);
});
