import { Agent, request as httpsRequest } from 'node:https';
import { createServer as createNetServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { allow } from '../admission/answer.ts';
import type { AdmissionHandler } from '../admission/route.ts';
import { type Issued, issueAuthority, issueServing, validFor } from '../tls/generate.ts';
import type { CertificateSource, KeyPair } from '../tls/source.ts';
import { type App, buildApp } from './app.ts';
import { type Listening, listen } from './listen.ts';
import { openLog } from './log.ts';
import { checkSettings, type GivenSettings } from './settings.ts';
import { stopOnSignal } from './signals.ts';

let authority: Issued;
let pairs: KeyPair[];
beforeAll(async () => {
  const validity = validFor(1, new Date(Date.now() - 60_000));
  authority = await issueAuthority(validity);
  pairs = await Promise.all(
    [1, 2].map(async () => ({
      ...(await issueServing(authority, ['127.0.0.1'], validity)),
      notAfter: validity.notAfter,
    })),
  );
});

const open: Listening[] = [];
const agents: Agent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await Promise.all(open.splice(0).map((listening) => listening.close()));
});

/** A source whose pair is changed by the test: the other implementation of the interface beside files. */
function changeable(first: KeyPair): CertificateSource & { change(pair: KeyPair): void } {
  let current = first;
  const listeners = new Set<(pair: KeyPair) => void>();
  return {
    current: () => current,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => listeners.clear(),
    change(pair) {
      current = pair;
      for (const listener of listeners) listener(pair);
    },
  };
}

async function start(handle: AdmissionHandler = () => allow(), given: GivenSettings = {}) {
  const { log } = openLog('silent');
  const certificates = changeable(pairAt(0));
  const app = buildApp({
    format: 7,
    routes: [{ review: 'AdmissionReview', path: '/mutate/gateway', failurePolicy: 'Fail', handle }],
    log,
    certificateNotAfter: () => certificates.current().notAfter,
  });
  const settings = checkSettings({ host: '127.0.0.1', port: 0, plainHost: '127.0.0.1', plainPort: 0, ...given });
  const listening = await listen(app, certificates, settings, log);
  open.push(listening);
  return { app, certificates, listening };
}

function pairAt(index: number): KeyPair {
  const pair = pairs[index];
  if (pair === undefined) throw new Error(`no pair ${index}`);
  return pair;
}

function agent(): Agent {
  const made = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.certificate });
  agents.push(made);
  return made;
}

const review = JSON.stringify({
  kind: 'AdmissionReview',
  apiVersion: 'admission.k8s.io/v1',
  request: { uid: 'u', operation: 'CREATE', object: {} },
});

type Answered = { status: number | undefined; connection: string | undefined; serial: string; reused: boolean };

function post(port: number, through: Agent): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/mutate/gateway',
      agent: through,
      headers: { 'content-type': 'application/json' },
    };
    const sent = httpsRequest(options, (response) => {
      const socket = response.socket as TLSSocket; // an https request's socket
      const serial = socket.getPeerX509Certificate()?.serialNumber ?? '';
      response.resume().on('end', () => {
        resolve({
          status: response.statusCode,
          connection: response.headers.connection,
          serial,
          reused: sent.reusedSocket,
        });
      });
    });
    sent.on('error', reject);
    sent.end(review);
  });
}

/** Answers once `release` is called. */
function held(): { handle: AdmissionHandler; release: () => void } {
  let release = (): void => undefined;
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { handle: () => until.then(() => allow()), release: () => release() };
}

async function untilBusy(app: App): Promise<void> {
  while (app.requestsInFlight() === 0) await new Promise((resolve) => setImmediate(resolve));
}

test('reviews are served over HTTPS by a certificate of the local authority, on connections that stay open', async () => {
  const { listening } = await start();
  const through = agent();
  const [first, second] = [await post(listening.port, through), await post(listening.port, through)];
  expect([first.status, first.connection, second.status]).toEqual([200, 'keep-alive', 200]);
  expect(Object.keys(through.freeSockets)).toHaveLength(1);
});

test('a renewed certificate is used for new connections, and open ones go on', async () => {
  const { listening, certificates } = await start();
  const old = agent();
  const before = await post(listening.port, old);
  certificates.change(pairAt(1));
  const [same, fresh] = [await post(listening.port, old), await post(listening.port, agent())];
  expect([before.reused, same.reused, fresh.reused]).toEqual([false, true, false]);
  expect(fresh.serial).not.toBe(before.serial);
  expect([same.status, fresh.status]).toEqual([200, 200]);
});

