import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { called, folderWith } from './called.testing.ts';

function certificate(folder: string, file: string): X509Certificate {
  return new X509Certificate(readFileSync(join(folder, file)));
}

test('an authority and a certificate that it signed are written, and the paths printed', async () => {
  const folder = join(folderWith({}), 'new');
  const { code, out, err } = await called(['certs', '--dir', folder]);
  expect(code).toBe(0);
  expect(out.trimEnd().split('\n').sort()).toEqual(
    ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'].map((file) => join(folder, file)),
  );
  expect(err).toMatch(/^valid for localhost, 127.0.0.1, ::1 until \d{4}-\d\d-\d\d\n$/);
  expect(certificate(folder, 'tls.crt').verify(certificate(folder, 'ca.crt').publicKey)).toBe(true);
  expect(statSync(join(folder, 'tls.key')).mode & 0o777).toBe(0o600);
});

test('the certificate is for the hosts and days that are asked for', async () => {
  const folder = folderWith({});
  await called(['certs', '--dir', folder, '--host', 'webhook.test', '10.0.0.1', '--days', '7']);
  const made = certificate(folder, 'tls.crt');
  expect(made.subjectAltName).toBe('DNS:webhook.test, IP Address:10.0.0.1');
  expect(Date.parse(made.validTo) - Date.parse(made.validFrom)).toBe(7 * 86_400_000);
});

test('what is there is written over only with --force', async () => {
  const folder = folderWith({ 'ca.key': 'mine' });
  const { code, out, err } = await called(['certs', '--dir', folder]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toBe(
    `error: ${folder} has ca.key already; replace what is there with --force, or choose another --dir\n`,
  );
  expect(readdirSync(folder)).toEqual(['ca.key']);
  expect((await called(['certs', '--dir', folder, '--force'])).code).toBe(0);
  expect(readFileSync(join(folder, 'ca.key'), 'utf8')).toContain('PRIVATE KEY');
});

test.each([
  {
    rule: 'a host that is none',
    argv: ['--host', 'not a host'],
    message: '"not a host" is neither an IP address nor a DNS name',
  },
  { rule: 'a folder that is a file', argv: ['--dir', 'package.json'], message: 'cannot write package.json' },
])('$rule is wrong usage, and nothing is written', async ({ argv, message }) => {
  const folder = folderWith({});
  const { code, err } = await called(['certs', '--dir', join(folder, 'new'), ...argv]);
  expect(code).toBe(2);
  expect(err).toContain(message);
  expect(existsSync(join(folder, 'new', 'tls.crt'))).toBe(false);
});
