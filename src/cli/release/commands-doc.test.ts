import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { testCluster } from './cluster.testing.ts';
import { atStepTwo, healthy, NOW, rollout } from './release.testing.ts';

const DOCUMENT = readFileSync('docs/commands.md', 'utf8');
const examples = [...DOCUMENT.matchAll(/```console\n\$ kubectl sluice (.*)\n([\s\S]*?)```/g)].map(
  ([, argv = '', output]) => ({ argv, output }),
);

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

test('the documentation has an example of nearly every command', () => {
  expect([...new Set(examples.map(({ argv }) => argv.split(' ')[0]))]).toEqual([
    'get',
    'status',
    'approve',
    'jump',
    'pause',
    'resume',
    'abort',
    'undo',
    'retry',
    'history',
  ]);
});

test.each(examples)('the output in the documentation is that of: $argv', async ({ argv, output }) => {
  const checkout = rollout(healthy({ outcome: 'Success' }), {}, {}, { name: 'checkout', uid: 'checkout' });
  const cluster = await testCluster(...atStepTwo(), checkout);
  if (argv.startsWith('resume')) cluster.remove('Rollout', 'web'); // that is what its example is about
  const { all } = await cluster.run(argv.split(' '), { programName: 'kubectl sluice' });
  expect(all).toBe(output);
});

/** The fields that a table or a sentence of the documentation names, behind what is before the first of them. */
function documented(after: string): string {
  const from = DOCUMENT.indexOf(after);
  expect(from, after).toBeGreaterThan(0);
  return DOCUMENT.slice(from, DOCUMENT.indexOf('\n\n', from));
}

/** Every key of a value, its members included. */
function keysOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key.includes('-') ? [] : [key, ...keysOf(inner)]));
}

test.each([
  [['get'], '`-o json` is a list:'],
  [['status', 'web'], '| field | content |'],
  [['approve', 'web'], '`approve` to `undo` print'],
  [['undo', 'web', '--dry-run'], '`approve` to `undo` print'],
  [['history', 'web'], '`-o json`: `rollout`'],
])('every field of %j -o json is documented', async (argv, after) => {
  const cluster = await testCluster(...atStepTwo());
  const { out } = await cluster.run([...argv, '-o', 'json']);
  const text = documented(after);
  const keys = [...new Set(keysOf(JSON.parse(out)))];
  expect(keys.length).toBeGreaterThan(4);
  expect(keys.filter((key) => !text.includes(`\`${key}\``) && !text.includes(`.${key}\``))).toEqual([]);
});
