import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { jsonText, parseJson } from '../json/text.ts';
import { at, isList, isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { apiError, NoAnswer } from './api-error.ts';
import type { Call, Connection } from './connection.ts';
import { collectionPath, type ObjectName, objectPath, type Resource } from './resource.ts';

/** An object as the API server gives it. */
export type KubeObject = JsonMap;

/** Which objects of a kind; without a namespace those of all. */
export type Selection = {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
};

/** How objects are read in numbers. */
export type ReadOptions = {
  /** Only `metadata` of each object is asked for (`PartialObjectMetadata`). */
  readonly metadataOnly?: boolean;
  /** Reads the answer's text; `JSON.parse` is faster than the lossless default, and bends numbers beyond 2^53. */
  readonly parse?: (text: string) => Json;
  readonly signal?: AbortSignal;
};

export type PageOptions = ReadOptions & {
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly from?: string | undefined;
};

export type Page = {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** Characters of the answer's text. */
  readonly size: number;
  /** What asks for the next page; undefined on the last. */
  readonly next: string | undefined;
};

export type WriteOptions = {
  readonly fieldManager?: string;
  /** Nobody reads the answer: it is a row of a table without the object, some hundred bytes instead of all of it. */
  readonly isAnswerRead?: false;
  readonly dryRun?: boolean;
  readonly subresource?: 'status' | 'scale';
  readonly signal?: AbortSignal;
};

/**
 * `merge`: RFC 7386; `json`: RFC 6902; `strategic`: lists by key, built-in kinds only; `apply`: the body is the intent of
 * `fieldManager`, which owns its fields from then on.
 */
export type PatchForm = 'merge' | 'json' | 'strategic' | 'apply';

const CONTENT_TYPES: Readonly<Record<PatchForm, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml', // JSON is YAML
};

/** The longest that an answer is waited for; a watch has its own time. */
const ANSWER_MILLISECONDS = 30_000;

export type ClientOptions = {
  /** Called before each write, and throws to stop it: the fence of a process that may have lost its Lease. */
  readonly beforeWrite?: () => void;
};

/**
 * The API of one server, by kind. Objects are read and written without loss (`src/json`).
 * Every method throws {@link ApiError} for an answer that is no success and {@link NoAnswer} for none.
 */
export class Client {
  readonly #connection: Connection;
  readonly #beforeWrite: (() => void) | undefined;

  constructor(connection: Connection, options: ClientOptions = {}) {
    this.#connection = connection;
    this.#beforeWrite = options.beforeWrite;
  }

  get server(): string {
    return this.#connection.server;
  }

