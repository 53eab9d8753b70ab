import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { pooledIssuer } from './key-pool.testing.ts';
import { type CertificateSettings, paceOf } from './pace.ts';
import { SERVING_SECRET } from './secrets.ts';
import { SimulatedCluster } from './simulated-cluster.testing.ts';
import { VirtualTime } from './virtual-time.testing.ts';
import type { Issuer } from './written.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse('2026-11-22T10:00:00Z');
let issuer: Issuer;

beforeAll(async () => {
  issuer = await pooledIssuer();
});

/** A random generator of its own for each example, so that one number says everything that happened. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SETTINGS: CertificateSettings = {
  hosts: ['sluice-webhook.sluice-system.svc'],
  authorityLifetime: 3 * HOUR,
  servingLifetime: HOUR,
  settle: 5 * MINUTE,
};

test.each([
  ['hours', SETTINGS],
  ['a minute', { ...SETTINGS, authorityLifetime: MINUTE, servingLifetime: MINUTE / 2 }],
])(
  'over five rotations of CAs that live %s no API server ever fails to call a webhook',
  async (_life, settings) => {
    const pace = paceOf(settings);
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = randomFrom(seed);
        const time = new VirtualTime(START);
        const cluster = new SimulatedCluster(
          time,
          {
            configurationDelay: pace.settle,
            apiServerDelay: pace.settle * 0.99,
            webhookDelay: 2 * pace.settle,
            skew: pace.backDate * 0.9,
            crash: 0.02,
            random,
          },
          settings,
          issuer,
        );
        cluster.startKeeper();
        while (cluster.failure()) {
          await time.step();
          expect(time.monotonic(), 'the installation takes too long').toBeLessThan(settings.servingLifetime / 2);
        }
        while (cluster.authorities.size < 6) {
          await time.step(() => expect(cluster.failure()).toBeUndefined());
          expect(time.monotonic(), 'rotations come too late').toBeLessThan(6 * settings.authorityLifetime);
          if (random() < 0.01) cluster.restartWebhook(Math.floor(random() * 3));
        }
        // The sixth CA takes over as well.
        const end = time.monotonic() + settings.authorityLifetime / 3;
        while (time.monotonic() < end) await time.step(() => expect(cluster.failure()).toBeUndefined());
        expect(cluster.writes.filter(({ reason }) => reason === 'AuthorityRotated').length).toBeGreaterThanOrEqual(1);
        expect(cluster.secrets.data(SERVING_SECRET)['ca.crt']?.match(/BEGIN/g)).toHaveLength(1);
        expect(cluster.authorities.size).toBe(6);
        expect(cluster.crashes).toBeGreaterThan(5);
        expect(cluster.problems.filter((each) => !/^(crashed|this process is dead)$/.test(each))).toEqual([]);
        // The first two, five more CAs that come, sign and make the one before go, each with its bundle; renewals between them.
        expect(cluster.secrets.writes).toBeLessThan(60);
      }),
      { numRuns: 3, endOnFailure: true },
    );
  },
  120_000,
);
