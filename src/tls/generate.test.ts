import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { issueLocal, type LocalCertificates, validFor } from './generate.ts';

const from = new Date('2026-11-22T10:00:00.750Z');
const hosts = ['localhost', 'sluice-webhook.sluice.svc', '*.example.org', '127.0.0.1', '::1'];
let issued: LocalCertificates;
let authority: X509Certificate;
let serving: X509Certificate;

beforeAll(async () => {
  issued = await issueLocal(hosts, validFor(30, from));
  authority = new X509Certificate(issued.authority.certificate);
  serving = new X509Certificate(issued.serving.certificate);
});

test('the serving certificate is signed by the authority, and both keys belong to their certificates', () => {
  expect(serving.verify(authority.publicKey)).toBe(true);
  expect(serving.checkIssued(authority)).toBe(true);
  expect(serving.checkPrivateKey(createPrivateKey(issued.serving.key))).toBe(true);
  expect(authority.checkPrivateKey(createPrivateKey(issued.authority.key))).toBe(true);
});

test('only the authority may sign', () => {
  expect(authority.ca).toBe(true);
  expect(serving.ca).toBe(false);
  expect(serving.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
});

test.each([
  ['localhost', true],
  ['sluice-webhook.sluice.svc', true],
  ['a.example.org', true],
  ['a.b.example.org', false],
  ['example.com', false],
])('the DNS names are those that were asked for: %s', (host, fits) => {
  expect(serving.checkHost(host) !== undefined).toBe(fits);
});

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['10.0.0.1', false],
])('the addresses are those that were asked for: %s', (address, fits) => {
  expect(serving.checkIP(address) !== undefined).toBe(fits);
});

test('the validity is the one that was given, in whole seconds', () => {
  expect(new Date(serving.validFrom)).toEqual(new Date('2026-11-22T10:00:00Z'));
  expect(new Date(serving.validTo)).toEqual(new Date('2026-12-22T10:00:00Z'));
});

test('serial numbers are positive, 16 bytes long, and differ', () => {
  expect(serving.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
  expect(serving.serialNumber).not.toBe(authority.serialNumber);
});

test.each([
  [[], 'at least one host'],
  [['no spaces.example.org'], 'neither an IP address nor a DNS name'],
  [[''], 'neither an IP address nor a DNS name'],
  [['a..b'], 'neither an IP address nor a DNS name'],
])('hosts that no certificate can name are refused: %j', async (wrong, message) => {
  await expect(issueLocal(wrong, validFor(1, from))).rejects.toThrow(message);
});
