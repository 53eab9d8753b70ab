import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type Issued, issueAuthority, issueServing, validFor } from '../tls/generate.ts';
import { type Answer, askRoutes } from './ask-routes.ts';

const NAME = 'sluice-webhook.delivery.svc';
const validity = validFor(1, new Date(Date.now() - 60_000));
let authority: Issued;
let serving: Issued;
let other: Issued;
const servers: Server[] = [];

beforeAll(async () => {
  authority = await issueAuthority(validity);
  serving = await issueServing(authority, [NAME], validity);
  other = await issueServing(authority, ['other.delivery.svc'], validity);
});

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function ask(
  body: string,
  { status = 200, pair = serving, bundle = authority.certificate } = {},
): Promise<Answer> {
  const server = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
    response.statusCode = request.url === '/routes' ? status : 404;
    response.end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return askRoutes({ id: 'a', name: 'a', address: '127.0.0.1', port }, { servername: NAME, bundle });
}

test('a webhook that is trusted tells its paths, its format and its certificate', async () => {
  expect(await ask('{"paths":["/a","/b"],"format":1}')).toEqual({
    certificate: serving.certificate.replaceAll('\r\n', '\n'),
    paths: new Set(['/a', '/b']),
    format: 1,
    problem: undefined,
  });
});

test('one whose CA nobody trusts tells nothing, but which certificate it serves is known', async () => {
  const stranger = await issueAuthority(validity);
  const answer = await ask('{"paths":["/a"]}', { bundle: stranger.certificate });
  expect(answer).toMatchObject({ paths: undefined, problem: expect.stringContaining('is not trusted') });
  expect(answer.certificate).toContain('BEGIN CERTIFICATE');
});

test('one whose certificate is for another name tells nothing', async () => {
  const answer = await ask('{"paths":["/a"]}', { pair: other });
  expect(answer).toMatchObject({ paths: undefined, problem: expect.stringContaining('is not trusted') });
});

test.each([
  ['another status', '{"paths":["/a"]}', { status: 404 }, 'GET /routes answered 404'],
  ['no JSON', 'hello', {}, 'JSON'],
  ['other JSON', '{"path":"/a"}', {}, 'GET /routes answered something else'],
  ['a long text', `{"paths":["${'a'.repeat(70_000)}"]}`, {}, 'more than 65536 bytes'],
])('an answer with %s is a problem that says so', async (_, body, given, problem) => {
  expect(await ask(body, given)).toMatchObject({ paths: undefined, problem: expect.stringContaining(problem) });
});

test('nobody at the address is a problem, too', async () => {
  const endpoint = { id: 'a', name: 'a', address: '127.0.0.1', port: 1 };
  const answer = await askRoutes(endpoint, { servername: NAME, bundle: authority.certificate });
  expect(answer).toMatchObject({
    certificate: undefined,
    paths: undefined,
    problem: expect.stringContaining('ECONNREFUSED'),
  });
});
