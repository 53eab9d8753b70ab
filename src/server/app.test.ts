import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { allow, deny, fail, patch } from '../admission/answer.ts';
import type { AdmissionHandler, ConversionHandler, FailurePolicy } from '../admission/route.ts';
import { parseJson } from '../json/text.ts';
import { at, type Json } from '../json/value.ts';
import { type App, buildApp } from './app.ts';
import type { Limits } from './limits.ts';
import { openLog } from './log.ts';

type Answered = { status: number; headers: IncomingHttpHeaders; text: string; json: Json };
type Sent = { method?: string; path?: string; headers?: Record<string, string>; body?: string | Buffer };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

type Given = {
  handle?: AdmissionHandler;
  convert?: ConversionHandler;
  failurePolicy?: FailurePolicy;
  limits?: Partial<Limits>;
  level?: 'trace' | 'info';
  notReady?: () => string | undefined;
};

async function start(given: Given = {}): Promise<{
  app: App;
  lines: Record<string, unknown>[];
  send: (sent: Sent) => Promise<Answered>;
  sendPlain: (sent: Sent) => Promise<Answered>;
  port: number;
}> {
  const lines: Record<string, unknown>[] = [];
  const { log } = openLog(given.level ?? 'info', { write: (line) => lines.push(JSON.parse(line)) });
  const app = buildApp({
    format: 7,
    routes: [
      {
        review: 'AdmissionReview',
        path: '/mutate/gateway',
        failurePolicy: given.failurePolicy ?? 'Fail',
        handle: given.handle ?? (() => allow()),
      },
      {
        review: 'ConversionReview',
        path: '/convert',
        handle: given.convert ?? (({ objects }) => ({ verdict: 'converted', objects })),
      },
    ],
    log,
    certificateNotAfter: () => new Date('2027-01-01T00:00:00Z'),
    ...(given.limits === undefined ? {} : { limits: given.limits }),
    ...(given.notReady === undefined ? {} : { notReady: given.notReady }),
  });
  const [port, plainPort] = await Promise.all([app.secure, app.plain].map((listener) => open(createServer(listener))));
  return {
    app,
    lines,
    port: port ?? 0,
    send: (sent) => exchange(port ?? 0, sent),
    sendPlain: (sent) => exchange(plainPort ?? 0, sent),
  };
}

function open(server: Server): Promise<number> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function exchange(port: number, { method = 'POST', path = '/mutate/gateway', headers, body }: Sent): Promise<Answered> {
  const type = { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path, headers: headers ?? type }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type'] === 'application/json';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson ? parseJson(text) : null,
        });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const object = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'web' } };
const request = {
  uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
  kind: { group: 'networking.istio.io', version: 'v1', kind: 'VirtualService' },
  resource: { group: 'networking.istio.io', version: 'v1', resource: 'virtualservices' },
  name: 'web',
  namespace: 'shop',
  operation: 'UPDATE',
  userInfo: { username: 'jane', groups: ['system:authenticated'] },
  object,
  oldObject: object,
  dryRun: false,
  options: { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl' },
};

function review(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: { ...request, ...changes },
  });
}

test('a handler gets the request as plain data, and an allowed write is answered with its uid', async () => {
  const seen: unknown[] = [];
  const { send } = await start({
    handle: (asked) => {
      seen.push(asked);
      return allow();
    },
  });
  const body = review();
  const answered = await send({ path: '/mutate/gateway?timeout=10s', body });
  expect(answered.status).toBe(200);
  expect(answered.text).toBe(
    `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"${request.uid}","allowed":true}}`,
  );
  expect(seen).toEqual([
    {
      uid: request.uid,
      operation: 'UPDATE',
      kind: request.kind,
      resource: request.resource,
      subresource: '',
      name: 'web',
      namespace: 'shop',
      dryRun: false,
      user: { name: 'jane', groups: ['system:authenticated'] },
      fieldManager: 'kubectl',
      object,
      oldObject: object,
      bytes: body.length,
      receivedAt: expect.any(Number),
    },
  ]);
});

test('a patch travels as base64 of RFC 6902, without losing a digit, and warnings and audit annotations beside it', async () => {
  const { send } = await start({
    handle: (asked) =>
      patch([{ op: 'replace', path: '/spec', value: asked.object?.['spec'] ?? null }], {
        warnings: ['put back "x"'],
        audit: { rollout: 'shop/web' },
      }),
  });
  const body = review().replace('"metadata"', '"spec":{"n":12345678901234567890,"s":"ä\\u2028"},"metadata"');
  const { json } = await send({ body });
  const text = Buffer.from(String(at(json, ['response', 'patch'])), 'base64').toString();
  expect(text).toBe('[{"op":"replace","path":"/spec","value":{"n":12345678901234567890,"s":"ä\u2028"}}]');
  expect(at(json, ['response', 'patchType'])).toBe('JSONPatch');
  expect(at(json, ['response', 'warnings'])).toEqual(['put back "x"']);
  expect(at(json, ['response', 'auditAnnotations'])).toEqual({ rollout: 'shop/web' });
});

