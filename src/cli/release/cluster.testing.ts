import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as late } from 'node:timers/promises';
import { applyPatch } from 'rfc6902';
import { onTestFinished } from 'vitest';
import { jsonText, parseJson } from '../../json/text.ts';
import { isMap, type JsonMap, member, stringAt } from '../../json/value.ts';
import type { Call } from '../../kube/connection.ts';
import { MemoryApi } from '../../kube/memory-api.testing.ts';
import { RESOURCES, type Resource } from '../../kube/resource.ts';
import { type Called, called, folderWith } from '../called.testing.ts';

export const VIRTUAL_SERVICES: Resource = {
  group: 'networking.istio.io',
  version: 'v1beta1',
  plural: 'virtualservices',
  kind: 'VirtualService',
  namespaced: true,
};

const RESOURCE_LIST: readonly Resource[] = [...Object.values(RESOURCES), VIRTUAL_SERVICES];

/** A write as it came. */
export type Write = {
  readonly path: string;
  readonly query: string;
  readonly contentType: string;
  readonly body: unknown;
};

/**
 * The API server in memory behind a real HTTP port, with what commands ask of one beyond it: discovery, the status
 * subresource, JSON patches.
 */
export type TestCluster = {
  readonly api: MemoryApi;
  readonly writes: Write[];
  /** Every request as it came: `GET /apis/…?…`. */
  readonly requests: string[];
  put(...objects: readonly JsonMap[]): void;
  get(kind: string, name: string): JsonMap | undefined;
  remove(kind: string, name: string): void;
  /** Runs a command as a user of this cluster. */
  run(argv: readonly string[], given?: Parameters<typeof called>[1]): Promise<Called>;
  readonly kubeconfig: string;
  /** Answers carry this warning from now on. */
  warn(text: string): void;
  /** Called before each patch is carried out. */
  onPatch(listener: () => void): void;
  /** Answers come so many milliseconds late from now on. */
  delay(milliseconds: number): void;
  /** Breaks all connections. */
  cut(): void;
  /** Carries these calls out, and closes their connections without an answer. */
  dropAfter(which: (call: Call) => boolean): void;
};

export async function testCluster(...objects: readonly JsonMap[]): Promise<TestCluster> {
  const api = new MemoryApi();
  const writes: Write[] = [];
  const requests: string[] = [];
  const hooks: Hooks = { isDropped: () => false, onPatch: () => undefined, warning: undefined, delay: 0 };
  const server = await serve(api, writes, requests, hooks);
  const { port } = server.address() as AddressInfo;
  const folder = folderWith({ config: kubeconfigText(port) });
  const kubeconfig = `${folder}/config`;
  const cluster: TestCluster = {
    api,
    writes,
    requests,
    cut: () => server.closeAllConnections(),
    put: (...all) => {
      for (const object of all) api.put(resourceOf(String(object['kind'])), object);
    },
    get: (kind, name) => api.get(resourceOf(kind), { namespace: 'shop', name }),
    remove: (kind, name) => api.remove(resourceOf(kind), { namespace: 'shop', name }),
    run: (argv, given = {}) => called(argv, { ...given, env: { KUBECONFIG: kubeconfig, ...given.env } }),
    kubeconfig,
    delay: (milliseconds) => {
      hooks.delay = milliseconds;
    },
    warn: (text) => {
      hooks.warning = text;
    },
    onPatch: (listener) => {
      hooks.onPatch = listener;
    },
    dropAfter: (which) => {
      hooks.isDropped = which;
    },
  };
  cluster.put(...objects);
  return cluster;
}

/** An answer that the API server gives to whom a right is missing. */
export function forbidden(verb: string, resource: string): { status: number; body: JsonMap } {
  const message = `x is forbidden: User "alice" cannot ${verb} resource "${resource}" in API group "" in the namespace "shop"`;
  return { status: 403, body: { kind: 'Status', code: 403, reason: 'Forbidden', message } };
}

function resourceOf(kind: string): Resource {
  const found = RESOURCE_LIST.find((resource) => resource.kind === kind);
  if (found === undefined) throw new Error(`no kind ${kind}`);
  return found;
}

