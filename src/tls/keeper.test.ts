import fc from 'fast-check';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { type Issued, issueAuthority, issueServing, validFor } from './generate.ts';
import { keepCertificates } from './keeper.ts';
import { Kept } from './kept.testing.ts';
import { pooledIssuer } from './key-pool.testing.ts';
import { MemorySecrets } from './memory-secrets.testing.ts';
import { DEFAULT_LIFETIMES } from './pace.ts';
import { AUTHORITY_SECRET, SERVING_SECRET, type SecretData, type SecretStore } from './secrets.ts';
import { handshakeFailure } from './simulated-cluster.testing.ts';
import { VirtualTime } from './virtual-time.testing.ts';
import type { Issuer } from './written.ts';

const START = Date.parse('2026-11-22T10:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SETTINGS = { hosts: ['sluice-webhook.sluice-system.svc'], ...DEFAULT_LIFETIMES };
const ROTATION = ['AuthorityRotated', 'AuthorityUnused', 'BundleChanged'];

let issuer: Issuer;
let stranger: { authority: Issued; serving: Issued };
let kept: Kept;

beforeAll(async () => {
  issuer = await pooledIssuer(4);
  const authority = await issueAuthority(validFor(300, new Date(START - DAY)));
  stranger = { authority, serving: await issueServing(authority, SETTINGS.hosts, validFor(90, new Date(START - DAY))) };
});

beforeEach(() => {
  kept = new Kept(START);
});

async function install(): Promise<void> {
  await kept.start(SETTINGS, issuer).check();
  kept.reasons();
}

function failure(bundle = kept.keeper?.trusted()): string | undefined {
  return handshakeFailure(
    bundle ?? '',
    kept.secrets.data(SERVING_SECRET)['tls.crt'] ?? '',
    SETTINGS.hosts,
    kept.time.now(),
  );
}

/** The lines of the private keys in both Secrets. */
function keyLines(...data: SecretData[]): string[] {
  const texts = data.flatMap((each) => [each['ca.key'] ?? '', each['tls.key'] ?? '']);
  return texts.flatMap((text) => text.split('\n')).filter((line) => line.length > 20 && !line.startsWith('-----'));
}

test('the first look makes a CA, then a serving certificate, and tells the bundle', async () => {
  const bundles: string[] = [];
  const keeper = kept.start(SETTINGS, issuer);
  keeper.onTrusted((bundle) => bundles.push(bundle));
  expect(keeper.trusted()).toBeUndefined();
  await keeper.check();
  expect(kept.reasons()).toEqual(['AuthorityMissing', 'ServingMissing']);
  expect(failure()).toBeUndefined();
  expect(bundles).toEqual([kept.secrets.data(SERVING_SECRET)['ca.crt']]);
  expect(kept.secrets.data(AUTHORITY_SECRET)['ca.crt']).toBe(bundles[0]);
});

test('at rest nothing is written, and nobody is asked what they use', async () => {
  await install();
  await kept.time.pass(5 * DAY);
  expect(kept.reasons()).toEqual([]);
  expect(kept.asked).toBe(0);
});

test('however many keepers start at once and however their requests interleave, they agree on one CA and one pair', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 4 }), async (scheduler, count) => {
      const secrets = new MemorySecrets();
      const slow: SecretStore = {
        read: async (name) => {
          await scheduler.schedule(Promise.resolve(), 'read');
          const answer = await secrets.read(name);
          await scheduler.schedule(Promise.resolve(), 'read answered');
          return answer;
        },
        write: async (name, data, version) => {
          await scheduler.schedule(Promise.resolve(), 'write');
          const answer = await secrets.write(name, data, version);
          await scheduler.schedule(Promise.resolve(), 'write answered');
          return answer;
        },
      };
      const problems: Error[] = [];
      const time = new VirtualTime(START);
      const keepers = Array.from({ length: count }, () =>
        keepCertificates({
          settings: SETTINGS,
          secrets: slow,
          inUse: () => Promise.reject(new Error('there is one CA: nobody needs to be asked')),
          issuer,
          clock: time,
          onWrite: () => undefined,
          onProblem: (problem) => problems.push(problem),
        }),
      );
      await scheduler.waitFor(Promise.all(keepers.map((keeper) => keeper.check())));
      expect(problems).toEqual([]);
      expect(secrets.writes).toBe(2);
      const { 'ca.crt': bundle = '', 'tls.crt': served = '' } = secrets.data(SERVING_SECRET);
      expect(keepers.map((keeper) => keeper.trusted())).toEqual(keepers.map(() => bundle));
      expect(handshakeFailure(bundle, served, SETTINGS.hosts, START)).toBeUndefined();
    }),
    { numRuns: 25 },
  );
});

type Damage = [
  what: string,
  (authority: SecretData, serving: SecretData) => Record<string, SecretData | undefined>,
  reasons: readonly string[],
];

const GARBAGE = 'not PEM at all';
const cut = (pem = '') => `${pem.slice(0, 700)}\n-----END PRIVATE KEY-----\n`;

