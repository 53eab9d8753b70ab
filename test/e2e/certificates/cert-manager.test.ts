import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Issued, issueAuthority, issueServing, validFor } from '../../../src/tls/generate.ts';
import { readBundle } from '../../../src/tls/x509.ts';
import { CHART } from '../../chart/rendered.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { podsOfHalf } from '../faults/processes.ts';
import { type Installed, installSluice } from '../installed.ts';
import { openShopInStep1, type Shop } from '../release/shop.ts';
import { definition } from '../rollout-controller.ts';
import { carriedBundle, shakeHands, startAdmissions } from './admissions.ts';

/** Where the chart is installed: the Secret is there before it, as cert-manager would have made it. */
const NAMESPACE = 'sluice-system';
const SECRET = 'sluice-webhook-tls';

const server = cluster();
const { kubectl } = server;
let sluice: Installed;
let authority: Issued;
let shop: Shop;

beforeAll(async () => {
  await server.apply('default', definition('cert-manager.io', 'Certificate'), definition('cert-manager.io', 'Issuer'));
  succeeded(
    await kubectl([
      'wait',
      '--for=condition=Established',
      'crd',
      'certificates.cert-manager.io',
      'issuers.cert-manager.io',
    ]),
  );
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['delete', 'secret', SECRET, '-n', NAMESPACE, '--ignore-not-found']);
  authority = await issueAuthority(validity());
  await write({ ...(await leaf(authority)), authorities: authority.certificate });
  sluice = await installSluice(server, { gateways: ['istio'], values: ['certificates.mode=cert-manager'] });
  shop = await openShopInStep1(server);
});
afterAll(async () => {
  await sluice?.uninstall();
  await kubectl(['delete', 'secret', SECRET, '-n', NAMESPACE]);
  await kubectl(['delete', 'crd', 'certificates.cert-manager.io', 'issuers.cert-manager.io']);
});

function validity() {
  return validFor(1, new Date(Date.now() - 60_000));
}

function leaf(signer: Issued): Promise<Issued> {
  return issueServing(signer, [`sluice-webhook.${NAMESPACE}.svc`], validity());
}

/** Writes the Secret as cert-manager does: all of it at once. */
function write({ certificate, key, authorities }: Issued & { readonly authorities: string }): Promise<void> {
  const stringData = { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': authorities };
  return server.apply(NAMESPACE, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: SECRET },
    type: 'kubernetes.io/tls',
    stringData,
  });
}

async function webhookLogs(): Promise<string[]> {
  const pods = await podsOfHalf(server, NAMESPACE, 'webhook');
  return Promise.all(pods.map(async ({ name }) => succeeded(await kubectl(['logs', name, '-n', NAMESPACE]))));
}

test('a renewed certificate is served by all webhooks without a failed admission', async () => {
  const before = await shakeHands(server, NAMESPACE);
  const load = startAdmissions(server, shop);
  await write({ ...(await leaf(authority)), authorities: authority.certificate });
  const start = performance.now();
  await until('all to serve it', async () =>
    (await shakeHands(server, NAMESPACE)).every((one) => !before.includes(one)),
  );
  process.stderr.write(
    `renewed files are served ${Math.round(performance.now() - start)} ms after the Secret was written\n`,
  );
  const { done, failures } = await load.stop();
  expect(done).toBeGreaterThan(0);
  expect(failures).toEqual([]);
});

test('a key that does not belong to the certificate leaves the last good pair in use, and every log says so', async () => {
  const before = await shakeHands(server, NAMESPACE);
  const load = startAdmissions(server, shop);
  const [one, other] = [await leaf(authority), await leaf(authority)];
  await write({ certificate: one.certificate, key: other.key, authorities: authority.certificate });
  await until('the logs to say so', async () =>
    (await webhookLogs()).every((log) => log.includes('no new certificate') && log.includes('does not belong to')),
  );
  expect(await shakeHands(server, NAMESPACE)).toEqual(before);
  expect((await podsOfHalf(server, NAMESPACE, 'webhook')).every(({ isReady }) => isReady)).toBe(true);
  await write({ ...one, authorities: authority.certificate });
  await until('the good pair to be served', async () =>
    (await shakeHands(server, NAMESPACE)).every((each) => !before.includes(each)),
  );
  expect((await load.stop()).failures).toEqual([]);
});