test('a denial with causes is Invalid and names each field, since kubectl then shows the causes alone', async () => {
  const causes = [
    { field: 'spec.a', message: 'write 1' },
    { field: 'spec.b', message: 'write 2' },
  ];
  const { send } = await start({ handle: () => deny('two things', { causes }) });
  const { json } = await send({ body: review() });
  expect(at(json, ['response'])).toEqual({
    uid: request.uid,
    allowed: false,
    status: {
      metadata: {},
      status: 'Failure',
      message: 'two things',
      reason: 'Invalid',
      details: {
        name: 'web',
        group: 'networking.istio.io',
        kind: 'VirtualService',
        causes: causes.map((cause) => ({ reason: 'FieldValueInvalid', ...cause })),
      },
      code: 422,
    },
  });
});

test('a denial without causes is Forbidden, since kubectl then shows the message', async () => {
  const { send } = await start({ handle: () => deny('the script failed') });
  const { json } = await send({ body: review() });
  expect(at(json, ['response', 'status'])).toEqual({
    metadata: {},
    status: 'Failure',
    message: 'the script failed',
    reason: 'Forbidden',
    code: 403,
  });
});

test.each([
  ['Fail', undefined, 200, { reason: 'InternalError', code: 500 }],
  ['Fail', 1, 200, { reason: 'ServiceUnavailable', details: { retryAfterSeconds: 1 }, code: 503 }],
  ['Ignore', undefined, 500, { reason: 'InternalError', code: 500 }],
  ['Ignore', 1, 503, { reason: 'ServiceUnavailable', details: { retryAfterSeconds: 1 }, code: 503 }],
] as const)(
  'what could not be judged is refused under Fail and left to the policy under Ignore: %s, retry %s',
  async (failurePolicy, retryAfterSeconds, status, expected) => {
    const { send } = await start({
      failurePolicy,
      handle: () => fail('not now', retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
    const answered = await send({ body: review() });
    expect(answered.status).toBe(status);
    const found = status === 200 ? at(answered.json, ['response', 'status']) : answered.json;
    expect(found).toMatchObject({ message: 'not now', status: 'Failure', ...expected });
    expect(answered.headers['retry-after']).toBe(status === 503 ? '1' : undefined);
  },
);

test.each([
  ['at once', () => Promise.reject(new Error('secret detail'))],
  [
    'later',
    () => {
      throw new Error('secret detail');
    },
  ],
])(
  'an error of our own is answered with the uid and logged once, and its text stays inside: thrown %s',
  async (_when, handle) => {
    const { send, lines } = await start({ handle });
    const { json, text } = await send({ body: review() });
    expect(at(json, ['response', 'uid'])).toBe(request.uid);
    expect(at(json, ['response', 'status', 'code'])).toBe(500);
    expect(text).not.toContain('secret detail');
    expect(lines.filter((line) => JSON.stringify(line).includes('secret detail'))).toHaveLength(1);
  },
);

const bad: [string, Sent, number, string][] = [
  ['no JSON', { body: 'hello' }, 400, 'the body is not JSON'],
  ['truncated JSON', { body: review().slice(0, -2) }, 400, 'the body is not JSON: error at position'],
  ['an empty body', { body: '' }, 400, 'the body is not JSON'],
  ['a list', { body: '[]' }, 400, 'not an object'],
  ['null', { body: 'null' }, 400, 'not an object'],
  ['another kind', { body: review().replace('AdmissionReview', 'Pod') }, 400, 'must be of kind AdmissionReview'],
  ['another version', { body: review().replace('k8s.io/v1"', 'k8s.io/v1beta1"') }, 400, 'admission.k8s.io/v1'],
  ['no request', { body: '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}' }, 400, 'no request'],
  ['no uid', { body: review({ uid: undefined }) }, 400, 'request.uid is missing'],
  ['broken UTF-8', { body: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'not UTF-8'],
  ['a form', { body: review(), headers: { 'content-type': 'text/plain' } }, 415, 'application/json'],
  ['no content type', { body: review(), headers: {} }, 415, 'application/json'],
  [
    'compressed',
    { body: 'x', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } },
    415,
    'content-encoding',
  ],
  ['GET', { method: 'GET' }, 405, 'POST'],
  ['another path', { path: '/mutate', body: review() }, 404, 'nothing is served at /mutate'],
  ['a path that cannot be decoded', { path: '/%E0%A4%A', method: 'GET' }, 404, 'nothing is served at /%E0%A4%A'],
];

test.each(bad)(
  'what is no review is answered with a Status that says why: %s',
  async (_what, sent, status, message) => {
    const { send } = await start();
    const answered = await send(sent);
    expect(answered.status).toBe(status);
    expect(answered.json).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status });
    expect(String(at(answered.json, ['message']))).toContain(message);
  },
);

test.each([
  ['no object', { object: null }, 'request.object is missing'],
  ['no stored object', { oldObject: null }, 'request.oldObject is missing'],
  ['an object that is no object', { object: 'x' }, 'request.object is missing'],
  ['no operation', { operation: undefined }, 'request.operation'],
  ['an unknown operation', { operation: 'PATCH' }, 'request.operation'],
])('a malformed request that has a uid is answered in a review: %s', async (_what, changes, message) => {
  const { send } = await start();
  const { status, json } = await send({ body: review(changes) });
  expect(status).toBe(200);
  expect(at(json, ['response'])).toMatchObject({ uid: request.uid, allowed: false, status: { code: 400 } });
  expect(String(at(json, ['response', 'status', 'message']))).toContain(message);
});

test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=x'])(
  'the content type may have parameters: %s',
  async (type) => {
    const { send } = await start();
    expect((await send({ body: review(), headers: { 'content-type': type } })).status).toBe(200);
  },
);