/** Damage that leaves the pair at work: the CA that API servers trust stays trusted until another took its place everywhere. */
const HARMLESS: Damage[] = [
  [
    'a deleted authority Secret',
    () => ({ [AUTHORITY_SECRET]: undefined }),
    ['AuthorityKeyMissing', 'BundleChanged', ...ROTATION],
  ],
  [
    'garbage instead of the key of the CA',
    (authority) => ({ [AUTHORITY_SECRET]: { ...authority, 'ca.key': GARBAGE } }),
    ['AuthorityKeyMissing', 'BundleChanged', ...ROTATION],
  ],
  [
    'half a key of the CA',
    (authority) => ({ [AUTHORITY_SECRET]: { ...authority, 'ca.key': cut(authority['ca.key']) } }),
    ['AuthorityKeyMissing', 'BundleChanged', ...ROTATION],
  ],
  [
    'a key of another CA',
    (authority) => ({ [AUTHORITY_SECRET]: { ...authority, 'ca.key': stranger.authority.key } }),
    ['AuthorityKeyMissing', 'BundleChanged', ...ROTATION],
  ],
  [
    'garbage instead of the CA, whose key is there',
    (authority) => ({ [AUTHORITY_SECRET]: { ...authority, 'ca.crt': GARBAGE } }),
    ['AuthoritySecretDamaged'],
  ],
  [
    'an authority Secret with another CA',
    () => ({ [AUTHORITY_SECRET]: { 'ca.crt': stranger.authority.certificate, 'ca.key': stranger.authority.key } }),
    ['AuthoritySecretDamaged', 'BundleChanged', ...ROTATION],
  ],
  [
    'two deleted Secrets',
    () => ({ [AUTHORITY_SECRET]: undefined, [SERVING_SECRET]: undefined }),
    ['AuthorityKeyMissing', 'BundleChanged', ...ROTATION],
  ],
  [
    'a deleted authority Secret beside garbage instead of the serving key',
    (_, serving) => ({ [AUTHORITY_SECRET]: undefined, [SERVING_SECRET]: { ...serving, 'tls.key': GARBAGE } }),
    ['AuthorityKeyMissing', 'BundleChanged', ...ROTATION],
  ],
  [
    'an empty bundle beside the pair',
    (_, serving) => ({ [SERVING_SECRET]: { ...serving, 'ca.crt': '' } }),
    ['BundleChanged'],
  ],
];

/** Damage to the pair itself: webhooks that start have nothing to serve, so it is replaced at once by the same CA. */
const AT_ONCE: Damage[] = [
  ['a deleted serving Secret', () => ({ [SERVING_SECRET]: undefined }), ['ServingMissing']],
  [
    'garbage instead of the serving certificate',
    (_, serving) => ({ [SERVING_SECRET]: { ...serving, 'tls.crt': serving['tls.key'] ?? '' } }),
    ['ServingUnreadable'],
  ],
  [
    'half a serving key',
    (_, serving) => ({ [SERVING_SECRET]: { ...serving, 'tls.key': cut(serving['tls.key']) } }),
    ['ServingUnreadable'],
  ],
  [
    'a key of another certificate',
    (_, serving) => ({ [SERVING_SECRET]: { ...serving, 'tls.key': stranger.serving.key } }),
    ['ServingKeyMismatch'],
  ],
  [
    'a pair of an unknown CA',
    (_, serving) => ({
      [SERVING_SECRET]: { ...serving, 'tls.crt': stranger.serving.certificate, 'tls.key': stranger.serving.key },
    }),
    ['ServingNotTrusted'],
  ],
];

test.each([...HARMLESS, ...AT_ONCE])(
  '%s is repaired, and no text holds a private key',
  async (_what, damage, reasons) => {
    await install();
    const [authority, serving] = [kept.secrets.data(AUTHORITY_SECRET), kept.secrets.data(SERVING_SECRET)];
    for (const [name, data] of Object.entries(damage(authority, serving))) kept.secrets.put(name, data);
    await kept.time.pass(HOUR);
    expect(failure()).toBeUndefined();
    const told = JSON.stringify([kept.writes, kept.problems.map(({ message, stack }) => [message, stack])]);
    const keys = keyLines(authority, serving, kept.secrets.data(AUTHORITY_SECRET), kept.secrets.data(SERVING_SECRET));
    expect(keys.length).toBeGreaterThan(80);
    expect(keys.filter((line) => told.includes(line))).toEqual([]);
    expect(kept.reasons()).toEqual(reasons);
    expect(kept.problems).toEqual([]);
  },
);

test.each(HARMLESS)('%s never breaks a handshake', async (_what, damage) => {
  await install();
  const old = kept.keeper?.trusted();
  const changes = damage(kept.secrets.data(AUTHORITY_SECRET), kept.secrets.data(SERVING_SECRET));
  for (const [name, data] of Object.entries(changes)) kept.secrets.put(name, data);
  await kept.keeper?.check();
  // API servers that have not seen the new bundle yet, and those that have.
  expect([failure(old), failure()]).toEqual([undefined, undefined]);
  const end = kept.time.now() + HOUR;
  while (kept.time.now() < end) await kept.time.step(() => expect(failure()).toBeUndefined());
});

