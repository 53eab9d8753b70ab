import { beforeAll, expect, test } from 'vitest';
import { type Issued, issueAuthority, issueServing } from './generate.ts';
import { DEFAULT_LIFETIMES } from './pace.ts';
import { planCertificates } from './plan.ts';
import { readStored, servingDataOf } from './secrets.ts';
import { NOTHING_SETTLED, type Settled } from './settling.ts';
import { readCertificate } from './x509.ts';

const START = Date.parse('2026-11-22T10:00:00Z');
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const SETTINGS = { hosts: ['sluice-webhook.sluice-system.svc'], ...DEFAULT_LIFETIMES };
const life = (start: number, days: number) => ({
  notBefore: new Date(START + start * DAY),
  notAfter: new Date(START + (start + days) * DAY),
});

let older: Issued;
let newer: Issued;
let byOlder: Issued;
let byNewer: Issued;

beforeAll(async () => {
  [older, newer] = await Promise.all([issueAuthority(life(0, 366)), issueAuthority(life(244, 366))]);
  [byOlder, byNewer] = await Promise.all([
    issueServing(older, SETTINGS.hosts, life(200, 120)),
    issueServing(newer, SETTINGS.hosts, life(245, 120)),
  ]);
});

function observe(authorities: readonly Issued[], serving: Issued, settled: Partial<Settled> = {}) {
  const bundle = authorities.map(({ certificate }) => certificate.replaceAll('\r', '')).join('');
  const keys = authorities.map(({ key }) => key).join('');
  const stored = readStored({ 'ca.crt': bundle, 'ca.key': keys }, servingDataOf(serving, bundle));
  return {
    ...stored,
    published: stored.authorities.map((each) => each.certificate.pem).join(''),
    ...NOTHING_SETTLED,
    ...settled,
  };
}

const forSoLong = (issued: Issued, milliseconds: number) =>
  new Map([[readCertificate(issued.certificate).fingerprint, milliseconds]]);

function plan(observed: ReturnType<typeof observe>, days: number, settings = SETTINGS): string {
  const { action, after } = planCertificates({ ...observed, toRepair: false }, settings, START + days * DAY);
  return action ? action.reason : `in ${after / 1000} s`;
}

test.each([
  ['a CA in its first two thirds and a young serving certificate wait for the next look', 210, 'in 600 s'],
  ['the look after that is not later than the moment when something is due', 244 - 3 / 1440, 'in 180 s'],
  ['a CA is due after two thirds of its life', 244, 'AuthorityDue'],
])('%s', (_rule, days, expected) => {
  expect(plan(observe([older], byOlder), days)).toBe(expected);
});

test.each([
  ['not carried everywhere', {}, 'in 10 s'],
  ['carried everywhere, not for long enough', { carried: 299_999 }, 'in 10 s'],
  ['carried everywhere for long enough', { carried: 300_000 }, 'AuthorityRotated'],
])('a new CA that is %s', (_state, { carried = -1 }: { carried?: number }, expected) => {
  const settled = carried < 0 ? {} : { carried: forSoLong(newer, carried) };
  expect(plan(observe([newer, older], byOlder, settled), 250)).toBe(expected);
});

test.each([
  ['in use', -1, 'in 10 s'],
  ['unused, not for long enough', 299_999, 'in 10 s'],
  ['unused for long enough', 300_000, 'AuthorityUnused'],
])('an old CA that is %s', (_state, unused, expected) => {
  const settled = unused < 0 ? {} : { unused: forSoLong(older, unused) };
  expect(plan(observe([newer, older], byNewer, settled), 250)).toBe(expected);
});

test('a new CA that waits is not taken away, though nothing uses it', () => {
  const settled = { unused: new Map([...forSoLong(newer, DAY), ...forSoLong(older, DAY)]) };
  expect(plan(observe([newer, older], byOlder, settled), 250)).toBe('in 10 s');
});

test('while a rotation is stuck the serving certificate is renewed by the CA that signed it', () => {
  const { action } = planCertificates(
    { ...observe([newer, older], byOlder), toRepair: false },
    SETTINGS,
    START + 281 * DAY,
  );
  expect(action).toMatchObject({ kind: 'issue serving', reason: 'ServingDue' });
  const signer = action?.kind === 'issue serving' ? action.signer.certificate.fingerprint : '';
  expect(signer).toBe(readCertificate(older.certificate).fingerprint);
});

test('a renewal that would gain nothing, since the CA ends, is left', async () => {
  const last = await issueServing(older, SETTINGS.hosts, life(330, 36));
  expect(plan(observe([newer, older], last), 360)).toBe('in 10 s');
});

test('a configuration that loses the new CA does not bring the old one back', () => {
  const settled = { carried: forSoLong(older, DAY) };
  expect(plan(observe([newer, older], byNewer, settled), 250)).toBe('in 10 s');
});

test('a broken pair in the middle of a rotation is replaced by the CA that is trusted longest', () => {
  const observed = observe([newer, older], { certificate: byOlder.certificate, key: byNewer.key });
  const carried = new Map([...forSoLong(newer, 10), ...forSoLong(older, 20)]);
  const { action } = planCertificates({ ...observed, toRepair: false, carried }, SETTINGS, START + 250 * DAY);
  expect(action).toMatchObject({ reason: 'ServingKeyMismatch', signer: observed.authorities[1] });
});
