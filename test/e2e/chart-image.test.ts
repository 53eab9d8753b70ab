import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, PROGRAM } from '../../build/bundle.ts';
import { issueAuthority, issueServing, validFor } from '../../src/tls/generate.ts';
import { packageVersion } from '../chart/chart-files.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { CHECKOUT } from '../cluster/settings.ts';
import { until } from '../cluster/until.ts';
import { type Half, podsOfHalf, processesOf } from './faults/processes.ts';
import { type Installed, installSluice } from './installed.ts';
import { openShopInStep1 } from './release/shop.ts';
import { definition } from './rollout-controller.ts';

const run = promisify(execFile);
const server = cluster();
const { kubectl, helm } = server;
const NAMESPACE = 'sluice-system';
const SECRET = 'sluice-webhook-tls';

/** Containers of the test cluster see the checkout, and what is in it only. */
const CACHE = join(CHECKOUT, 'node_modules/.cache');
let folder = '';
let root = '';
let sluice: Installed | undefined;

beforeAll(async () => {
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'sluice-image-'));
  root = join(folder, 'root');
  await bundle(join(folder, 'bundle'));
  await run('sh', [join(CHECKOUT, 'build/image-root.sh'), root, process.execPath, join(folder, 'bundle')]);
});
afterAll(async () => {
  await sluice?.uninstall();
  rmSync(folder, { recursive: true, force: true });
  await kubectl(['delete', 'secret', SECRET, '-n', NAMESPACE, '--ignore-not-found']);
  await kubectl(['delete', 'crd', 'certificates.cert-manager.io', 'issuers.cert-manager.io', '--ignore-not-found']);
});

/** The program of the image, with nothing around it but the image's files. */
async function inImage(...argv: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
  const words = [root, '/usr/local/bin/node', `/sluice/${PROGRAM}`, ...argv];
  const env = { HOME: '/sluice', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const ended = await run('chroot', words, { env }).catch((error: unknown) => error as ProcessFailure);
  return { stdout: ended.stdout, stderr: ended.stderr, code: 'code' in ended ? ended.code : 0 };
}

type ProcessFailure = { readonly stdout: string; readonly stderr: string; readonly code: number };

test('the root of the image holds all that Sluice needs: it says its version in there', async () => {
  expect(await inImage('--version')).toEqual({ stdout: `${packageVersion()}\n`, stderr: '', code: 0 });
});

test.each(['webhook', 'controller'])('in the image, %s without a cluster says that there is none', async (half) => {
  const { stderr, code } = await inImage(half);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: no cluster is known: there is no --kubeconfig, no KUBECONFIG, /);
});

test('nothing in the image can be written by its user', async () => {
  const { stdout } = await run('find', [root, '!', '-type', 'l', '-perm', '/022']);
  expect(stdout).toBe('');
});

test('pods run the bundle, with the certificates of cert-manager, and helm test and a release succeed', async () => {
  await server.apply('default', definition('cert-manager.io', 'Certificate'), definition('cert-manager.io', 'Issuer'));
  const kinds = ['certificates.cert-manager.io', 'issuers.cert-manager.io'];
  succeeded(await kubectl(['wait', '--for=condition=Established', 'crd', ...kinds]));
  await writeSecret();
  sluice = await installSluice(server, { gateways: ['istio'], values: ['certificates.mode=cert-manager'] });
  for (const half of ['webhook', 'controller'] as const) await runBundle(half);

  const tested = await helm(['test', 'sluice', '--namespace', NAMESPACE, '--timeout=60s']);
  expect(tested).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/Phase: +Succeeded/) });
  const shop = await openShopInStep1(server);
  expect(await shop.weights()).toEqual({ web: 80, 'web-canary': 20 });
});

/** What cert-manager would have made before. */
async function writeSecret(): Promise<void> {
  const validity = validFor(1, new Date(Date.now() - 60_000));
  const authority = await issueAuthority(validity);
  const { certificate, key } = await issueServing(authority, [`sluice-webhook.${NAMESPACE}.svc`], validity);
  const stringData = { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': authority.certificate };
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['delete', 'secret', SECRET, '-n', NAMESPACE, '--ignore-not-found']);
  const metadata = { name: SECRET };
  await server.apply(NAMESPACE, { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', stringData });
}

/** Has the pods of a half run what the image would run, and waits for that. */
async function runBundle(half: Half): Promise<void> {
  const program = join(root, 'sluice', PROGRAM);
  const command = [join(root, 'usr/local/bin/node'), '--max-semi-space-size=16', program];
  const patch = { spec: { template: { spec: { containers: [{ name: half, command }] } } } };
  const deployment = `deployment/sluice-${half}`;
  succeeded(await kubectl(['patch', deployment, '-n', NAMESPACE, '-p', JSON.stringify(patch)]));
  succeeded(await kubectl(['rollout', 'status', deployment, '-n', NAMESPACE, '--timeout=90s']));
  await until(`the ${half} to run the bundle alone`, async () => {
    const pods = await podsOfHalf(server, NAMESPACE, half);
    const lines = pods
      .flatMap(({ name }) => processesOf(name))
      .map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    return pods.length === 2 && lines.length >= 2 && lines.every((line) => line.split('\0').includes(program));
  });
}
