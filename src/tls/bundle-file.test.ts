import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type FileBundle, fileBundle } from './bundle-file.ts';
import { issueAuthority, validFor } from './generate.ts';

let first: string;
let second: string;
let folder: string;
let file: string;
let problems: string[];
let bundle: FileBundle | undefined;

beforeAll(async () => {
  const made = await Promise.all(
    [1, 2].map((days) => issueAuthority(validFor(days, new Date('2026-11-22T10:00:00Z')))),
  );
  [first = '', second = ''] = made.map(({ certificate }) => `${certificate.replaceAll('\r', '').trim()}\n`);
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-bundle-'));
  file = join(folder, 'ca.crt');
  problems = [];
});

afterEach(() => {
  bundle?.close();
  rmSync(folder, { recursive: true });
});

function open(): FileBundle {
  bundle = fileBundle({ file, pollMilliseconds: 3_600_000, onProblem: ({ message }) => problems.push(message) });
  return bundle;
}

test('the bundle is told at once', () => {
  writeFileSync(file, first + second);
  const seen: string[] = [];
  open().onTrusted((text) => seen.push(text));
  expect(seen).toEqual([first + second]);
  expect(bundle?.trusted()).toBe(first + second);
});

test('words between the certificates are left out: API servers refuse some of them', () => {
  writeFileSync(file, `# the CA of this cluster\n${first}\n\n# the one before\n${second}`);
  expect(open().trusted()).toBe(first + second);
});

test.each([
  ['missing', undefined, 'is missing'],
  ['empty', '', 'is empty'],
  ['garbage', 'not PEM', 'holds something that is no certificate'],
])('a file that is %s is an error that names it and what cert-manager has to be told', (_what, text, message) => {
  if (text !== undefined) writeFileSync(file, text);
  expect(open).toThrow(`${file} ${message}; cert-manager writes it for Issuers`);
});

test('a file that becomes useless leaves the last good bundle, and is told once', () => {
  writeFileSync(file, first);
  const opened = open();
  rmSync(file);
  expect([opened.check(), opened.check()]).toEqual(['refused', 'refused']);
  expect(opened.trusted()).toBe(first);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain('is missing');
});

test('the swap of a Secret volume is noticed without polling', async () => {
  const write = (data: string, text: string) => {
    mkdirSync(join(folder, data));
    writeFileSync(join(folder, data, 'ca.crt'), text);
    symlinkSync(data, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  write('..2026_1', first);
  symlinkSync('..data/ca.crt', file);
  const opened = open();
  const seen: string[] = [];
  const changed = new Promise<void>((resolve) => {
    opened.onTrusted((text) => {
      seen.push(text);
      if (seen.length === 2) resolve();
    });
  });
  write('..2026_2', second);
  await changed;
  expect(seen).toEqual([first, second]);
  expect(problems).toEqual([]);
});
