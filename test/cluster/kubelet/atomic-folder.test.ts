import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeAtomically } from './atomic-folder.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'volume-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const files = (entries: Record<string, string>) =>
  new Map(Object.entries(entries).map(([path, text]) => [path, { content: Buffer.from(text), mode: 0o600 }]));

test('files lie behind links to the generation, with their modes', () => {
  const folder = newFolder();
  writeAtomically(folder, files({ 'tls.crt': 'one', 'deep/er/file': 'two' }));
  expect(readFileSync(join(folder, 'tls.crt'), 'utf8')).toBe('one');
  expect(readFileSync(join(folder, 'deep/er/file'), 'utf8')).toBe('two');
  expect(lstatSync(join(folder, 'tls.crt')).isSymbolicLink()).toBe(true);
  expect(statSync(join(folder, 'tls.crt')).mode & 0o777).toBe(0o600);
});

test('a new generation replaces the old one: what is gone has no link, and nothing of the old one is left', () => {
  const folder = newFolder();
  writeAtomically(folder, files({ a: '1', b: '1' }));
  writeAtomically(folder, files({ b: '2', c: '2' }));
  expect(readdirSync(folder).filter((name) => !name.startsWith('..'))).toEqual(['b', 'c']);
  expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('2');
  expect(readdirSync(folder).filter((name) => name.startsWith('..'))).toHaveLength(2);
});

test('a volume without files is an empty folder', () => {
  const folder = newFolder();
  writeAtomically(folder, files({ a: '1' }));
  writeAtomically(folder, files({}));
  expect(readdirSync(folder).filter((name) => !name.startsWith('..'))).toEqual([]);
});