const big = { limits: { reviewBytes: 1000, conversionBytes: 5000 } };

test('a body above the limit is refused before it is read when its length is declared', async () => {
  const { send } = await start(big);
  const answered = await send({ body: Buffer.alloc(1001) });
  expect(answered.status).toBe(413);
  expect(answered.json).toMatchObject({ reason: 'RequestEntityTooLarge', code: 413 });
  expect((await send({ path: '/convert', body: Buffer.alloc(1001) })).status).toBe(400);
});

test('a body above the limit is refused as it comes when its length is not declared', async () => {
  const { send, app } = await start(big);
  const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
  expect((await send({ headers, body: Buffer.alloc(3000) })).status).toBe(413);
  await app.idle();
  expect(app.requestsInFlight()).toBe(0);
});

test('a client that leaves in the middle of its request leaves nothing behind', async () => {
  const { app, port } = await start();
  const socket = connect(port, '127.0.0.1');
  socket.write(
    'POST /mutate/gateway HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
  );
  while (app.requestsInFlight() === 0) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  await app.idle();
  expect(app.requestsInFlight()).toBe(0);
});

test('more requests at once than allowed are told to come again', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { send, app } = await start({
    limits: { requestsInFlight: 1 },
    handle: () => held.then(() => allow()),
  });
  const first = send({ body: review() });
  while (app.requestsInFlight() === 0) await new Promise((resolve) => setImmediate(resolve));
  const second = await send({ body: review() });
  expect(second.status).toBe(429);
  expect(second.headers['retry-after']).toBe('1');
  release();
  expect((await first).status).toBe(200);
  expect((await send({ body: review() })).status).toBe(200);
});

test('more bytes at once than allowed are told to come again, but one request alone always fits', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { send, app } = await start({ limits: { bytesInFlight: 100 }, handle: () => held.then(() => allow()) });
  const first = send({ body: review() });
  while (app.requestsInFlight() === 0) await new Promise((resolve) => setImmediate(resolve));
  expect((await send({ body: review() })).status).toBe(429);
  release();
  expect((await first).status).toBe(200);
});

test('one line is logged for each admission, with the fields that a search needs', async () => {
  const { send, lines } = await start({
    handle: () => deny('no', { warnings: ['w'], about: { rollout: 'shop/web', step: 2 } }),
  });
  await send({ body: review({ dryRun: true, subResource: 'status' }) });
  const { time, level, ms, ...line } = lines[0] ?? {};
  expect([typeof time, level, typeof ms]).toEqual(['number', 30, 'number']);
  expect(line).toEqual({
    uid: request.uid,
    path: '/mutate/gateway',
    kind: 'VirtualService',
    namespace: 'shop',
    name: 'web',
    user: 'jane',
    operation: 'UPDATE',
    subresource: 'status',
    dryRun: true,
    verdict: 'denied',
    rollout: 'shop/web',
    step: 2,
    reason: 'no',
    warnings: ['w'],
    msg: 'admission',
  });
  expect(lines).toHaveLength(1);
});

