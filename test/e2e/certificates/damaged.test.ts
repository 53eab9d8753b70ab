import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { issueLocal, validFor } from '../../../src/tls/generate.ts';
import { AUTHORITY_SECRET, bundleOf, readStored, SERVING_SECRET, type SecretData } from '../../../src/tls/secrets.ts';
import { issuerOf } from '../../../src/tls/serving-plan.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { openShopInStep1, type Shop } from '../release/shop.ts';
import { carriedBundle, shakeHands, startAdmissions } from './admissions.ts';
import type { LoadFailure } from './load.ts';

const server = cluster();
const { kubectl } = server;
let sluice: Installed;
let shop: Shop;
beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
  shop = await openShopInStep1(server);
});
afterAll(() => sluice?.uninstall());

async function data(secret: string): Promise<SecretData> {
  const { stdout } = await kubectl(['get', 'secret', secret, '-n', sluice.namespace, '-o', 'jsonpath={.data}']);
  const encoded: SecretData = stdout === '' ? {} : JSON.parse(stdout);
  return Object.fromEntries(
    Object.entries(encoded).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
  );
}

/** Both Secrets say the same, and the pair is signed by a CA that they know. Nothing that damages them leaves that so. */
async function isWhole(): Promise<boolean> {
  const stored = readStored(await data(AUTHORITY_SECRET), await data(SERVING_SECRET));
  const isPublished = stored.published === bundleOf(stored.authorities);
  return !stored.toRepair && isPublished && issuerOf(stored, Date.now()) !== undefined;
}

async function write(secret: string, stringData: Readonly<Record<string, string>>): Promise<void> {
  const words = [
    'patch',
    'secret',
    secret,
    '-n',
    sluice.namespace,
    '--type=merge',
    '-p',
    JSON.stringify({ stringData }),
  ];
  succeeded(await kubectl(words));
}

async function remove(...secrets: string[]): Promise<void> {
  succeeded(await kubectl(['delete', 'secret', '-n', sluice.namespace, ...secrets]));
}

/** The certificate and key of a CA that nobody trusts. */
function foreign() {
  return issueLocal([`sluice-webhook.${sluice.namespace}.svc`], validFor(1, new Date(Date.now() - 60_000)));
}

/** Damages Secrets under load, waits until they are whole again, all is at rest, and tells what failed. */
async function damaged(title: string, damage: () => Promise<void>): Promise<readonly LoadFailure[]> {
  const load = startAdmissions(server, shop);
  await damage();
  const start = performance.now();
  await until('the Secrets to be whole again', async () => (await isWhole()) && (await isTrusted()));
  const after = Math.round(performance.now() - start);
  await load.quiet();
  const { done, failures } = await load.stop();
  const last = failures.at(-1)?.at ?? 0;
  const span = last - (failures[0]?.at ?? 0);
  const told = failures.length === 0 ? '' : ` within ${span} ms: ${failures[0]?.message}`;
  process.stderr.write(`${title}: repaired after ${after} ms, ${done} admissions, ${failures.length} failed${told}\n`);
  return failures;
}

/** Everybody who trusts what configurations carry can shake hands with every webhook, and the Secret says the same. */
async function isTrusted(): Promise<boolean> {
  await shakeHands(server, sluice.namespace);
  return (await data(SERVING_SECRET))['ca.crt'] === (await carriedBundle(server));
}

describe('no admission fails', () => {
  test.each<[string, () => Promise<void>]>([
    ['the authority is deleted', () => remove(AUTHORITY_SECRET)],
    ['the serving certificate is deleted', () => remove(SERVING_SECRET)],
    ['the serving certificate is garbage', () => write(SERVING_SECRET, { 'tls.crt': 'garbage' })],
    ['the serving key is garbage', () => write(SERVING_SECRET, { 'tls.key': 'garbage' })],
    [
      'the serving key is that of another',
      async () => write(SERVING_SECRET, { 'tls.key': (await foreign()).serving.key }),
    ],
    ['the bundle beside it is emptied', () => write(SERVING_SECRET, { 'ca.crt': '' })],
    ['the key of the authority is garbage', () => write(AUTHORITY_SECRET, { 'ca.key': 'garbage' })],
    ['the certificate of the authority is garbage', () => write(AUTHORITY_SECRET, { 'ca.crt': 'garbage' })],
    ['both Secrets are deleted', () => remove(AUTHORITY_SECRET, SERVING_SECRET)],
  ])('when %s', async (title, damage) => {
    expect(await damaged(title, damage)).toEqual([]);
  });
});

describe('it takes seconds until admissions succeed again', () => {
  test.each<[string, () => Promise<void>]>([
    [
      'a whole pair of a foreign CA is put in its place',
      async () => {
        const { serving } = await foreign();
        await write(SERVING_SECRET, { 'tls.crt': serving.certificate, 'tls.key': serving.key });
      },
    ],
  ])('when %s', async (title, damage) => {
    const failures = await damaged(title, damage);
    const span = (failures.at(-1)?.at ?? 0) - (failures[0]?.at ?? 0);
    expect(span).toBeLessThan(5_000);
  });
});
