import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addEnd, addHealth, bareExpress, type ProblemCount } from './express-app.ts';
import type { Log } from './log.ts';

/** Metrics as Prometheus reads them. */
export type Exposition = ProblemCount & { readonly contentType: string; text(): Promise<string> };

export type PlainOptions = {
  readonly metrics: Exposition;
  readonly log: Log;
  /** Why the process is not ready yet, or undefined when it is. */
  readonly notReady: () => string | undefined;
};

/** What the plain port answers, in either half of Sluice: `/metrics`, `/healthz`, `/readyz`. */
export function plainApp({ metrics, log, notReady }: PlainOptions): RequestListener {
  const app = bareExpress();
  app.get('/metrics', async (_request, response) => {
    response.setHeader('content-type', metrics.contentType);
    response.end(await metrics.text());
  });
  addHealth(app, notReady);
  addEnd(app, metrics, log);
  return app;
}

/**
 * Opens a plain port alone: what the controller has of a server.
 * @throws what the system throws when the port cannot be had.
 */
export async function listenPlain(
  options: PlainOptions,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer(plainApp(options));
  await opened(server, port, host);
  options.log.info({ plainPort: portOf(server) }, 'listening');
  return {
    port: portOf(server),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Resolves once the server listens; rejects with the system's error. */
export function opened(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** The TCP port of a server that listens. */
export function portOf(server: Server): number {
  const address = server.address() as AddressInfo; // a server that listens on TCP
  return address.port;
}