test.each([
  ['info', 'VirtualService', false],
  ['trace', 'VirtualService', true],
  ['trace', 'Secret', false],
] as const)('whole objects are logged at trace only, and Secrets never: %s, %s', async (level, kind, logged) => {
  const { send, lines } = await start({ level });
  await send({ body: review({ kind: { ...request.kind, kind }, object: { data: { token: 'hunter2' } } }) });
  expect(JSON.stringify(lines).includes('hunter2')).toBe(logged);
});

test('the body is never quoted in an error, neither to the sender nor in the log', async () => {
  const { send, lines } = await start({ level: 'trace' });
  const { text } = await send({ body: '{"password":"hunter2"' });
  expect(text + JSON.stringify(lines)).not.toContain('hunter2');
});

test('conversions are answered with the uid, and nothing that a number says is lost', async () => {
  const { send } = await start();
  const body = `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"u","desiredAPIVersion":"rollouts.kruise.io/v1beta1","objects":[{"n":12345678901234567890}]}}`;
  const { text } = await send({ path: '/convert', body });
  expect(text).toBe(
    '{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","response":{"uid":"u","result":{"status":"Success"},"convertedObjects":[{"n":12345678901234567890}]}}',
  );
});

test.each([
  ['a list that is none', { uid: 'u', desiredAPIVersion: 'x', objects: {} }, 200],
  ['no desired version', { uid: 'u', objects: [] }, 200],
  ['no uid', { desiredAPIVersion: 'x', objects: [] }, 400],
  ['no request', undefined, 400],
])('a malformed conversion is answered: %s', async (_what, asked, status) => {
  const { send } = await start();
  const kind = { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' };
  const answered = await send({ path: '/convert', body: JSON.stringify({ ...kind, request: asked }) });
  expect(answered.status).toBe(status);
  if (status === 200) expect(at(answered.json, ['response', 'result', 'status'])).toBe('Failure');
});

test('an error of our own in a conversion is answered with the uid and logged once', async () => {
  const { send, lines } = await start({
    convert: () => {
      throw new Error('secret detail');
    },
  });
  const request = { uid: 'u', desiredAPIVersion: 'x', objects: [] };
  const body = JSON.stringify({ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', request });
  const { json, text } = await send({ path: '/convert', body });
  expect(at(json, ['response', 'uid'])).toBe('u');
  expect(at(json, ['response', 'result', 'status'])).toBe('Failure');
  expect(text).not.toContain('secret detail');
  expect(lines.filter((line) => JSON.stringify(line).includes('secret detail'))).toHaveLength(1);
});

test('health and readiness are told on both ports', async () => {
  let reason: string | undefined = 'reading Rollouts';
  const { send, sendPlain, app } = await start({ notReady: () => reason });
  for (const ask of [send, sendPlain]) {
    const get = async (path: string) => {
      const { status, text } = await ask({ method: 'GET', path });
      return [status, text];
    };
    reason = 'reading Rollouts';
    expect([await get('/healthz'), await get('/readyz')]).toEqual([
      [200, 'ok'],
      [503, 'reading Rollouts'],
    ]);
    reason = undefined;
    expect(await get('/readyz')).toEqual([200, 'ok']);
  }
  app.drain();
  const { status, text } = await sendPlain({ method: 'GET', path: '/readyz' });
  expect([status, text]).toEqual([503, 'shutting down']);
});

test('a leader sees which paths a webhook serves, and which version of the rewrite', async () => {
  const { send } = await start();
  const { status, json } = await send({ method: 'GET', path: '/routes' });
  expect([status, json]).toEqual([200, { paths: ['/mutate/gateway', '/convert'], format: 7 }]);
});

test('reviews are not answered on the plain port', async () => {
  const { sendPlain } = await start();
  expect((await sendPlain({ body: review() })).status).toBe(404);
});

test('metrics count reviews by path, operation and verdict, problems, script failures, and tell the certificate', async () => {
  const { send, sendPlain } = await start({
    handle: () => deny('no', { about: { failedScript: 'networking.istio.io/VirtualService' } }),
  });
  await send({ body: review() });
  await send({ body: 'no' });
  const { headers, text } = await sendPlain({ method: 'GET', path: '/metrics' });
  expect(headers['content-type']).toContain('text/plain');
  for (const line of [
    'sluice_admission_requests_total{path="/mutate/gateway",operation="UPDATE",verdict="denied"} 1',
    'sluice_admission_duration_seconds_count{path="/mutate/gateway"} 1',
    'sluice_http_problems_total{problem="malformed"} 1',
    'sluice_script_failures_total{script="networking.istio.io/VirtualService"} 1',
    `sluice_certificate_expiry_timestamp_seconds ${Date.UTC(2027, 0) / 1000}`,
    'sluice_requests_in_flight 0',
  ]) {
    expect(text).toContain(`${line}\n`);
  }
  expect(text).toContain('nodejs_eventloop_lag_seconds');
});
