import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type FileSource, fileCertificates } from './files.ts';
import { CERTIFICATE_FILES, writeCertificates } from './folder.ts';
import { issueLocal, type LocalCertificates, validFor } from './generate.ts';
import type { KeyPair } from './source.ts';

const LONG = 3_600_000;
let first: LocalCertificates;
let second: LocalCertificates;
let folder: string;
let problems: string[];
let source: FileSource | undefined;

beforeAll(async () => {
  const now = new Date('2026-11-22T10:00:00Z');
  [first, second] = await Promise.all([issueLocal(['one'], validFor(1, now)), issueLocal(['two'], validFor(2, now))]);
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  problems = [];
});

afterEach(() => {
  source?.close();
  rmSync(folder, { recursive: true });
});

function open(where = folder): FileSource {
  source = fileCertificates({
    certificateFile: join(where, 'tls.crt'),
    keyFile: join(where, 'tls.key'),
    pollMilliseconds: LONG,
    onProblem: (problem) => problems.push(problem.message),
  });
  return source;
}

test('private keys can be read by their owner only, and nothing is left beside the files', () => {
  writeFileSync(join(folder, 'tls.key'), 'old', { mode: 0o644 });
  writeFileSync(join(folder, 'ca.key.new'), 'left by an interrupted run', { mode: 0o666 });
  writeCertificates(folder, first);
  const modes = Object.values(CERTIFICATE_FILES).map((name) => [name, statSync(join(folder, name)).mode & 0o777]);
  expect(Object.fromEntries(modes)).toEqual({ 'ca.crt': 0o644, 'ca.key': 0o600, 'tls.crt': 0o644, 'tls.key': 0o600 });
  expect(Object.values(CERTIFICATE_FILES).filter((name) => existsSync(join(folder, `${name}.new`)))).toEqual([]);
});

test('the pair is read with the end of its validity', () => {
  writeCertificates(folder, first);
  const pair = open().current();
  expect(pair).toEqual({
    certificate: first.serving.certificate,
    key: first.serving.key,
    notAfter: new Date('2026-11-23T10:00:00Z'),
  });
});

test('files that change are taken, and listeners get the new pair', () => {
  writeCertificates(folder, first);
  const seen: KeyPair[] = [];
  const opened = open();
  const end = opened.onChange((pair) => seen.push(pair));
  writeCertificates(folder, second);
  expect(opened.check()).toBe('taken');
  expect(opened.current().certificate).toBe(second.serving.certificate);
  expect(seen).toEqual([opened.current()]);
  expect(opened.check()).toBe('unchanged');
  end();
  writeCertificates(folder, first);
  opened.check();
  expect(seen).toHaveLength(1);
});

test('a half-written pair keeps the last good one, and is reported once', () => {
  writeCertificates(folder, first);
  const opened = open();
  writeFileSync(join(folder, 'tls.key'), second.serving.key);
  expect([opened.check(), opened.check()]).toEqual(['refused', 'refused']);
  expect(opened.current().certificate).toBe(first.serving.certificate);
  expect(problems).toEqual([
    `the key in ${join(folder, 'tls.key')} does not belong to the certificate in ${join(folder, 'tls.crt')}`,
  ]);
  writeFileSync(join(folder, 'tls.crt'), second.serving.certificate);
  expect(opened.check()).toBe('taken');
});

test.each([
  ['an empty certificate', 'tls.crt', ''],
  ['half a certificate', 'tls.crt', '-----BEGIN CERTIFICATE-----\nMIIB'],
  ['a key that is no key', 'tls.key', 'secret'],
])('%s is refused with the name of its file', (_what, file, text) => {
  writeCertificates(folder, first);
  const opened = open();
  writeFileSync(join(folder, file), text);
  expect(opened.check()).toBe('refused');
  expect(problems[0]).toContain(join(folder, file));
  expect(problems[0]).not.toContain('secret');
});

test('without a usable pair at the start the source is not made', () => {
  expect(() => open()).toThrow('tls.crt');
});

test('the swap of a Secret volume is noticed without polling', async () => {
  const write = (data: string, certificates: LocalCertificates) => {
    mkdirSync(join(folder, data));
    writeFileSync(join(folder, data, 'tls.crt'), certificates.serving.certificate);
    writeFileSync(join(folder, data, 'tls.key'), certificates.serving.key);
    symlinkSync(data, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  write('..2026_1', first);
  symlinkSync('..data/tls.crt', join(folder, 'tls.crt'));
  symlinkSync('..data/tls.key', join(folder, 'tls.key'));
  const opened = open();
  const changed = new Promise<KeyPair>((resolve) => opened.onChange(resolve));
  write('..2026_2', second);
  expect((await changed).certificate).toBe(second.serving.certificate);
  expect(problems).toEqual([]);
});
