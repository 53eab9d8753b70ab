import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';

/** The client went away before its request was complete: nobody is there to be answered. */
export class Aborted extends Error {}

/** Made once: every request ends in `close`, and each new error would walk the stack for nothing. */
const ABORTED = new Aborted('the client went away');

/**
 * Checks what the headers say about a request that should carry a review.
 * @throws Problem for another method, type or encoding than a review comes in, or a length above `limit`.
 */
export function checkHeaders({ method, headers }: IncomingMessage, limit: number): void {
  if (method !== 'POST') throw new Problem('methodNotAllowed', 'a review is sent with POST');
  if (!isJson(headers['content-type'])) {
    throw new Problem('unsupportedMediaType', 'a review is sent as application/json');
  }
  // API servers never compress a request, and what is not unpacked cannot be a decompression bomb.
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Problem('unsupportedMediaType', 'a review is sent without content-encoding');
  }
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
}

/** `application/json`, also with parameters such as a charset: JSON is UTF-8 whatever they say (RFC 8259, 8.1). */
function isJson(type: string | undefined): boolean {
  if (type === 'application/json') return true;
  return type?.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}

/**
 * Reads a body of at most `limit` bytes as text.
 *
 * What comes beyond the limit is dropped unread for a while, so that the client is still there to read the answer;
 * one that goes on for another four times the limit is cut off.
 * @throws Problem (too large, or not UTF-8) or {@link Aborted}.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<{ text: string; bytes: number }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      reject(tooLarge(limit));
      if (bytes > 5 * limit) request.destroy();
    });
    request.on('end', () => {
      const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
      // Decoding would replace broken bytes in silence, and an object would be stored changed.
      if (isUtf8(body)) resolve({ text: body.toString('utf8'), bytes });
      else reject(new Problem('malformed', 'the body is not UTF-8'));
    });
    request.on('error', () => reject(ABORTED));
    request.on('close', () => reject(ABORTED));
  });
}

function tooLarge(limit: number): Problem {
  return new Problem('tooLarge', `the body is larger than ${limit} bytes, the most that an API server can send here`);
}