test('two Secrets that are deleted one after the other, with looks in between, break no handshake', async () => {
  await install();
  for (const name of [AUTHORITY_SECRET, SERVING_SECRET]) {
    const old = kept.keeper?.trusted();
    kept.secrets.put(name, undefined);
    await kept.keeper?.check();
    expect([failure(old), failure()]).toEqual([undefined, undefined]);
  }
  const end = kept.time.now() + HOUR;
  while (kept.time.now() < end) await kept.time.step(() => expect(failure()).toBeUndefined());
  expect(kept.reasons().slice(-3)).toEqual(ROTATION);
});

test('a keeper that starts after both Secrets are lost makes new ones at once: nobody knows the old pair', async () => {
  await install();
  await kept.keeper?.close();
  for (const name of [AUTHORITY_SECRET, SERVING_SECRET]) kept.secrets.put(name, undefined);
  await kept.start(SETTINGS, issuer).check();
  expect(kept.reasons()).toEqual(['AuthorityMissing', 'ServingMissing']);
  expect(failure()).toBeUndefined();
});

test.each([
  ['130 days: the CA goes on', 130, ['ServingExpired']],
  [
    '250 days: the CA is due, and serves until the next one is trusted',
    250,
    ['AuthorityDue', 'ServingExpired', ...ROTATION],
  ],
  ['two years', 730, ['AuthorityExpired', 'ServingExpired', 'AuthorityUnused', 'BundleChanged']],
])('a cluster that was off for %s recovers in the first look', async (_what, days, reasons) => {
  await install();
  await kept.keeper?.close();
  kept.time.jump(days * DAY);
  await kept.start(SETTINGS, issuer).check();
  expect(failure()).toBeUndefined();
  await kept.time.pass(HOUR);
  expect(kept.reasons()).toEqual(reasons);
});

test('a clock that is set back makes certificates that hold now, and that go on to hold when it is set right', async () => {
  await install();
  kept.time.jump(-DAY);
  await kept.time.pass(HOUR);
  const replaced = ['AuthorityNotYetValid', 'ServingNotYetValid', 'AuthorityUnused', 'BundleChanged'];
  expect(kept.reasons()).toEqual(replaced);
  for (let round = 0; round < 10; round++) {
    kept.time.jump(round % 2 === 0 ? DAY : -DAY);
    await kept.time.pass(HOUR);
    expect(failure()).toBeUndefined();
  }
  expect(kept.reasons()).toEqual([]);
});

test('a clock that jumps by minutes changes nothing', async () => {
  await install();
  for (const minutes of [-4, 3, -3, 240, -240]) {
    kept.time.jump(minutes * 60_000);
    await kept.time.pass(HOUR);
  }
  expect(kept.reasons()).toEqual([]);
});

test('a clock that goes mad causes no storm: each jump is answered by a few writes', async () => {
  await install();
  for (let round = 0; round < 10; round++) {
    kept.time.jump((round % 2 === 0 ? 2 : -2) * 365 * DAY);
    await kept.time.pass(15 * 60_000);
    expect(failure()).toBeUndefined();
    expect(kept.reasons().length).toBeLessThanOrEqual(5);
  }
});

test('other hosts get another certificate, but not within minutes of the last: two releases may disagree', async () => {
  await install();
  await kept.keeper?.close();
  const keeper = kept.start({ ...SETTINGS, hosts: ['sluice-webhook.other.svc', '::1'] }, issuer);
  await keeper.check();
  expect(kept.reasons()).toEqual([]);
  await kept.time.pass(HOUR);
  expect(kept.reasons()).toEqual(['HostsChanged']);
});

test('an error that passes is told once, looks go on, and nothing is lost', async () => {
  let broken = true;
  const flaky: SecretStore = {
    read: (name) => (broken ? Promise.reject(new Error('the API server is away')) : kept.secrets.read(name)),
    write: (...args) => kept.secrets.write(...args),
  };
  kept.start(SETTINGS, issuer, flaky);
  await kept.time.pass(HOUR);
  expect(kept.problems.map(({ message }) => message)).toEqual(['the API server is away']);
  broken = false;
  await kept.time.pass(HOUR / 6);
  expect(kept.reasons()).toEqual(['AuthorityMissing', 'ServingMissing']);
});

test('a keeper that is closed in the middle of a look begins no further write, and its end can be waited for', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const slow: SecretStore = {
    read: (name) => kept.secrets.read(name),
    write: async (...args) => {
      asked.resolve();
      await answer.promise;
      return await kept.secrets.write(...args);
    },
  };
  const keeper = kept.start(SETTINGS, issuer, slow);
  await asked.promise;
  const end = keeper.close();
  answer.resolve();
  await end;
  expect(kept.reasons()).toEqual(['AuthorityMissing']);
  expect(kept.secrets.data(SERVING_SECRET)).toEqual({});
  await expect(kept.time.step()).rejects.toThrow('nothing will ever happen again');
});