  get(resource: Resource, name: ObjectName, signal?: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: 'GET', path: objectPath(resource, name), ...given({ signal }) });
  }

  /** One page of at most `limit` (500) objects. Objects of built-in kinds carry no `kind` in it. */
  async list(resource: Resource, selection: Selection = {}, options: PageOptions = {}): Promise<Page> {
    const { limit = 500, from, metadataOnly, parse, signal } = options;
    const query = new URLSearchParams({ limit: String(limit), ...selectors(selection) });
    if (from !== undefined) query.set('continue', from);
    const path = `${collectionPath(resource, selection.namespace)}?${query}`;
    const accept = metadataOnly ? metadataAs('PartialObjectMetadataList') : 'application/json';
    let size = 0;
    const answer = await this.#object({ method: 'GET', path, accept, ...given({ signal }) }, (body) => {
      size = body.length;
      return (parse ?? parseJson)(body);
    });
    const items = answer['items'];
    const next = stringAt(answer, 'metadata', 'continue');
    return {
      items: isList(items) ? items.filter(isMap) : [],
      size,
      resourceVersion: stringAt(answer, 'metadata', 'resourceVersion') ?? '',
      next: next === '' ? undefined : next,
    };
  }

  /** All objects, in pages, one after the other. */
  async *listAll(resource: Resource, selection: Selection = {}, signal?: AbortSignal): AsyncGenerator<KubeObject> {
    let from: string | undefined;
    do {
      const page = await this.list(resource, selection, { from, ...given({ signal }) });
      yield* page.items;
      from = page.next;
    } while (from !== undefined);
  }

  /** The object is created in the namespace of its metadata. */
  create(resource: Resource, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const path = collectionPath(resource, stringAt(object, 'metadata', 'namespace'));
    return this.#write('POST', path, object, 'application/json', options);
  }

  /** Replaces the object; with a resourceVersion in its metadata only if it is still that one. */
  replace(resource: Resource, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const path = objectPath(resource, nameOf(object), options.subresource);
    return this.#write('PUT', path, object, 'application/json', options);
  }

  patch(
    resource: Resource,
    name: ObjectName,
    form: PatchForm,
    body: Json,
    options: WriteOptions & { readonly force?: boolean } = {},
  ): Promise<KubeObject> {
    const path = objectPath(resource, name, options.subresource);
    return this.#write('PATCH', path, body, CONTENT_TYPES[form], options);
  }

  /** Deletes the object, with the given preconditions only if it is still that one. */
  async delete(
    resource: Resource,
    name: ObjectName,
    preconditions: { readonly uid?: string; readonly resourceVersion?: string } = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions };
    await this.#write('DELETE', objectPath(resource, name), body, 'application/json', given({ signal }));
  }

  /** A GET of any path of the server (`/version`, `/apis`), as JSON. */
  read(path: string, signal?: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: 'GET', path, ...given({ signal }) });
  }

  /** A POST that stores nothing: a review, a token request. */
  ask(path: string, body: Json): Promise<KubeObject> {
    return this.#object({ method: 'POST', path, body: jsonText(body), contentType: 'application/json' });
  }

  /**
   * Opens a watch: `query` as in the API (`watch=true` is added). The answer's body carries one JSON text a line.
   * @throws ApiError when it is refused, `expired` among the reasons.
   */
  async openWatch(
    resource: Resource,
    selection: Selection,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
    metadataOnly = false,
  ): Promise<IncomingMessage> {
    const all = new URLSearchParams({ ...query, ...selectors(selection), watch: 'true' });
    const path = `${collectionPath(resource, selection.namespace)}?${all}`;
    const accept = metadataOnly ? metadataAs('PartialObjectMetadata') : 'application/json';
    const response = await this.#connection.send({ method: 'GET', path, accept, signal });
    if (response.statusCode === 200) return response;
    try {
      throw await failure('WATCH', path, response);
    } catch (error) {
      throw isCut(error)
        ? new NoAnswer(`WATCH ${path.split('?')[0]}: the answer was cut off`, { cause: error })
        : error;
    }
  }

  #write(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: Json,
    contentType: string,
    options: WriteOptions & { readonly force?: boolean },
  ): Promise<KubeObject> {
    this.#beforeWrite?.();
    const query = new URLSearchParams();
    if (options.dryRun) query.set('dryRun', 'All');
    if (options.fieldManager !== undefined) query.set('fieldManager', options.fieldManager);
    if (options.force) query.set('force', 'true');
    const isAnswerRead = options.isAnswerRead ?? true;
    if (!isAnswerRead) query.set('includeObject', 'None');
    const accept = isAnswerRead ? 'application/json' : metadataAs('Table');
    const whole = query.size === 0 ? path : `${path}?${query}`;
    return this.#object({ method, path: whole, body: jsonText(body), contentType, accept, ...given(options) });
  }

  async #object(call: Call, parse: (text: string) => Json = parseJson): Promise<KubeObject> {
    const limit = AbortSignal.timeout(ANSWER_MILLISECONDS);
    const signal = call.signal === undefined ? limit : AbortSignal.any([limit, call.signal]);
    const what = `${call.method} ${call.path.split('?')[0]}`;
    try {
      const response = await this.#connection.send({ ...call, signal });
      if (!isSuccess(response)) throw await failure(call.method, call.path, response);
      const answer = parse(await text(response));
      if (!isMap(answer)) throw new NoAnswer(`${what}: the answer is no object`);
      return answer;
    } catch (error) {
      if (limit.aborted) throw new NoAnswer(`${what}: no answer within ${ANSWER_MILLISECONDS / 1000} s`);
      if (isCut(error)) throw new NoAnswer(`${what}: the answer was cut off`, { cause: error });
      throw error;
    }
  }
}

/** Content negotiation of the API server: objects are cut down to their metadata, or to what kubectl prints of them. */
function metadataAs(kind: 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'Table'): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`;
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

async function failure(method: string, path: string, response: IncomingMessage): Promise<Error> {
  const retryAfter = response.headers['retry-after'];
  return apiError(`${method} ${path.split('?')[0]}`, response.statusCode ?? 0, await text(response), retryAfter);
}

/** The connection ended within the body: Node reports `aborted` as ECONNRESET, JSON that just ends as a SyntaxError. */
function isCut(error: unknown): boolean {
  return error instanceof SyntaxError || (error instanceof Error && 'code' in error && error.code === 'ECONNRESET');
}

function selectors({ labelSelector, fieldSelector }: Selection): Record<string, string> {
  return {
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

/** The name of an object as it is stored. */
export function nameOf(object: KubeObject): ObjectName {
  const namespace = stringAt(object, 'metadata', 'namespace');
  const name = stringAt(object, 'metadata', 'name') ?? '';
  return namespace === undefined ? { name } : { namespace, name };
}

/** `metadata.resourceVersion`, empty for an object that was never stored. */
export function resourceVersionOf(object: Json): string {
  return stringAt(at(object, ['metadata']), 'resourceVersion') ?? '';
}

/** The signal, where there is one: optional members may not be undefined. */
function given(options: { readonly signal?: AbortSignal | undefined }): { signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}
