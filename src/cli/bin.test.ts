import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { folderWith, OLD_NODE, SEED } from './called.testing.ts';

const BIN = resolve('bin/sluice.js');

function bin(argv: readonly string[], options: { cwd?: string; bin?: string; node?: string[]; input?: string } = {}) {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...(options.node ?? []), options.bin ?? BIN, ...argv],
    {
      encoding: 'utf8',
      cwd: options.cwd,
      input: options.input ?? '',
    },
  );
  return { out: stdout, err: stderr, code: status };
}

test('it works from any folder, and paths are those of the folder it is called in', () => {
  const cwd = folderWith({ 'a.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\n' });
  expect(bin(['lint', '-f', 'a.yaml'], { cwd })).toEqual({
    code: 0,
    out: '',
    err: '1 object in 1 file: 0 errors, 0 warnings\n',
  });
});

test('called as kubectl-sluice it speaks of `kubectl sluice`', () => {
  const link = join(folderWith({}), 'kubectl-sluice');
  symlinkSync(BIN, link);
  expect(bin(['lint', '--help'], { bin: link }).out).toMatch(/^Usage: kubectl sluice lint/);
});

test('standard input is read to its end', () => {
  const input = `# ${'long '.repeat(50_000)}\nkind: A\n`;
  expect(bin(['lint', '-f', '-'], { input })).toMatchObject({ code: 1, out: expect.stringContaining('<stdin>:2:1:') });
});

test('a Node that is too old hands over to that of the package: arguments, output, exit code', () => {
  const argv = ['lint', '-f', 'no-such-file.yaml'];
  expect(bin(argv, { node: ['--import', OLD_NODE] })).toEqual(bin(argv));
  expect(bin(argv).code).toBe(2);
});

test('the name that it was called by survives handing over', () => {
  const link = join(folderWith({}), 'kubectl-sluice');
  symlinkSync(BIN, link);
  expect(bin(['--help'], { bin: link, node: ['--import', OLD_NODE] }).out).toMatch(/^Usage: kubectl sluice /);
});

test('a reader that closes the pipe ends it without a complaint', async () => {
  const child = spawn(process.execPath, [BIN, 'preview', '-f', SEED, '-o', 'yaml'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const [err] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(err).not.toContain('EPIPE');
  expect(err).not.toContain('at ');
});

/** The packages and source files that a command loads. */
async function loadedBy(...argv: string[]): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', resolve('test/record-imports.mjs'), BIN, ...argv], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const loaded = await text(child.stdio[3] as Readable); // a pipe, as asked for
  return [
    ...new Set(
      loaded
        .split('\n')
        .flatMap((url) => /(?:node_modules\/((?:@[^/]+\/)?[^/]+)|(src\/.*))/.exec(url)?.slice(1).filter(Boolean) ?? []),
    ),
  ];
}

const OFFLINE = [
  ['lint', '-f', SEED],
  ['preview', '-f', SEED],
  ['lua', 'test', 'test/fixtures/other-project'],
  ['lua', 'run', '--script', 'a', '--object', 'b', '--rollout', 'c', '--step', '1'],
  ['--help'],
];

test.each(OFFLINE.map((argv) => ({ argv })))(
  '$argv loads neither the server nor certificates nor a cluster client',
  async ({ argv }) => {
    const loaded = await loadedBy(...argv);
    expect(loaded).toContain('commander');
    const forbidden =
      /^(express|pino|prom-client|node-forge|@kubernetes\/client-node|ajv|src\/(server|admission|tls|isolate)\/.*)$/;
    expect(loaded.filter((name) => forbidden.test(name))).toEqual([]);
  },
);

test('what serving loads is seen by the same recording', async () => {
  expect(await loadedBy('serve', '--certs', 'no-such-folder')).toContain('express');
});

test('lint loads no script engine, no diff and no rewriting', async () => {
  const loaded = await loadedBy('lint', '-f', SEED);
  expect(loaded).toContain('src/cli/lint.ts');
  expect(
    loaded.filter((name) => /^(diff|src\/(rewrite\/decide|lua\/(machine|execute|compile))\.ts)$/.test(name)),
  ).toEqual([]);
});
