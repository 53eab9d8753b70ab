import { expect, test } from 'vitest';
import { at, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { ApiError } from '../kube/api-error.ts';
import type { Operation } from '../rewrite/operations.ts';
import { type Api, FIELD_MANAGER, TryAgain } from './api.ts';
import { mergePatch, VIRTUAL_SERVICE } from './cluster.testing.ts';
import { disown, ownersAfter, throughWebhook, writeDirectly } from './direct-write.ts';

const DIRECTIVE = 'f:directive.sluice.dev/web';
const ORIGINAL = 'f:rollouts.kruise.io/original-spec-configuration';
const annotated = (...keys: string[]): JsonMap => ({
  'f:metadata': { 'f:annotations': Object.fromEntries(keys.map((key) => [key, {}])) },
});
const entry = (manager: string, fieldsV1: JsonMap, more: JsonMap = {}): JsonMap => ({
  ...{ manager, operation: 'Update', apiVersion: 'networking.istio.io/v1beta1', fieldsType: 'FieldsV1', fieldsV1 },
  ...more,
});
const ours = (fields: JsonMap) => entry(FIELD_MANAGER, fields);
const SPEC: JsonMap = { 'f:spec': { 'f:hosts': {}, 'f:http': {} } };
const alice = entry('alice', SPEC, { operation: 'Apply' });
const status = (conditions: JsonMap) => entry('istiod', { 'f:status': conditions }, { subresource: 'status' });

test.each<[string, { before: Json[]; written: Json[]; now?: Json[]; after: Json[] }]>([
  [
    'who lost fields to us has them again, and ours name our directive alone',
    {
      before: [alice],
      written: [
        entry('alice', { 'f:spec': { 'f:hosts': {} } }, { operation: 'Apply' }),
        ours({ ...annotated('.', DIRECTIVE, ORIGINAL), 'f:spec': { 'f:http': {} } }),
      ],
      after: [alice, ours(annotated(DIRECTIVE))],
    },
  ],
  [
    'who lost all fields to us is on the list again, and without a directive we are on it no more',
    { before: [alice, ours(annotated(DIRECTIVE))], written: [ours(SPEC)], after: [alice] },
  ],
  [
    'what others have written since is theirs',
    {
      before: [alice, status({ 'f:a': {} })],
      written: [ours(SPEC), status({ 'f:a': {} })],
      now: [ours(SPEC), status({ 'f:b': {} }), entry('bob', { 'f:spec': { 'f:gateways': {} } })],
      after: [status({ 'f:b': {} }), entry('bob', { 'f:spec': { 'f:gateways': {} } }), alice],
    },
  ],
  [
    'who has written since owns that, and what we took; what was given up since stays so',
    {
      before: [entry('alice', { 'f:spec': { 'f:hosts': {}, 'f:http': {}, 'f:tls': {} } })],
      written: [entry('alice', { 'f:spec': { 'f:hosts': {}, 'f:tls': {} } }), ours({ 'f:spec': { 'f:http': {} } })],
      now: [entry('alice', { 'f:spec': { 'f:gateways': {}, 'f:tls': {} } }), ours({ 'f:spec': { 'f:http': {} } })],
      after: [entry('alice', { 'f:spec': { 'f:gateways': {}, 'f:http': {}, 'f:tls': {} } })],
    },
  ],
  [
    'our labels and annotations stay ours',
    {
      before: [ours({ 'f:metadata': { 'f:labels': { 'f:rollouts.kruise.io/workload-type': {} } } })],
      written: [ours({ 'f:metadata': { 'f:labels': { 'f:rollouts.kruise.io/workload-type': {}, 'f:app': {} } } })],
      after: [ours({ 'f:metadata': { 'f:labels': { 'f:rollouts.kruise.io/workload-type': {} } } })],
    },
  ],
])('after a direct write %s', (_, { before, written, now = written, after }) => {
  expect(ownersAfter(before, written, now)).toEqual(after);
});

type Other = (object: JsonMap) => JsonMap;

/** A server with one object: who changes the spec takes it from everybody. Before each answer others may write. */
class Server {
  readonly sent: string[] = [];
  object: JsonMap;
  #version = 1;
  readonly #others: (Other | undefined)[];

  constructor(object: JsonMap, others: (Other | undefined)[] = []) {
    this.object = object;
    this.#others = others;
    this.store(object);
  }

  get api(): Api {
    const refused = () => Promise.reject(new Error('not asked for'));
    return {
      get: () => Promise.resolve(this.object),
      patch: async (_resource, _name, form, body) => this.#patch(form, body),
      listAll: () => {
        throw new Error('not asked for');
      },
      create: refused,
      delete: refused,
    };
  }

  store(object: JsonMap): void {
    this.object = {
      ...object,
      metadata: { ...(object['metadata'] as JsonMap), resourceVersion: `${this.#version++}` },
    };
  }

  #patch(form: string, body: Json): JsonMap {
    this.sent.push(form);
    const other = this.#others.shift();
    if (other !== undefined) this.store(other(this.object));
    const object =
      form === 'json' ? replaced(this.object, body as readonly Operation[]) : mergePatch(this.object, body);
    const version = stringAt(object, 'metadata', 'resourceVersion');
    if (version !== stringAt(this.object, 'metadata', 'resourceVersion'))
      throw new ApiError(409, 'Conflict', 'the object has been modified');
    this.store(form === 'json' ? withOwners(object as JsonMap, [ours(SPEC)]) : (object as JsonMap));
    return this.object;
  }
}

