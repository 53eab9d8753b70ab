import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseJson } from '../json/text.ts';
import { at, type Json, member, stringAt } from '../json/value.ts';
import { called, folderWith, OLD_NODE, SEED } from './called.testing.ts';

/** One folder with certificates for all tests: keys take a while to find. */
let authority: string;
let certificates: Record<string, string>;
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-certs-'));
  await called(['certs', '--dir', folder]);
  authority = readFileSync(join(folder, 'ca.crt'), 'utf8');
  certificates = Object.fromEntries(
    ['tls.crt', 'tls.key'].map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );
  rmSync(folder, { recursive: true });
});

type Served = {
  readonly child: ChildProcess;
  readonly port: number;
  readonly plainPort: number;
  line(has: string): Promise<Json>;
};

/** Starts the real process on free ports, and waits for the log line that names them. */
function served(...argv: string[]): Promise<Served> {
  return servedBy([], argv);
}

async function servedBy(node: readonly string[], argv: readonly string[]): Promise<Served> {
  const folder = folderWith(certificates);
  const words = [
    'serve',
    '--certs',
    folder,
    '--host',
    '127.0.0.1',
    '--metrics-host',
    '127.0.0.1',
    '--port',
    '0',
    '--metrics-port',
    '0',
  ];
  const child = spawn(process.execPath, [...node, 'bin/sluice.js', ...words, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (has: string): Promise<Json> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the log ended without ${has}`);
      if (String(value).includes(has)) return parseJson(String(value));
    }
  };
  const listening = await line('"listening"');
  return { child, port: Number(member(listening, 'port')), plainPort: Number(member(listening, 'plainPort')), line };
}

const REVIEW = JSON.stringify({
  kind: 'AdmissionReview',
  apiVersion: 'admission.k8s.io/v1',
  request: {
    uid: 'u-1',
    kind: { group: 'networking.istio.io', version: 'v1', kind: 'VirtualService' },
    resource: { group: 'networking.istio.io', version: 'v1', resource: 'virtualservices' },
    operation: 'CREATE',
    userInfo: { username: 'alice' },
    object: { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'web' }, spec: {} },
  },
});

/** A request of which only the head is sent; the server has begun to read it when `continue` comes back. */
async function begun(port: number): Promise<ClientRequest> {
  const sent = request({
    host: '127.0.0.1',
    port,
    ca: authority,
    method: 'POST',
    path: '/mutate/gateway',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(REVIEW),
      expect: '100-continue',
    },
  });
  sent.flushHeaders();
  await once(sent, 'continue');
  return sent;
}

async function finished(sent: ClientRequest): Promise<Json> {
  const response = once(sent, 'response');
  sent.end(REVIEW);
  const [message] = (await response) as [IncomingMessage];
  expect(message.statusCode).toBe(200);
  return parseJson(await text(message));
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null) return child.exitCode;
  const [code, signal] = await once(child, 'exit');
  return code ?? signal;
}

test('a request that runs when SIGTERM comes is answered, and then the process ends with 0', async () => {
  const { child, port, line } = await served();
  const sent = await begun(port);
  child.kill('SIGTERM');
  expect(stringAt(await line('"stopping"'), 'signal')).toBe('SIGTERM');
  expect(at(await finished(sent), ['response'])).toMatchObject({ uid: 'u-1', allowed: true });
  expect(await exitCode(child)).toBe(0);
});

test('a Node that is too old passes the signal on, and ends as the one that it handed over to', async () => {
  const { child, port, line } = await servedBy(['--import', OLD_NODE], []);
  const sent = await begun(port);
  child.kill('SIGTERM');
  await line('"stopping"');
  expect(at(await finished(sent), ['response', 'allowed'])).toBe(true);
  expect(await exitCode(child)).toBe(0);
});

test('a second signal ends the process at once', async () => {
  const { child, port, line } = await served();
  const sent = await begun(port);
  sent.on('error', () => sent.destroy());
  child.kill('SIGTERM');
  await line('"stopping"');
  child.kill('SIGTERM');
  expect(await exitCode(child)).toBe(130);
});

test('Rollouts that are loaded are known when another is judged', async () => {
  const { child, port } = await served('--load', `${SEED}/rollout.yaml`);
  const validated = await validate(port);
  expect(member(validated, 'allowed')).toBe(false);
  expect(stringAt(validated, 'status', 'message')).toContain('is released by Rollout default/rollouts-demo already');
  child.kill('SIGTERM');
  expect(await exitCode(child)).toBe(0);
});

/** Asks about a second Rollout for the workload of the example. */
async function validate(port: number): Promise<Json | undefined> {
  const object = {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'second', namespace: 'default' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'nginx-deployment' },
      strategy: { canary: { steps: [{ replicas: 1 }] } },
    },
  };
  const resource = { group: 'rollouts.kruise.io', version: 'v1beta1', resource: 'rollouts' };
  const review = {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: 'u-2',
      kind: { group: 'rollouts.kruise.io', version: 'v1beta1', kind: 'Rollout' },
      resource,
      namespace: 'default',
      name: 'second',
      operation: 'CREATE',
      userInfo: { username: 'alice' },
      object,
    },
  };
  const sent = request({
    host: '127.0.0.1',
    port,
    ca: authority,
    method: 'POST',
    path: '/validate/rollout',
    headers: { 'content-type': 'application/json' },
  });
  const response = once(sent, 'response');
  sent.end(JSON.stringify(review));
  const [message] = (await response) as [IncomingMessage];
  return member(parseJson(await text(message)), 'response');
}

test('a port that is in use is wrong usage, and the message names it', async () => {
  const { port } = await served();
  const folder = folderWith(certificates);
  const { code, err } = await called([
    'serve',
    '--certs',
    folder,
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--log-level',
    'silent',
  ]);
  expect(code).toBe(2);
  expect(err).toContain(`cannot listen on port ${port}: it is in use already`);
});

test('without certificates nothing is served, and the message says how to make them', async () => {
  const { code, err } = await called(['serve', '--certs', join(folderWith({}), 'none')]);
  expect(code).toBe(2);
  expect(err).toMatch(
    /^error: no certificate to serve with: .*tls.crt.*; make one with `sluice certs`, or name its folder with --certs\n$/,
  );
});

test('wrong settings are wrong usage', async () => {
  const { code, err } = await called(['serve', '--port', 'x'], { env: { SLUICE_LOG_LEVEL: 'loud' } });
  expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/--port must be .*; SLUICE_LOG_LEVEL must be/) });
});

test('a file to load that has errors is told as lint tells it, and nothing is served', async () => {
  const folder = folderWith({ 'rollout.yaml': 'apiVersion: rollouts.kruise.io/v1beta1\nkind: Rollout\n' });
  const { code, err } = await called(['serve', '--load', join(folder, 'rollout.yaml')]);
  expect(code).toBe(1);
  expect(err).toContain(`${folder}/rollout.yaml:1:1: metadata.name: is missing`);
});