test('a ca.crt that holds no certificate leaves the last good bundle in force', async () => {
  const bundle = await carriedBundle(server);
  const good = await leaf(authority);
  await write({ ...good, authorities: 'garbage' });
  await until('the log of the leader to say so', async () => {
    const pods = await podsOfHalf(server, NAMESPACE, 'controller');
    const logs = await Promise.all(
      pods.map(async ({ name }) => (await kubectl(['logs', name, '-n', NAMESPACE])).stdout),
    );
    return logs.some((log) => log.includes("cert-manager's CA cannot be used"));
  });
  expect(await carriedBundle(server)).toBe(bundle);
  await write({ ...good, authorities: authority.certificate });
});

test('a new CA that comes with both in ca.crt is taken over without a failed admission', async () => {
  const next = await issueAuthority(validity());
  const load = startAdmissions(server, shop);
  const both = `${next.certificate}${authority.certificate}`;
  await write({ ...(await leaf(authority)), authorities: both });
  await until('both to be trusted', async () => readBundle(await carriedBundle(server)).certificates.length === 2);
  const before = await shakeHands(server, NAMESPACE);
  await write({ ...(await leaf(next)), authorities: both });
  await until('the new one to be served', async () =>
    (await shakeHands(server, NAMESPACE)).every((one) => !before.includes(one)),
  );
  expect((await load.stop()).failures).toEqual([]);
  authority = next;
});

test('a new CA that comes without the old one costs seconds at most, where files reach all pods at once', async () => {
  const next = await issueAuthority(validity());
  const before = await shakeHands(server, NAMESPACE);
  const load = startAdmissions(server, shop);
  await write({ ...(await leaf(next)), authorities: next.certificate });
  await until('it to be served and trusted', async () =>
    (await shakeHands(server, NAMESPACE)).every((one) => !before.includes(one)),
  );
  await load.quiet();
  const { done, failures } = await load.stop();
  const span = (failures.at(-1)?.at ?? 0) - (failures[0]?.at ?? 0);
  process.stderr.write(
    `a new CA at once: ${failures.length} of ${done + failures.length} failed within ${span} ms: ${failures[0]?.message}\n`,
  );
  expect(span).toBeLessThan(5_000);
});

test('an upgrade to certificates of our own takes the Secret over, of its type still, without a failed admission', async () => {
  const type = ['get', 'secret', SECRET, '-n', NAMESPACE, '-o', 'jsonpath={.type}'];
  expect((await kubectl(type)).stdout).toBe('kubernetes.io/tls');
  const [before, old] = [await shakeHands(server, NAMESPACE), await carriedBundle(server)];
  const load = startAdmissions(server, shop);
  // A short life, so that a rotation waits for seconds.
  const values = ['certificates.mode=managed', 'certificates.lifetime=10m'].flatMap((value) => ['--set', value]);
  const words = ['--namespace', NAMESPACE, '--wait', '--timeout=120s', ...values];
  succeeded(await server.helm(['upgrade', 'sluice', CHART, ...words]));
  const isReplaced = async () => {
    const bundle = await carriedBundle(server);
    const served = await shakeHands(server, NAMESPACE);
    return !bundle.includes(old.trim()) && served.every((one) => !before.includes(one));
  };
  await until('another CA alone to be trusted, and what it signed to be served', isReplaced, 90);
  expect((await load.stop()).failures).toEqual([]);
  expect((await kubectl(type)).stdout).toBe('kubernetes.io/tls');
});