/** The operations of a direct write. */
function replaced(object: JsonMap, operations: readonly Operation[]): JsonMap {
  const valueAt = (path: string) => {
    const operation = operations.find((each) => each.path === path);
    return operation === undefined || operation.op === 'remove' ? null : operation.value;
  };
  const metadata = { resourceVersion: valueAt('/metadata/resourceVersion') };
  return mergePatch(object, { metadata, spec: valueAt('/spec') }) as JsonMap;
}

function withOwners(object: JsonMap, managedFields: Json[]): JsonMap {
  return { ...object, metadata: { ...(object['metadata'] as JsonMap), managedFields } };
}

const OBJECT: JsonMap = {
  metadata: { namespace: 'shop', name: 'web', uid: 'a', managedFields: [alice] },
  spec: { http: ['stable'] },
};
const REWRITE: readonly Operation[] = [{ op: 'replace', path: '/spec', value: { http: ['stable', 'canary'] } }];
const written = (server: Server) => writeDirectly(server.api, VIRTUAL_SERVICE, server.object, REWRITE);
const ownersIn = (object: JsonMap) => at(object, ['metadata', 'managedFields']);

test('a direct write that meets another one writes nothing', async () => {
  const server = new Server(OBJECT, [(object) => ({ ...object, spec: { http: ['other'] } })]);
  await expect(written(server)).rejects.toThrow(ApiError);
  expect(server.sent).toEqual(['json']);
  expect(server.object).toMatchObject({ spec: { http: ['other'] } });
  expect(ownersIn(server.object)).toEqual([alice]);
});

test('owners are put back also where others write the status at the same time', async () => {
  const conditions = (object: JsonMap) => ({ ...object, status: { seen: `${stringAt(object, 'status', 'seen')}+` } });
  const server = new Server(OBJECT, [undefined, conditions, conditions]);
  const stored = await written(server);
  expect(server.sent).toEqual(['json', 'merge', 'merge', 'merge']);
  expect(stored).toBe(server.object);
  expect(member(stored, 'spec')).toEqual({ http: ['stable', 'canary'] });
  expect(ownersIn(stored)).toEqual([alice]);
});

test('where others change the object itself in between its owners are put back, and nothing is said of the rest', async () => {
  const edit = (object: JsonMap) => ({ ...object, spec: { http: ['edited'] } });
  const server = new Server(OBJECT, [undefined, edit]);
  await expect(written(server)).rejects.toThrow(TryAgain);
  expect(server.object).toMatchObject({ spec: { http: ['edited'] } });
  expect(ownersIn(server.object)).toEqual([alice]);
});

test('an object that was made anew in between keeps its owners', async () => {
  const bob = entry('bob', SPEC);
  const anew = () => withOwners({ metadata: { namespace: 'shop', name: 'web', uid: 'b' }, spec: {} }, [bob]);
  const server = new Server(OBJECT, [undefined, anew]);
  await expect(written(server)).rejects.toThrow(new TryAgain('VirtualService web has been made anew'));
  expect(ownersIn(server.object)).toEqual([bob]);
});

test("what a stopped direct write left to us is nobody's; an object without such is not written", async () => {
  const stopped = withOwners(OBJECT, [ours({ ...SPEC, ...annotated('.', DIRECTIVE) }), alice]);
  const server = new Server(stopped);
  await disown(server.api, VIRTUAL_SERVICE, server.object);
  await disown(server.api, VIRTUAL_SERVICE, server.object);
  expect(server.sent).toEqual(['merge']);
  expect(ownersIn(server.object)).toEqual([ours(annotated(DIRECTIVE)), alice]);
});

const bare: JsonMap = { metadata: { name: 'web' }, spec: { a: 1 } };
const sent: JsonMap = { metadata: { name: 'web', annotations: { d: '1' } }, spec: { a: 1 } };

test.each<[string, JsonMap, JsonMap, readonly Operation[], readonly Operation[]]>([
  [
    'what was sent and what was answered',
    bare,
    sent,
    [
      { op: 'replace', path: '/spec', value: { a: 2 } },
      { op: 'replace', path: '/metadata/annotations', value: { d: '1', o: '{}' } },
    ],
    [
      { op: 'replace', path: '/spec', value: { a: 2 } },
      { op: 'add', path: '/metadata/annotations', value: { d: '1', o: '{}' } },
    ],
  ],
  [
    'what was sent and not answered',
    bare,
    sent,
    [{ op: 'add', path: '/metadata/labels', value: { l: '1' } }],
    [
      { op: 'add', path: '/metadata/labels', value: { l: '1' } },
      { op: 'add', path: '/metadata/annotations', value: { d: '1' } },
    ],
  ],
  [
    'nothing where the answer takes back what was sent',
    bare,
    sent,
    [{ op: 'remove', path: '/metadata/annotations' }],
    [],
  ],
  [
    'what goes',
    sent,
    { ...sent, metadata: { name: 'web', annotations: {} } },
    [{ op: 'remove', path: '/metadata/annotations' }],
    [{ op: 'remove', path: '/metadata/annotations' }],
  ],
])('one write holds %s', (_, before, asked, answer, operations) => {
  expect(throughWebhook(before, asked, answer)).toEqual(operations);
});
