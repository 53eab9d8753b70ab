import { createPrivateKey } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Issued, issueAuthority, issueServing, validFor } from './generate.ts';
import { authorityDataOf, readStored, servingDataOf } from './secrets.ts';

const validity = validFor(10, new Date('2026-11-22T10:00:00Z'));
let authorities: Issued[];
let servings: Issued[];

beforeAll(async () => {
  authorities = await Promise.all([1, 2, 3].map(() => issueAuthority(validity)));
  servings = await Promise.all(authorities.map((authority) => issueServing(authority, ['one'], validity)));
});

const certificateOf = (at: number) => authorities[at]?.certificate ?? '';
const keyOf = (at: number) => authorities[at]?.key ?? '';

test('the order in the Secret is kept, whatever the order of the keys', () => {
  const data = { 'ca.crt': certificateOf(1) + certificateOf(0), 'ca.key': keyOf(0) + keyOf(1) };
  const { authorities: read, faults } = readStored(data);
  expect(faults).toEqual([]);
  expect(read.map(({ key }) => key)).toEqual([keyOf(1), keyOf(0)]);
});

test('a certificate that is no CA is never trusted', () => {
  const { authorities: read, faults } = readStored({ 'ca.crt': servings[0]?.certificate ?? '', 'ca.key': '' });
  expect(read).toEqual([]);
  expect(faults).toEqual(["ca.crt of sluice-authority holds a certificate that is no CA's"]);
});

test('only the CA that signed the serving certificate is taken from the bundle, not all that somebody put there', () => {
  const [serving = { certificate: '', key: '' }] = servings;
  const bundle = certificateOf(2) + certificateOf(0);
  const { authorities: read } = readStored({}, servingDataOf(serving, bundle));
  expect(read.map(({ certificate }) => certificate.x509.checkPrivateKey(createPrivateKey(keyOf(0))))).toEqual([true]);
});

test('whatever is in the Secrets, what is written to repair them needs no repair, and no fault tells a key', () => {
  const piece = fc.oneof(
    fc.nat({ max: 2 }).map((at) => () => certificateOf(at)),
    fc.nat({ max: 2 }).map((at) => () => keyOf(at)),
    fc.nat({ max: 2 }).map((at) => () => keyOf(at).slice(0, 600)),
    fc.nat({ max: 2 }).map((at) => () => certificateOf(at).replace('M', 'N')),
    fc.string().map((text) => () => text),
  );
  const text = fc.array(piece, { maxLength: 5 });
  fc.assert(
    fc.property(text, text, text, fc.nat({ max: 2 }), (crt, key, bundle, at) => {
      const join = (pieces: (() => string)[]) => pieces.map((each) => each()).join('');
      const serving = servingDataOf(servings[at] ?? { certificate: '', key: '' }, join(bundle));
      const read = readStored({ 'ca.crt': join(crt), 'ca.key': join(key) }, serving);
      const again = readStored(authorityDataOf(read.authorities), serving);
      expect(again.toRepair).toBe(false);
      expect(again.authorities.map((each) => each.certificate.fingerprint)).toEqual(
        read.authorities.map((each) => each.certificate.fingerprint),
      );
      const told = read.faults.join();
      for (const line of keyOf(0).split('\n').slice(1, 20)) expect(told).not.toContain(line);
    }),
    { numRuns: 200 },
  );
});
