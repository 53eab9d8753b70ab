import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { called, folderWith } from './called.testing.ts';

const OTHER_PROJECT = 'test/fixtures/other-project';
const SCRIPT = 'networking.istio.io/DestinationRule/trafficRouting.lua';
const CASE = 'networking.istio.io/DestinationRule/testdata/two-steps.yaml';
const script = readFileSync(join(OTHER_PROJECT, SCRIPT), 'utf8');
const goodCase = readFileSync(join(OTHER_PROJECT, CASE), 'utf8');

test('every case of every shipped script passes, and the last line says how many', async () => {
  const { code, out } = await called(['lua', 'test']);
  expect(code).toBe(0);
  expect(out).toMatch(/^[1-9]\d* passed, 0 failed\n$/);
});

test('the script of the documentation passes its case in a folder of another project', async () => {
  expect(await called(['lua', 'test', OTHER_PROJECT])).toMatchObject({ code: 0, out: '1 passed, 0 failed\n', err: '' });
});

test('several folders count together', async () => {
  const { out } = await called(['lua', 'test', OTHER_PROJECT, OTHER_PROJECT]);
  expect(out).toBe('2 passed, 0 failed\n');
});

test('a failure shows its script, its file, its step and a diff', async () => {
  const folder = folderWith({ [SCRIPT]: script.replace('"canary"', '"gray"'), [CASE]: goodCase });
  const { code, out } = await called(['lua', 'test', folder]);
  expect(code).toBe(1);
  expect(out).toMatch(/^networking.istio.io\/DestinationRule: .*two-steps.yaml\n {2}step 1: /);
  expect(out).toContain('\n  -    name: canary\n  +    name: gray\n');
  expect(out).toMatch(/\n0 passed, 1 failed\n$/);
});

test.each([
  {
    rule: 'a script without cases',
    files: { [SCRIPT]: script },
    message: 'has no cases',
    counts: '0 passed, 1 failed',
  },
  {
    rule: 'a folder without scripts',
    files: { 'readme.md': '' },
    message: 'no script here',
    counts: '0 passed, 1 failed',
  },
  {
    rule: 'a script that is misspelt',
    files: { [SCRIPT]: script, [CASE]: goodCase, 'a/B/trafficrouting.lua': script },
    message: 'is never run',
    counts: '1 passed, 1 failed',
  },
  {
    rule: 'a case with YAML that cannot be read',
    files: { [SCRIPT]: script, [CASE]: 'a: [' },
    message: 'two-steps.yaml:1:',
    counts: '0 passed, 1 failed',
  },
])('$rule is a failure', async ({ files, message, counts }) => {
  const { code, out } = await called(['lua', 'test', folderWith(files)]);
  expect(code).toBe(1);
  expect(out).toContain(message);
  expect(out.trimEnd().split('\n').at(-1)).toBe(counts);
});

test('a folder that is not there is unreadable input', async () => {
  const { code, err } = await called(['lua', 'test', 'no-such-folder']);
  expect({ code, err }).toEqual({
    code: 2,
    err: 'error: cannot read no-such-folder: there is no such file or folder\n',
  });
});
