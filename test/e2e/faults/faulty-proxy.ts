import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { issueLocal, validFor } from '../../../src/tls/generate.ts';
import { API_SERVER } from '../../cluster/network.ts';

export type Faults = {
  /** So many requests are cut before anything else: the API server is still starting. */
  readonly deaf: number;
  /** 0 to 1: of all requests, cut before they reach the API server, or after it has acted and before it is heard. */
  readonly cut: number;
  /** Longest life of a watch, in milliseconds; each is cut at random before. */
  readonly watchMilliseconds: number;
  /** Whether every second PATCH is answered by 409 and not sent on. */
  readonly conflicts: boolean;
};

export type FaultyProxy = {
  readonly url: string;
  /** PEM: who signed its certificate. */
  readonly authority: string;
  /** What came, by method; watches as `WATCH`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly faults: { cuts: number; conflicts: number; watches: number };
  close(): void;
};

/**
 * Stands between a client and the API server, and fails as networks and busy servers do.
 * @param apiServerAuthority path of the PEM file of who signed the API server's certificate
 * @param random from 0 to 1, with a seed that the test prints
 */
export async function openFaultyProxy(
  apiServerAuthority: string,
  faults: Faults,
  random: () => number,
): Promise<FaultyProxy> {
  const agent = new Agent({ ca: readFileSync(apiServerAuthority), keepAlive: true });
  const requests: Record<string, number> = {};
  const counted = { cuts: 0, conflicts: 0, watches: 0 };
  let patches = 0;
  let heard = 0;

  const { authority, serving } = await issueLocal(['127.0.0.1'], validFor(1, new Date(Date.now() - 60_000)));
  const server = createServer({ cert: serving.certificate, key: serving.key }, (incoming, outgoing) => {
    const isWatch = incoming.url?.includes('watch=true') ?? false;
    const method = isWatch ? 'WATCH' : (incoming.method ?? '');
    requests[method] = (requests[method] ?? 0) + 1;
    if (heard++ < faults.deaf) {
      incoming.destroy();
      return;
    }
    if (faults.conflicts && method === 'PATCH' && patches++ % 2 === 0) {
      counted.conflicts++;
      answerConflict(incoming, outgoing);
      return;
    }
    const cut = !isWatch && random() < faults.cut ? (random() < 0.5 ? 'before' : 'after') : undefined;
    if (cut !== undefined) counted.cuts++;
    if (cut === 'before') incoming.destroy();
    else forward(incoming, outgoing, cut, isWatch ? random() * faults.watchMilliseconds : undefined);
  });

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, cut: 'after' | undefined, life?: number): void {
    const { url: path, method, headers } = incoming;
    const target = { agent, hostname: API_SERVER.host, port: API_SERVER.port, path, method, headers };
    const sent = request(target, (answer) => {
      if (cut === 'after') {
        answer.resume().on('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, outgoing, () => undefined); // either side may go at any time
      if (life === undefined) return;
      const timer = setTimeout(() => {
        counted.watches++;
        outgoing.destroy();
      }, life);
      outgoing.on('close', () => {
        clearTimeout(timer);
        sent.destroy();
      });
    });
    sent.on('error', () => outgoing.destroy());
    incoming.pipe(sent);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authority: authority.certificate,
    requests,
    faults: counted,
    close() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}

function answerConflict(incoming: IncomingMessage, outgoing: ServerResponse): void {
  incoming.resume().on('end', () => {
    const message = 'the object has been modified; please apply your changes to the latest version and try again';
    const status = { apiVersion: 'v1', kind: 'Status', status: 'Failure', reason: 'Conflict', code: 409, message };
    outgoing.writeHead(409, { 'content-type': 'application/json' }).end(JSON.stringify(status));
  });
}
