import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { issueAuthority, issueServing } from './generate.ts';
import { Kept } from './kept.testing.ts';
import type { CertificateSource } from './source.ts';
import { watchedCertificates } from './watched-secret.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const HOST = 'sluice-webhook.sluice-system.svc';
const SETTINGS = { hosts: [HOST], authorityLifetime: 3 * HOUR, servingLifetime: HOUR, settle: MINUTE };
const ISSUER = {
  authority: (validity: Parameters<typeof issueAuthority>[0]) => issueAuthority(validity),
  serving: issueServing,
};

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function serve(source: CertificateSource): Promise<number> {
  const options = () => ({ cert: source.current().certificate, key: source.current().key });
  const server = createServer(options(), (socket) => socket.end());
  server.on('tlsClientError', () => undefined);
  source.onChange(() => server.setSecureContext(options()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port; // a server that listens on TCP
}

/** A handshake as an API server makes it: the bundle is all that is trusted. Answers the code of what went wrong. */
function handshake(port: number, ca: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', servername: HOST, ca: ca ?? '' }, () => {
      socket.destroy();
      resolve('fine');
    });
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });
}

test('real TLS clients accept every state of a rotation, and the old bundle alone is of no use at its end', async () => {
  // Certificates are made in the past of the real clock, by which TLS judges, and end after it.
  const kept = new Kept(Date.now() - 2 * HOUR - 15 * MINUTE);
  const keeper = kept.start(SETTINGS, ISSUER);
  await keeper.check();
  const source = await watchedCertificates({
    secrets: kept.secrets,
    onProblem: (problem) => expect.fail(problem.message),
  });
  cleanups.push(() => source.close());
  const port = await serve(source);
  const bundles: string[] = [];
  keeper.onTrusted((bundle) => bundles.push(bundle));

  const states: string[] = [];
  const at = async (reason: string): Promise<void> => {
    while (!kept.writes.some((write) => write.reason === reason)) {
      await kept.time.step();
      await keeper.check();
    }
    states.push(`${reason}: ${(await Promise.all(bundles.map((bundle) => handshake(port, bundle)))).join(', ')}`);
  };
  await at('AuthorityDue');
  await at('AuthorityRotated');
  await at('AuthorityUnused');
  expect(kept.time.now()).toBeLessThan(Date.now());
  expect(states).toEqual([
    'AuthorityDue: fine, fine',
    'AuthorityRotated: UNABLE_TO_VERIFY_LEAF_SIGNATURE, fine',
    'AuthorityUnused: UNABLE_TO_VERIFY_LEAF_SIGNATURE, fine, fine',
  ]);
});
