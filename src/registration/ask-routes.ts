import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { parseJson } from '../json/text.ts';
import { at, isList } from '../json/value.ts';
import type { Endpoint } from './endpoints.ts';

/** What a webhook said of itself. */
export type Answer = {
  /** The certificate that it served, in PEM; undefined when the handshake did not get that far. */
  readonly certificate: string | undefined;
  /** The paths that it serves; undefined when it did not say, or cannot be trusted. */
  readonly paths: ReadonlySet<string> | undefined;
  /** The version of the rewrite that it carries out. */
  readonly format: number | undefined;
  /** Why there are no paths; an API server that calls it fails the same way. */
  readonly problem: string | undefined;
};

export type Question = {
  /** The name that API servers ask for, and that the certificate must be for. */
  readonly servername: string;
  /** Whom API servers trust, in PEM. */
  readonly bundle: string;
};

/** A webhook that is too slow for this is too slow for admission. */
const TIMEOUT = 5_000;
/** `/routes` answers with some hundred bytes. */
const LIMIT = 64 * 1024;

/**
 * Asks `GET /routes` of one webhook, over a connection of its own, so that the certificate is the one that it serves
 * now. Never throws: a webhook that does not answer is a state like others.
 */
export async function askRoutes({ address, port }: Endpoint, { servername, bundle }: Question): Promise<Answer> {
  let certificate: string | undefined;
  try {
    const response = await get(
      { host: address, port, servername, ca: bundle, path: '/routes', headers: { host: servername } },
      (socket) => {
        certificate = servedBy(socket);
      },
    );
    const socket = response.socket as TLSSocket; // of an HTTPS response
    if (!socket.authorized) return refused(certificate, `its certificate is not trusted: ${socket.authorizationError}`);
    if (response.statusCode !== 200) return refused(certificate, `GET /routes answered ${response.statusCode}`);
    return { certificate, ...read(await text(limited(response))), problem: undefined };
  } catch (error) {
    return refused(certificate, error instanceof Error ? error.message : String(error));
  }
}

function refused(certificate: string | undefined, problem: string): Answer {
  return { certificate, paths: undefined, format: undefined, problem };
}

function get(
  options: { host: string; port: number; servername: string; ca: string; path: string; headers: { host: string } },
  onHandshake: (socket: TLSSocket) => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The certificate is wanted also when it is not trusted, hence its refusal comes after the handshake.
    const sent = request({ ...options, agent: false, rejectUnauthorized: false, signal: AbortSignal.timeout(TIMEOUT) });
    sent.on('socket', (socket) => {
      if (socket instanceof TLSSocket) socket.once('secureConnect', () => onHandshake(socket));
    });
    sent.on('response', resolve);
    sent.on('error', reject);
    sent.end();
  });
}

function servedBy(socket: TLSSocket): string | undefined {
  return socket.getPeerX509Certificate()?.toString();
}

async function* limited(response: IncomingMessage): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > LIMIT) throw new Error(`GET /routes answered more than ${LIMIT} bytes`);
    yield chunk;
  }
}

/** @throws when the answer is not `{"paths": […], "format": …}`. */
function read(body: string): Pick<Answer, 'paths' | 'format'> {
  const answer = parseJson(body);
  const paths = at(answer, ['paths']);
  const format = at(answer, ['format']);
  if (!isList(paths)) throw new Error('GET /routes answered something else than {"paths": […]}');
  return { paths: new Set(paths.map(String)), format: typeof format === 'number' ? format : undefined };
}
