import { connect, type TLSSocket } from 'node:tls';
import { percentile } from '../statistics.ts';
import type { LoadAnswer, LoadRequest } from './messages.ts';

/**
 * The load generator, a process of its own: it does for each {@link LoadRequest} what it asks and answers with a
 * {@link LoadAnswer}. It writes requests that were made before, and of the answers it reads no more than their status
 * and length: its own work should not hide the servers'.
 */
process.on('disconnect', () => process.exit());
process.on('message', (request: LoadRequest) => {
  run(request).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});

async function run({ port, path, bodies, connections, milliseconds, requests }: LoadRequest): Promise<LoadAnswer> {
  const texts = bodies.map((body) => requestBytes(path, body));
  const sockets = await Promise.all(Array.from({ length: connections }, () => opened(port)));
  const times: number[] = [];
  const started = performance.now();
  const end = started + milliseconds;
  let sent = 0;
  await Promise.all(
    sockets.map(async (socket) => {
      const exchange = exchanges(socket);
      while (sent < requests && performance.now() < end) {
        const text = texts[sent++ % texts.length];
        if (text === undefined) throw new Error('there is nothing to send');
        const from = performance.now();
        await exchange(text);
        times.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const socket of sockets) socket.destroy();
  return {
    requests: times.length,
    perSecond: times.length / seconds,
    p50: percentile(times, 50),
    p99: percentile(times, 99),
  };
}

function requestBytes(path: string, body: string): Buffer {
  const head = [
    `POST ${path}?timeout=10s HTTP/1.1`,
    'Host: sluice-webhook.sluice.svc:443',
    'User-Agent: kube-apiserver-admission',
    'Accept: application/json, */*',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function opened(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // The certificate was made for this run; whether it is trusted has no part in what is measured.
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => resolve(socket));
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}

/** Sends one request at a time over a connection and waits for its whole answer, which must be a 200. */
function exchanges(socket: TLSSocket): (request: Buffer) => Promise<void> {
  let received: Buffer = Buffer.alloc(0);
  let length = 0;
  let waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  const fail = (error: Error) => waiting?.reject(error);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the server closed the connection')));
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    try {
      if (length === 0) length = answerLength(received);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (length === 0 || received.length < length) return;
    received = Buffer.alloc(0);
    length = 0;
    waiting?.resolve();
  });
  return (request) =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
      socket.write(request);
    });
}

/** Bytes of an answer with its head; 0 while the head is not complete. @throws for a status other than 200. */
function answerLength(bytes: Buffer): number {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return 0;
  const head = bytes.toString('latin1', 0, end);
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  if (!head.startsWith('HTTP/1.1 200 ') || length === undefined) throw new Error(`the server answered:\n${head}`);
  return end + 4 + Number(length);
}
