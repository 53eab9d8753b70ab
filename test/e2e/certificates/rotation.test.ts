import { afterAll, beforeAll, expect, test } from 'vitest';
import { AUTHORITY_SECRET, SERVING_SECRET } from '../../../src/tls/secrets.ts';
import { readBundle } from '../../../src/tls/x509.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { leader, leaseTransitions, podsOfHalf, signalPods } from '../faults/processes.ts';
import { type Installed, installSluice } from '../installed.ts';
import { openShopInStep1, type Shop } from '../release/shop.ts';
import { carriedBundle, shakeHands, startAdmissions } from './admissions.ts';

/** A CA is replaced after a minute, a serving certificate after 20 seconds. */
const LIFETIME = '90s';
/** By age; then so many more because somebody deletes the CA, for which nobody has to wait a minute. */
const BY_AGE = 1;
const BY_DELETION = 4;
const ROTATIONS = BY_AGE + BY_DELETION;
const MINUTES = 60_000;

const server = cluster();
let sluice: Installed;
let shop: Shop;
beforeAll(async () => {
  // A CA that an installation before has left behind lives on for as long as it was made for.
  const left = ['secret', AUTHORITY_SECRET, SERVING_SECRET, '-n', 'sluice-system', '--ignore-not-found'];
  await server.kubectl(['delete', ...left]);
  const values = [`certificates.lifetime=${LIFETIME}`, 'webhook.drainSeconds=10'];
  sluice = await installSluice(server, { gateways: ['istio'], values });
  shop = await openShopInStep1(server);
});
afterAll(() => sluice?.uninstall());

/** Follows CAs and served certificates by handshakes until so many CAs have been replaced. */
async function follow(
  rotations: number,
  each: (rotation: number) => void | Promise<void>,
): Promise<{ leaves: number }> {
  const authorities = new Set<string>();
  const leaves = new Set<string>();
  const failures: string[] = [];
  const isSettled = async () => {
    const { certificates } = readBundle(await carriedBundle(server));
    for (const { fingerprint } of certificates) {
      if (authorities.has(fingerprint)) continue;
      authorities.add(fingerprint);
      if (authorities.size > 1) await each(authorities.size - 1);
    }
    return certificates.length === 1;
  };
  await until(
    `${rotations} rotations`,
    async () => {
      const served = await shakeHands(server, sluice.namespace).catch((error: unknown) => failures.push(String(error)));
      if (Array.isArray(served)) for (const leaf of served) leaves.add(leaf);
      return (await isSettled()) && authorities.size > rotations;
    },
    rotations * 80 + 60,
  );
  expect(failures, 'handshakes that failed').toEqual([]);
  return { leaves: leaves.size };
}

test(
  'not one admission fails while the CA is replaced five times',
  async () => {
    // The Lease may be older than this installation.
    const transitions = await leaseTransitions(server, sluice.namespace);
    const load = startAdmissions(server, shop);
    let { leaves } = await follow(BY_AGE, () => undefined);
    for (let i = 0; i < BY_DELETION; i++) {
      succeeded(await server.kubectl(['delete', 'secret', AUTHORITY_SECRET, '-n', sluice.namespace]));
      leaves += (await follow(1, () => undefined)).leaves;
    }
    const { done, failures, perSecond } = await load.stop();
    const rate = perSecond.toFixed(1);
    process.stderr.write(`${ROTATIONS} rotations, ${leaves} certificates, ${done} admissions, ${rate} per second\n`);
    expect(failures).toEqual([]);
    expect(perSecond).toBeGreaterThan(10);
    expect(leaves).toBeGreaterThan(2 * ROTATIONS);
    for (const half of ['webhook', 'controller'] as const) {
      const pods = await podsOfHalf(server, sluice.namespace, half);
      expect(pods.map(({ restarts }) => restarts)).toEqual([0, 0]);
    }
    expect(await leaseTransitions(server, sluice.namespace)).toBe(transitions);
  },
  10 * MINUTES,
);

test(
  'nor while one webhook after the other is replaced, and the leader killed, within a rotation',
  async () => {
    const transitions = await leaseTransitions(server, sluice.namespace);
    const names = async () => (await podsOfHalf(server, sluice.namespace, 'webhook')).map(({ name }) => name);
    const before = await names();
    const load = startAdmissions(server, shop);
    await follow(1, async () => {
      succeeded(await server.kubectl(['rollout', 'restart', 'deployment/sluice-webhook', '-n', sluice.namespace]));
      signalPods([await leader(server, sluice.namespace)], 'SIGKILL');
    });
    const rollout = ['rollout', 'status', 'deployment/sluice-webhook', '-n', sluice.namespace, '--timeout=60s'];
    succeeded(await server.kubectl(rollout));
    const { done, failures } = await load.stop();
    process.stderr.write(`webhooks replaced and leader killed: ${done} admissions\n`);
    expect(failures).toEqual([]);
    expect((await names()).filter((name) => before.includes(name))).toEqual([]);
    expect(await leaseTransitions(server, sluice.namespace)).toBeGreaterThan(transitions);
  },
  4 * MINUTES,
);
