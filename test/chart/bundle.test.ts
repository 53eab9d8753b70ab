import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { bundle, PROGRAM } from '../../build/bundle.ts';
import { parseJson } from '../../src/json/text.ts';
import { type Json, member, stringAt } from '../../src/json/value.ts';
import { packageVersion } from './chart-files.ts';
import { endlessReview, endlessScript } from './endless.ts';

const run = promisify(execFile);

/** Outside of the checkout: no node_modules above it. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-bundle-'));
const program = join(folder, 'app', PROGRAM);
beforeAll(() => bundle(join(folder, 'app')));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the bundle in its own folder, and gives what it printed. */
async function sluice(...argv: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [program, ...argv], { cwd: folder, env: {} });
  return stdout;
}

test('the bundle says the version of the package', async () => {
  expect(await sluice('--version')).toBe(`${packageVersion()}\n`);
});

test('lint finds in the bundle what it finds from sources: schemas, rules and regular expressions are there', async () => {
  const mistakes = join(import.meta.dirname, '../fixtures/mistakes');
  const lint = (from: string) =>
    run(process.execPath, [from, 'lint', '-f', mistakes], { cwd: folder }).catch((error: { stdout: string }) => error);
  const bundled = await lint(program);
  const sources = await lint(join(import.meta.dirname, '../../bin/sluice.js'));
  expect(sources.stdout).toContain('is not known');
  expect(bundled.stdout).toBe(sources.stdout);
});

test('the cases of all shipped scripts pass in the bundle', async () => {
  expect(await sluice('lua', 'test', join(folder, 'app/lua-scripts'))).toMatch(/\d+ passed, 0 failed/);
});

test('the demo plays a whole release over HTTPS from the bundle', async () => {
  expect(await sluice('demo')).toMatch(/(\d+) of \1 checks hold/);
});

test.each(['webhook', 'controller'])(
  '%s starts from the bundle, and says what it lacks where there is no cluster',
  async (half) => {
    expect(await sluice(half, '--help')).toContain(`Usage: sluice ${half} [options]`);
    const ended = run(process.execPath, [program, half], { cwd: folder, env: { HOME: folder } });
    await expect(ended).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: no cluster is known: there is no --kubeconfig, no KUBECONFIG, /),
    });
  },
);

test("a user's script that never ends is stopped, in a thread of the bundle", async () => {
  await sluice('certs', '--dir', folder);
  const port = await servedWith(endlessScript(folder));
  const answer = member(await reviewed(port), 'response');
  expect(member(answer, 'allowed')).toBe(false);
  expect(stringAt(answer, 'status', 'message')).toMatch(/stopped after \d+ (ms|steps)/);
});

/** Starts `serve` of the bundle with a file of scripts, on a free port, until the test is over. */
async function servedWith(scripts: string): Promise<number> {
  const words = `serve --host 127.0.0.1 --metrics-host 127.0.0.1 --port 0 --metrics-port 0 --certs ${folder}`;
  const argv = [program, ...words.split(' '), '--load', scripts];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('"listening"')) return Number(member(parseJson(line), 'port'));
  }
  throw new Error('serve ended before it listened');
}

async function reviewed(port: number): Promise<Json> {
  const sent = request({
    host: '127.0.0.1',
    port,
    ca: readFileSync(join(folder, 'ca.crt')),
    method: 'POST',
    path: '/mutate/gateway',
    headers: { 'content-type': 'application/json' },
  });
  const response = once(sent, 'response');
  sent.end(JSON.stringify(endlessReview()));
  const [message] = (await response) as [IncomingMessage];
  return parseJson(await text(message));
}