function kubeconfigText(port: number): string {
  return jsonText({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: {} }],
    contexts: [
      { name: 'shop', context: { cluster: 'test', user: 'test', namespace: 'shop' } },
      { name: 'bare', context: { cluster: 'test', user: 'test' } },
    ],
    'current-context': 'shop',
  });
}

type Hooks = { isDropped: (call: Call) => boolean; onPatch: () => void; warning: string | undefined; delay: number };

async function serve(api: MemoryApi, writes: Write[], requests: string[], hooks: Hooks): Promise<Server> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (hooks.delay > 0) await late(hooks.delay);
    const closed = new AbortController();
    response.on('close', () => closed.abort());
    const call: Call = {
      method: request.method as Call['method'],
      path: request.url ?? '',
      contentType: request.headers['content-type'] ?? '',
      signal: closed.signal,
      ...(body === '' ? {} : { body }),
    };
    requests.push(`${call.method} ${call.path}`);
    if (call.method !== 'GET') writes.push(writeOf(call));
    if (call.method === 'PATCH') hooks.onPatch();
    if (hooks.warning !== undefined) response.setHeader('warning', `299 - "${hooks.warning}"`);
    const other = discovery(call) ?? (await patched(api, call));
    if (other !== undefined) {
      response.writeHead(other.status, { 'content-type': 'application/json' }).end(jsonText(other.body));
      return;
    }
    const answer = await api.send(subresource(call));
    if (hooks.isDropped(call)) {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' });
    response.flushHeaders();
    answer.on('error', () => response.end()).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

function writeOf({ path, contentType = '', body = '' }: Call): Write {
  const [plain = '', query = ''] = path.split('?');
  return { path: plain, query, contentType, body: JSON.parse(body) };
}

type Answer = { readonly status: number; readonly body: JsonMap };

/** `/apis/<group>/<version>` and `/apis/<group>`. */
function discovery({ method, path }: Call): Answer | undefined {
  const [, group, version] = /^\/apis\/([^/?]+)(?:\/([^/?]+))?$/.exec(path) ?? [];
  if (method !== 'GET' || group === undefined) return undefined;
  const served = RESOURCE_LIST.filter((resource) => resource.group === group);
  const ofVersion = served.filter((resource) => version === undefined || resource.version === version);
  if (ofVersion.length === 0) return { status: 404, body: { kind: 'Status', code: 404, reason: 'NotFound' } };
  if (version === undefined)
    return { status: 200, body: { versions: served.map((each) => ({ version: each.version })) } };
  const resources = ofVersion.map(({ plural, kind, namespaced }) => ({ name: plural, kind, namespaced }));
  return { status: 200, body: { resources } };
}

/** A JSON patch; a failed `test` is answered as API servers do. */
async function patched(api: MemoryApi, call: Call): Promise<Answer | undefined> {
  if (call.contentType !== 'application/json-patch+json') return undefined;
  const [path = '', query = ''] = call.path.split('?');
  const read = await api.send({ method: 'GET', path });
  if (read.statusCode !== 200) return undefined;
  const object = structuredClone(parseJson(await text(read))) as JsonMap;
  const failed = applyPatch(object, JSON.parse(call.body ?? '[]')).find((error) => error !== null);
  if (failed !== undefined) {
    const message = 'the server rejected our request due to an error in our request';
    return { status: 422, body: { kind: 'Status', code: 422, reason: 'Invalid', message } };
  }
  if (query.includes('dryRun=All')) return { status: 200, body: object };
  const written = await api.send({ method: 'PUT', path, body: jsonText(object) });
  return { status: written.statusCode ?? 500, body: parseJson(await text(written)) as JsonMap };
}

/** A merge patch of the status subresource changes the status alone. */
function subresource(call: Call): Call {
  const [path = '', query = ''] = call.path.split('?');
  if (!path.endsWith('/status') || call.method !== 'PATCH') return call;
  const sent = parseJson(call.body ?? '{}');
  const resourceVersion = stringAt(sent, 'metadata', 'resourceVersion');
  const status = member(sent, 'status');
  const body = {
    ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }),
    ...(isMap(status) ? { status } : {}),
  };
  return { ...call, path: `${path.slice(0, -'/status'.length)}?${query}`, body: jsonText(body) };
}