test('only HTTP/1.1 is offered, and nothing below TLS 1.2', async () => {
  const { listening } = await start();
  const to = { host: '127.0.0.1', port: listening.port, ca: authority.certificate };
  const agreed = await new Promise((resolve, reject) => {
    const socket = connect({ ...to, ALPNProtocols: ['h2', 'http/1.1'] }, () => {
      resolve(socket.alpnProtocol);
      socket.destroy();
    }).on('error', reject);
  });
  expect(agreed).toBe('http/1.1');
  const refused = new Promise((_resolve, reject) => {
    connect({ ...to, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }).on('error', reject);
  });
  await expect(refused).rejects.toThrow();
});

test('closing finishes what runs, ends its connection, and accepts nothing new', async () => {
  const { handle, release } = held();
  const { app, listening } = await start(handle);
  const idle = agent();
  const running = post(listening.port, agent());
  await untilBusy(app);
  const closed = listening.close();
  await new Promise((resolve) => setImmediate(resolve));
  await expect(post(listening.port, idle)).rejects.toThrow('ECONNREFUSED');
  release();
  expect(await running).toMatchObject({ status: 200, connection: 'close' });
  expect(await closed).toBe('finished');
});

test('what still runs at the deadline is cut off', async () => {
  const { handle } = held();
  const { app, listening } = await start(handle, { deadlineMilliseconds: 20 });
  const running = post(listening.port, agent());
  await untilBusy(app);
  const [end] = await Promise.all([listening.close(), expect(running).rejects.toThrow()]);
  expect(end).toBe('cut off');
});

test('a connection that lies idle does not hold up the end', async () => {
  const { listening } = await start(undefined, { deadlineMilliseconds: 60_000 });
  await post(listening.port, agent());
  expect(await listening.close()).toBe('finished');
});

test('a port that is taken is an error, and the other port is given back', async () => {
  const taken = createNetServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve(Number((taken.address() as { port: number }).port)));
  });
  await expect(start(undefined, { plainPort: port })).rejects.toThrow('EADDRINUSE');
  taken.close();
});

test.each([
  [{ port: 70_000 }, 'port must be 0 to 65535'],
  [{ port: 8080 }, 'port and plainPort must differ'],
  [{ host: ' ' }, 'host must be an address'],
  [{ deadlineMilliseconds: -1 }, 'deadlineMilliseconds must be a whole number of at least 0'],
  [{ limits: { reviewBytes: 0 } }, 'reviewBytes must be a whole number of at least 1'],
  [{ port: 1.5, plainHost: '' }, 'port must be 0 to 65535, not 1.5; plainHost'],
])('wrong settings are refused, all at once: %j', (given, message) => {
  expect(() => checkSettings(given)).toThrow(message);
});

test.each([
  ['finished', 0],
  ['cut off', 1],
] as const)('the first signal stops, and how it ended is the exit code: %s', async (end, code) => {
  const { signals, raise } = fakeSignals();
  const exited = new Promise((resolve) => {
    stopOnSignal(signals, () => Promise.resolve(end), resolve, openLog('silent').log);
  });
  raise('SIGTERM');
  expect(await exited).toBe(code);
});

test('the second signal leaves at once, and a failure to stop is an error', async () => {
  const { signals, raise } = fakeSignals();
  const codes: number[] = [];
  stopOnSignal(
    signals,
    () => new Promise(() => undefined),
    (code) => codes.push(code),
    openLog('silent').log,
  );
  raise('SIGTERM');
  expect(codes).toEqual([]);
  raise('SIGINT');
  expect(codes).toEqual([130]);
  const other = fakeSignals();
  const exited = new Promise((resolve) => {
    stopOnSignal(other.signals, () => Promise.reject(new Error('no')), resolve, openLog('silent').log);
  });
  other.raise('SIGINT');
  expect(await exited).toBe(1);
});

function fakeSignals() {
  const listeners = new Map<string, () => void>();
  return {
    signals: { on: (signal: string, listener: () => void) => listeners.set(signal, listener) },
    raise: (signal: string) => listeners.get(signal)?.(),
  };
}
