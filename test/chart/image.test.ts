import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundle, PROGRAM } from '../../build/bundle.ts';
import { fileText } from './chart-files.ts';

const dockerfile = fileText('Dockerfile');

/** What a line of the Dockerfile says after its instruction. */
function said(instruction: string): string {
  return new RegExp(`^${instruction} (.*)$`, 'm').exec(dockerfile)?.[1] ?? '';
}

test('everything that the bundle is made of reaches the build of the image', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-image-'));
  const sources = await bundle(folder).finally(() => rmSync(folder, { recursive: true }));
  const lines = fileText('.dockerignore').split('\n');
  const letIn = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const left = sources.filter((path) => !letIn.some((name) => path === name || path.startsWith(`${name}/`)));
  expect(sources).toContain('bin/sluice.js');
  expect(left).toEqual([]);
  expect(sources.filter((path) => /\.(test|testing)\.ts$/.test(path))).toEqual([]);
});

test('the image runs the program of the bundle as the user that the pods run as', () => {
  expect(JSON.parse(said('ENTRYPOINT'))).toEqual(['node', '--max-semi-space-size=16', `/sluice/${PROGRAM}`]);
  const [user] = said('USER').split(':');
  expect(fileText('chart/templates/_names.tpl')).toContain(`runAsUser: ${user}\n`);
});

test('the image has the Node that Sluice is tested with', () => {
  const tested = JSON.parse(fileText('package.json')).devDependencies.node;
  expect(said('ARG')).toBe(`NODE_VERSION=${/\d+/.exec(tested)?.[0]}`);
});
