import { Agent, request as send } from 'node:https';
import { applyPatch, type Operation } from 'rfc6902';
import { ANNOTATIONS } from '../../api/names.ts';
import { parseJson } from '../../json/text.ts';
import { at, isList, isMap, type Json, type JsonMap, stringAt } from '../../json/value.ts';
import { threeWay } from './three-way.ts';

/** Who writes: name and groups as an API server authenticates them. */
export type User = { readonly name: string; readonly fieldManager: string };

export const ALICE: User = { name: 'alice', fieldManager: 'kubectl-client-side-apply' };
export const BOB: User = { name: 'bob', fieldManager: 'kubectl-edit' };

/** What came of a write. */
export type Written = { readonly object: JsonMap; readonly warnings: readonly string[] };

/** The webhook denied a write. */
export class Denied extends Error {}

/**
 * The part of an API server that talks to webhooks: it keeps objects, asks about each write over HTTPS, applies the
 * patch that comes back (RFC 6902), asks a second time as after a reinvocation, and only then stores.
 */
export class DemoApiServer {
  readonly #agent: Agent;
  readonly #port: number;
  readonly #objects = new Map<string, JsonMap>();
  #reviews = 0;

  /** @param ca PEM of the authority that signed the webhook's certificate. */
  constructor(port: number, ca: string) {
    this.#port = port;
    this.#agent = new Agent({ ca, keepAlive: true, servername: 'localhost' });
  }

  /** How many reviews were sent. */
  get reviews(): number {
    return this.#reviews;
  }

  get(kind: string, name: string): JsonMap {
    const object = this.#objects.get(`${kind}/${name}`);
    if (object === undefined) throw new Error(`${kind} ${name} does not exist`);
    return object;
  }

  /** Stores an object without asking anybody: it was there before Sluice. */
  seed(object: JsonMap): void {
    this.#objects.set(keyOf(object), object);
  }

  /** `kubectl create` of a Rollout: it is validated, and converted to the version that is stored. */
  async createRollout(rollout: JsonMap, storageVersion: string, user: User): Promise<Written> {
    const answer = await this.#review('/validate/rollout', this.#admission('CREATE', rollout, undefined, user));
    const body = { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' };
    const request = { uid: this.#uid(), desiredAPIVersion: storageVersion, objects: [rollout] };
    const converted = await this.#post('/convert', { ...body, request });
    const [object] = listAt(converted, 'response', 'convertedObjects');
    if (!isMap(object)) throw new Error(`the Rollout was not converted: ${JSON.stringify(converted)}`);
    this.seed(object);
    return { object, warnings: answer.warnings };
  }

  /** `kubectl apply -f`: the source's changes on top of what is stored, with kubectl's record in an annotation. */
  apply(source: JsonMap, user: User): Promise<Written> {
    const annotated = withAnnotation(source, ANNOTATIONS.lastApplied, JSON.stringify(source));
    const live = this.get(stringAt(source, 'kind') ?? '', stringAt(source, 'metadata', 'name') ?? '');
    const last = parseJson(stringAt(live, 'metadata', 'annotations', ANNOTATIONS.lastApplied) ?? '{}');
    return this.#update(threeWay(last, annotated, live) as JsonMap, live, user);
  }

  /** Any change of the object as it is stored. */
  change(kind: string, name: string, user: User, change: (live: JsonMap) => JsonMap): Promise<Written> {
    const live = this.get(kind, name);
    return this.#update(change(live), live, user);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #update(incoming: JsonMap, live: JsonMap, user: User): Promise<Written> {
    const first = await this.#admit(incoming, live, user);
    // Another webhook may have changed the object after ours; then ours is asked again, with its own answer.
    const second = await this.#admit(first.object, live, user);
    if (JSON.stringify(second.object) !== JSON.stringify(first.object)) {
      throw new Error('asked about its own answer, the webhook gives another one');
    }
    this.#objects.set(keyOf(first.object), first.object);
    return first;
  }

  async #admit(incoming: JsonMap, live: JsonMap, user: User): Promise<Written> {
    const { patch, warnings } = await this.#review('/mutate/gateway', this.#admission('UPDATE', incoming, live, user));
    const object = parseJson(JSON.stringify(incoming)) as JsonMap;
    const failures = applyPatch(object, patch).filter((failure) => failure !== null);
    if (failures.length > 0) throw new Error(`the patch does not apply: ${failures.join(', ')}`);
    return { object, warnings };
  }

  #admission(operation: string, object: JsonMap, oldObject: JsonMap | undefined, user: User): JsonMap {
    const [group = '', version = ''] = (stringAt(object, 'apiVersion') ?? '').split('/');
    const kind = { group, version, kind: stringAt(object, 'kind') ?? '' };
    const resource = { group, version, resource: `${kind.kind.toLowerCase()}s` };
    return {
      uid: this.#uid(),
      kind,
      resource,
      requestKind: kind,
      requestResource: resource,
      name: stringAt(object, 'metadata', 'name') ?? '',
      namespace: 'default',
      operation,
      userInfo: { username: user.name, groups: ['system:authenticated'] },
      object,
      oldObject: oldObject ?? null,
      dryRun: false,
      options: {
        kind: `${operation === 'CREATE' ? 'Create' : 'Update'}Options`,
        apiVersion: 'meta.k8s.io/v1',
        fieldManager: user.fieldManager,
      },
    };
  }

  async #review(path: string, request: JsonMap): Promise<{ patch: Operation[]; warnings: string[] }> {
    const answer = await this.#post(path, { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request });
    if (at(answer, ['response', 'uid']) !== request['uid']) throw new Error('the answer is to another review');
    if (at(answer, ['response', 'allowed']) !== true) {
      throw new Denied(stringAt(answer, 'response', 'status', 'message') ?? 'denied without a reason');
    }
    const patch = stringAt(answer, 'response', 'patch');
    return {
      patch: patch === undefined ? [] : (JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) as Operation[]),
      warnings: listAt(answer, 'response', 'warnings').map(String),
    };
  }

  #uid(): string {
    this.#reviews += 1;
    return `demo-${this.#reviews}`;
  }

  #post(path: string, body: Json): Promise<Json> {
    return new Promise((resolve, reject) => {
      const options = {
        agent: this.#agent,
        host: '127.0.0.1',
        port: this.#port,
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      };
      const request = send(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode === 200) resolve(parseJson(text));
          else reject(new Error(`${path} answers ${response.statusCode}: ${text}`));
        });
      });
      request.on('error', reject);
      request.end(JSON.stringify(body));
    });
  }
}

/** The object with the annotation set, or taken out. */
export function withAnnotation(object: JsonMap, key: string, text: string | undefined): JsonMap {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  const { [key]: _, ...others } = isMap(metadata['annotations']) ? metadata['annotations'] : {};
  const annotations: JsonMap = text === undefined ? others : { ...others, [key]: text };
  return { ...object, metadata: { ...metadata, annotations } };
}

function keyOf(object: JsonMap): string {
  return `${stringAt(object, 'kind')}/${stringAt(object, 'metadata', 'name')}`;
}

function listAt(value: Json, ...path: string[]): readonly Json[] {
  const found = at(value, path);
  return isList(found) ? found : [];
}
