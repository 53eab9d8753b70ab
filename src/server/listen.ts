import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { CertificateSource, KeyPair } from '../tls/source.ts';
import type { App } from './app.ts';
import type { Log } from './log.ts';
import { opened, portOf } from './plain.ts';
import type { Settings } from './settings.ts';

export type Listening = {
  /** The ports in use, also when 0 was asked for. */
  readonly port: number;
  readonly plainPort: number;
  /**
   * Stops: `/readyz` turns 503, nothing new is accepted, what runs is finished, idle connections are closed.
   * @returns `cut off` when requests were still running at the deadline.
   */
  close(): Promise<'finished' | 'cut off'>;
};

/**
 * Opens both ports for an app: the plain one at once, since it answers probes while a certificate is waited for.
 *
 * HTTP/1.1 only: API servers ask webhooks for nothing else, since HTTP/2 would tie each of them to one replica; and
 * Node's HTTP/1.1 takes half the time of its HTTP/2.
 * @throws what the system throws when a port cannot be had, and what `certificates` rejects with; then neither is open.
 */
export async function listen(
  app: App,
  certificates: CertificateSource | Promise<CertificateSource>,
  settings: Settings,
  log: Log,
): Promise<Listening> {
  const plain = createServer(app.plain);
  setTimeouts(plain);
  await opened(plain, settings.plainPort, settings.plainHost);
  let endRenewal = (): void => undefined;
  let secure: SecureServer;
  try {
    const source = await certificates;
    secure = secureServer(app, source.current(), log);
    endRenewal = source.onChange((pair) => {
      secure.setSecureContext(tlsOptions(pair));
      log.info({ notAfter: pair.notAfter }, 'serving certificate renewed');
    });
    await opened(secure, settings.port, settings.host);
  } catch (error) {
    endRenewal();
    plain.close();
    plain.closeAllConnections();
    throw error;
  }
  const ports = { port: portOf(secure), plainPort: portOf(plain) };
  log.info(ports, 'listening');
  return {
    ...ports,
    async close() {
      app.drain();
      await milliseconds(settings.drainMilliseconds);
      endRenewal();
      secure.close();
      const end = await Promise.race([
        app.idle().then(() => 'finished' as const),
        milliseconds(settings.deadlineMilliseconds).then(() => 'cut off' as const),
      ]);
      if (end === 'cut off') log.error({ requests: app.requestsInFlight() }, 'requests cut off at the deadline');
      secure.closeAllConnections();
      // The plain port answers probes until the end.
      plain.close();
      plain.closeAllConnections();
      return end;
    },
  };
}

function secureServer(app: App, pair: KeyPair, log: Log): SecureServer {
  const options = { ...tlsOptions(pair), handshakeTimeout: 10_000, ALPNProtocols: ['http/1.1'] };
  const secure = createSecureServer(options, app.secure);
  setTimeouts(secure);
  secure.on('tlsClientError', (error) => log.debug({ err: error }, 'TLS handshake failed'));
  return secure;
}

function tlsOptions({ certificate, key }: KeyPair): { cert: string; key: string; minVersion: 'TLSv1.2' } {
  return { cert: certificate, key, minVersion: 'TLSv1.2' };
}

/**
 * An API server waits 30 s at most for a webhook. Its connections stay open while unused, without an end of its own:
 * closing one just as it sends the next request fails an admission, so ours is long.
 */
function setTimeouts(server: Server): void {
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 10 * 60_000;
}

/** Does not keep a process alive that has nothing else to do. */
function milliseconds(count: number): Promise<void> {
  if (count === 0) return Promise.resolve();
  return new Promise((resolve) => setTimeout(resolve, count).unref());
}
