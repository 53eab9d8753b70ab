import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { jsonText, parseJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { NoAnswer } from './api-error.ts';
import { Client, type ClientOptions } from './client.ts';
import type { Call, Connection } from './connection.ts';
import { objectPath, type Resource } from './resource.ts';

/** An HTTP status, with a body or a reason. */
type Answered = { readonly status: number; readonly reason?: string; readonly body?: Json };

/**
 * An API server in memory, behind the connection of real clients: optimistic locking, merge patches, server-side apply
 * without ownership, and watches that begin with everything there is.
 */
export class MemoryApi implements Connection {
  readonly server = 'https://memory';
  /** Every call as it came: `PATCH /apis/…` without its query. */
  readonly calls: string[] = [];
  /** Asked first, for each call: something else than what this server would answer. */
  answer: (call: Call, what: string) => Answered | 'nothing' | undefined = () => undefined;
  readonly #objects = new Map<string, JsonMap>();
  readonly #watches = new Set<{ readonly path: string; readonly stream: PassThrough }>();
  #version = 100;

  client(options?: ClientOptions): Client {
    return new Client(this, options);
  }

  /** Stores an object as somebody else would. */
  put(resource: Resource, object: JsonMap): JsonMap {
    const [namespace, name = ''] = ['namespace', 'name'].map((key) => stringAt(object, 'metadata', key));
    return this.#store(objectPath(resource, namespace === undefined ? { name } : { namespace, name }), object);
  }

  get(resource: Resource, name: { namespace?: string; name: string }): JsonMap | undefined {
    return this.#objects.get(objectPath(resource, name));
  }

  remove(resource: Resource, name: { namespace?: string; name: string }): void {
    const path = objectPath(resource, name);
    const object = this.#objects.get(path);
    if (object === undefined) return;
    this.#objects.delete(path);
    this.#tell(path, 'DELETED', { ...object, metadata: { ...(object['metadata'] as JsonMap), ...this.#next() } });
  }

  /** How many watches of a kind are open. */
  watches(resource: Resource): number {
    return [...this.#watches].filter(({ path }) => path.endsWith(`/${resource.plural}`)).length;
  }

  send(call: Call): Promise<IncomingMessage> {
    const url = new URL(call.path, this.server);
    const what = `${call.method} ${url.pathname}`;
    this.calls.push(what);
    const other = this.answer(call, what);
    if (other === 'nothing') return Promise.reject(new NoAnswer(`${what}: no answer`));
    if (other !== undefined) return Promise.resolve(answered(other));
    if (url.searchParams.get('watch') === 'true') return Promise.resolve(this.#watch(url, call.signal));
    return Promise.resolve(answered(this.#act(call, url)));
  }

  close(): void {
    for (const { stream } of this.#watches) stream.end();
  }

  #act({ method, body, contentType }: Call, { pathname: path }: URL): Answered {
    const sent = body === undefined ? {} : (parseJson(body) as JsonMap);
    const before = this.#objects.get(path);
    if (method === 'POST') {
      const created = `${path}/${stringAt(sent, 'metadata', 'name')}`;
      if (this.#objects.has(created)) return { status: 409, reason: 'AlreadyExists' };
      return { status: 201, body: this.#store(created, sent) };
    }
    if (method === 'GET' && before === undefined && this.#isCollection(path)) return this.#list(path);
    const version = stringAt(sent, 'metadata', 'resourceVersion');
    if (version !== undefined && version !== (stringAt(before, 'metadata', 'resourceVersion') ?? version))
      return { status: 409, reason: 'Conflict' };
    if (method === 'PATCH' && contentType === 'application/apply-patch+yaml') {
      return { status: 200, body: this.#store(path, before === undefined ? sent : (applied(before, sent) as JsonMap)) };
    }
    if (before === undefined) return { status: 404, reason: 'NotFound' };
    if (method === 'PATCH') return { status: 200, body: this.#store(path, merged(before, sent) as JsonMap) };
    if (method === 'PUT') return { status: 200, body: this.#store(path, sent) };
    return { status: 200, body: before };
  }

  /** A path of objects ends in a name: the kinds of these tests are all plural. */
  #isCollection(path: string): boolean {
    return /^\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/[^/]+)?\/[a-z]+s(?:es)?$/.test(path);
  }

  #list(path: string): Answered {
    const items = this.#within(path).map(([, object]) => object);
    return { status: 200, body: { metadata: { resourceVersion: String(this.#version) }, items } };
  }

  #store(path: string, object: JsonMap): JsonMap {
    const before = this.#objects.get(path);
    const uid = stringAt(before, 'metadata', 'uid') ?? `uid-${this.#version + 1}`;
    const metadata = isMap(object['metadata']) ? object['metadata'] : {};
    const after = { ...object, metadata: { uid, ...metadata, ...this.#next() } };
    this.#objects.set(path, after);
    this.#tell(path, before === undefined ? 'ADDED' : 'MODIFIED', after);
    return after;
  }

  #next(): { resourceVersion: string } {
    this.#version += 1;
    return { resourceVersion: String(this.#version) };
  }

  #watch({ pathname: path, searchParams }: URL, signal: AbortSignal | undefined): IncomingMessage {
    const stream = new PassThrough();
    const watch = { path, stream };
    this.#watches.add(watch);
    stream.on('close', () => this.#watches.delete(watch));
    stream.on('error', () => undefined); // nobody may read it yet
    signal?.addEventListener('abort', () => stream.destroy(new Error('aborted')));
    if (searchParams.get('sendInitialEvents') === 'true') {
      for (const [, object] of this.#within(path)) write(stream, 'ADDED', object);
      const annotations = { 'k8s.io/initial-events-end': 'true' };
      write(stream, 'BOOKMARK', { metadata: { resourceVersion: String(this.#version), annotations } });
    }
    return asMessage(stream, 200);
  }

  #tell(path: string, type: string, object: JsonMap): void {
    for (const { stream } of [...this.#watches].filter((watch) => isWithin(watch.path, path)))
      write(stream, type, object);
  }

  #within(collection: string): [string, JsonMap][] {
    return [...this.#objects].filter(([path]) => isWithin(collection, path));
  }
}

/** `/api/v1/secrets` holds `/api/v1/namespaces/a/secrets/b`. */
function isWithin(collection: string, path: string): boolean {
  const parent = path.slice(0, path.lastIndexOf('/'));
  return parent === collection || parent.replace(/\/namespaces\/[^/]+(?=\/)/, '') === collection;
}

function write(stream: PassThrough, type: string, object: JsonMap): void {
  if (stream.writable) stream.write(`${jsonText({ type, object })}\n`);
}

function answered(answer: Answered): IncomingMessage {
  const {
    status,
    reason = '',
    body = { kind: 'Status', code: status, reason, message: `${reason} on demand` },
  } = answer;
  return asMessage(Readable.from([Buffer.from(jsonText(body))]), status);
}

/** What clients read of an answer. */
function asMessage(stream: Readable, statusCode: number): IncomingMessage {
  return Object.assign(stream, { statusCode, headers: {} }) as unknown as IncomingMessage;
}

/** RFC 7386. */
function merged(before: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const map: Record<string, Json> = { ...(isMap(before) ? before : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete map[key];
    else map[key] = merged(map[key], value);
  }
  return map;
}

/** What others wrote stays; elements of lists are told apart by their names. */
function applied(before: Json | undefined, intent: Json): Json {
  if (isList(intent) && isList(before)) {
    const nameOf = (item: Json) => member(item, 'name');
    const others = before.filter((item) => !intent.some((each) => nameOf(each) === nameOf(item)));
    return [
      ...intent.map((item) =>
        applied(
          before.find((each) => nameOf(each) === nameOf(item)),
          item,
        ),
      ),
      ...others,
    ];
  }
  if (!isMap(intent) || !isMap(before)) return intent;
  const inner = Object.entries(intent).map(([key, value]) => [key, applied(before[key], value)] as const);
  return { ...before, ...Object.fromEntries(inner) };
}
