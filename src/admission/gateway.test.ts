import { gzipSync } from 'node:zlib';
import { applyPatch, type Operation } from 'rfc6902';
import { expect, test } from 'vitest';
import { ANNOTATIONS } from '../api/names.ts';
import { type Judged, judge as judgeWrite } from '../isolate/decide.ts';
import { parseJson } from '../json/text.ts';
import { at, type Json, type JsonMap } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { makeScript, type Script, ScriptError } from '../lua/script.ts';
import type { Write } from '../rewrite/decide.ts';
import { type Directive, directiveKey, encodeDirective, FORMAT } from '../rewrite/directive.ts';
import { createRewriter } from '../rewrite/rewriter.ts';
import type { Answer } from './answer.ts';
import { type GatewayOptions, gatewayHandler } from './gateway.ts';
import { fixedInventory, Unavailable } from './inventory.ts';
import type { AdmissionRequest } from './request.ts';

const CONTROLLER = 'system:serviceaccount:sluice-system:sluice-controller';
const ORIGINAL = 'rollouts.kruise.io/original-spec-configuration';
const library = loadLibrary();
const shipped = library.scripts.get('networking.istio.io/VirtualService');
if (shipped === undefined) throw new Error('the VirtualService script is missing');
const ofUser = makeScript(
  'configmap/VirtualService',
  'obj.data.spec.touched = obj.canaryWeight return obj.data',
  new Map(),
);

function directiveWith(script: Script, weight: number): Directive {
  return {
    format: FORMAT,
    rollout: { namespace: 'shop', name: 'web', uid: 'a-uid' },
    revision: 'r1',
    step: 2,
    continues: false,
    action: {
      type: 'gateway',
      contract: 'custom',
      script: { name: script.name, hash: script.hash },
      routes: [{ stableService: 'web', canaryService: 'web-canary' }],
      weight,
    },
  };
}

const KEY = directiveKey('web');

function virtualService(annotations: JsonMap = {}, padding = ''): JsonMap {
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { name: 'web', namespace: 'shop', annotations },
    spec: {
      hosts: ['web', ...(padding === '' ? [] : [padding])],
      http: [{ route: [{ destination: { host: 'web' } }] }],
    },
  };
}

function request(changes: Partial<AdmissionRequest>): AdmissionRequest {
  return {
    uid: 'u',
    operation: 'UPDATE',
    kind: { group: 'networking.istio.io', version: 'v1beta1', kind: 'VirtualService' },
    resource: { group: 'networking.istio.io', version: 'v1beta1', resource: 'virtualservices' },
    subresource: '',
    name: 'web',
    namespace: 'shop',
    dryRun: false,
    user: { name: CONTROLLER, groups: [] },
    fieldManager: 'test',
    object: virtualService(),
    oldObject: virtualService(),
    bytes: 1000,
    receivedAt: 0,
    ...changes,
  };
}

/** Judges through the whole handler; `isolated` counts what it sent to be judged elsewhere. */
async function judge(asked: AdmissionRequest, given: Partial<GatewayOptions> = {}) {
  const isolated: { write: Write; scripts: readonly Script[] }[] = [];
  const handle = gatewayHandler({
    library,
    inventory: fixedInventory([ofUser], []),
    controllerUser: CONTROLLER,
    decideIsolated: (write, scripts) => {
      isolated.push({ write, scripts });
      const found = new Map(scripts.map((script) => [script.hash, script]));
      return Promise.resolve(
        judgeWrite(
          write,
          createRewriter((hash) => found.get(hash)),
        ),
      );
    },
    ...given,
  });
  return { answer: await handle(asked), isolated };
}

/** The object after the answer's patch, applied as an API server would. */
function patched(object: JsonMap, answer: Answer): JsonMap {
  if (answer.verdict !== 'patched') throw new Error(`not patched: ${JSON.stringify(answer)}`);
  const result = structuredClone(object);
  const problems = applyPatch(result, [...answer.operations] as Operation[]); // the library's type has no readonly
  expect(problems.filter((problem) => problem !== null)).toEqual([]);
  return result;
}

const withDirective = virtualService({ [KEY]: encodeDirective(directiveWith(shipped, 20)) });
const weights = (object: Json) => [0, 1].map((i) => at(object, ['spec', 'http', 0, 'route', i, 'weight']));

test('a directive of the controller becomes fields, and the original is kept', async () => {
  const { answer, isolated } = await judge(request({ object: withDirective }));
  const result = patched(withDirective, answer);
  expect(weights(result)).toEqual([80, 20]);
  const original = at(result, ['metadata', 'annotations', ORIGINAL]);
  expect(at(parseJson(String(original)), ['spec'])).toEqual(virtualService()['spec']);
  expect(answer.about).toEqual({ rollout: 'shop/web', step: 2 });
  expect(isolated).toEqual([]);
});

test('the rewritten object, written again by anyone, is let through as it is', async () => {
  const { answer } = await judge(request({ object: withDirective }));
  const live = patched(withDirective, answer);
  const again = await judge(request({ object: live, oldObject: live, user: { name: 'jane', groups: [] } }));
  expect(again.answer).toMatchObject({ verdict: 'allowed', warnings: [] });
});

test('a directive by anyone but the controller does nothing but a warning', async () => {
  const { answer } = await judge(request({ object: withDirective, user: { name: 'mallory', groups: [] } }));
  expect(answer.warnings).not.toEqual([]);
  expect(JSON.stringify(answer)).not.toContain('web-canary');
});

test.each<[string, Partial<AdmissionRequest>]>([
  ['an object of an unknown kind', { object: { kind: 'Odd', spec: [1] }, oldObject: { kind: 'Odd', spec: [2] } }],
  ['an object without metadata', { object: { spec: {} }, oldObject: { metadata: null } }],
  ['an object that takes part in no release', {}],
  ['a creation', { operation: 'CREATE', oldObject: undefined }],
  ['a deletion', { operation: 'DELETE', object: undefined, oldObject: withDirective }],
  ['a connection', { operation: 'CONNECT' }],
  ['a subresource', { subresource: 'scale', object: withDirective }],
])('%s is allowed, untouched', async (_what, changes) => {
  const { answer, isolated } = await judge(request(changes));
  expect(answer).toEqual({ verdict: 'allowed', warnings: [], audit: {}, about: answer.about });
  expect(isolated).toEqual([]);
});

test.each([
  ['that is not JSON', 'no json', 'JSON'],
  ['of another format', '{"format":99}', 'format'],
  [
    'without an action',
    '{"format":1,"rollout":{"namespace":"a","name":"b","uid":"c"},"revision":"","step":1}',
    'action',
  ],
])('a directive %s is refused with the name of its annotation', async (_what, text, reason) => {
  const { answer } = await judge(request({ object: virtualService({ [KEY]: text }) }));
  expect(answer.verdict).toBe('denied');
  expect('message' in answer && answer.message).toContain(KEY);
  expect('message' in answer && answer.message).toContain(reason);
  expect(answer.about).toEqual({ rollout: KEY });
});

test.each([
  ['that is not JSON', '{"spec":{"hosts":["w'],
  ['that was cut off', 'gzip:H4sIAAAAAAAAA6tWKi5I'],
  ['that is a list', '[]'],
])('an original %s is refused with its name and a way out, and the spec stays', async (_what, text) => {
  const live = virtualService({ [KEY]: encodeDirective(directiveWith(shipped, 20)), [ORIGINAL]: text });
  const next = {
    ...live,
    metadata: {
      ...(virtualService()['metadata'] as JsonMap),
      annotations: { [KEY]: encodeDirective(directiveWith(shipped, 40)), [ORIGINAL]: text },
    },
  };
  const { answer } = await judge(request({ object: next, oldObject: live }));
  expect(answer.verdict).toBe('denied');
  expect('message' in answer && answer.message).toContain(ORIGINAL);
});

test("a user's script runs where it can be stopped, with the scripts that it needs", async () => {
  const object = virtualService({ [KEY]: encodeDirective(directiveWith(ofUser, 30)) });
  const { answer, isolated } = await judge(request({ object }));
  expect(isolated.map(({ scripts }) => scripts)).toEqual([[ofUser]]);
  expect(at(patched(object, answer), ['spec', 'touched'])).toBe(30);
});

test.each([
  ['CREATE', 64 * 1024, 0],
  ['CREATE', 64 * 1024 + 1, 1],
  ['UPDATE', 128 * 1024, 0],
  ['UPDATE', 128 * 1024 + 1, 1],
] as const)('large objects are judged elsewhere: a review of %s with %d bytes', async (operation, bytes, elsewhere) => {
  const oldObject = operation === 'CREATE' ? undefined : virtualService();
  const { isolated } = await judge(request({ operation, oldObject, object: withDirective, bytes }));
  expect(isolated).toHaveLength(elsewhere);
});

test("what needs no script never waits for one: a finalizer on an object that a user's script has rewritten", async () => {
  const object = virtualService({ [KEY]: encodeDirective(directiveWith(ofUser, 30)) });
  const live = patched(object, (await judge(request({ object }))).answer);
  const next = { ...live, metadata: { ...(live['metadata'] as JsonMap), finalizers: ['a/b'] } };
  const asked = request({ object: next, oldObject: live, user: { name: 'jane', groups: [] }, bytes: 1024 * 1024 });
  const { answer, isolated } = await judge(asked);
  expect(answer.verdict).toBe('allowed');
  expect(isolated).toEqual([]);
});

test('a compressed original is unfolded where it can be stopped: a few bytes may be megabytes', async () => {
  const original = `gzip:${gzipSync(JSON.stringify({ spec: { hosts: Array(100_000).fill('web') } })).toString('base64')}`;
  const live = virtualService({ [KEY]: encodeDirective(directiveWith(shipped, 20)), [ANNOTATIONS.original]: original });
  const object = { ...live, spec: { hosts: ['other'] } };
  const { isolated } = await judge(request({ object, oldObject: live, user: { name: 'bob', groups: [] } }));
  expect(isolated).toHaveLength(1);
});

test('a script that cannot be had for the moment is a reason to try again, never to let the write through', async () => {
  const object = virtualService({ [KEY]: encodeDirective(directiveWith(ofUser, 30)) });
  const inventory = {
    ...fixedInventory([], []),
    script: () => Promise.reject(new Unavailable('scripts are still being read', 3)),
  };
  const { answer } = await judge(request({ object }), { inventory });
  expect(answer).toMatchObject({
    verdict: 'failed',
    message: 'scripts are still being read',
    retryAfterSeconds: 3,
    about: { rollout: 'shop/web', step: 2 },
  });
});

test('a script that is stored nowhere refuses the directive that names it, but not its removal', async () => {
  const gone = makeScript('gone', 'return obj.data', new Map());
  const object = virtualService({ [KEY]: encodeDirective(directiveWith(gone, 30)) });
  const { answer } = await judge(request({ object }));
  expect(answer.verdict).toBe('denied');
  expect('message' in answer && answer.message).toContain(gone.hash);
  const original = JSON.stringify({ spec: virtualService()['spec'], apiVersion: 'networking.istio.io/v1beta1' });
  const live = virtualService({ [KEY]: encodeDirective(directiveWith(gone, 30)), [ORIGINAL]: original });
  const removal = await judge(request({ object: virtualService({ [ORIGINAL]: original }), oldObject: live }));
  expect(removal.answer.verdict).toBe('patched');
});

test('a script that was stopped from outside is refused with its name', async () => {
  const object = virtualService({ [KEY]: encodeDirective(directiveWith(ofUser, 30)) });
  const stopped = new ScriptError(ofUser.name, 7, 'time', `${ofUser.name}:7: stopped after 1000 ms`);
  const { answer } = await judge(request({ object }), { decideIsolated: () => Promise.reject<Judged>(stopped) });
  expect(answer).toMatchObject({
    verdict: 'denied',
    message: stopped.message,
    about: { failedScript: ofUser.name, rollout: 'shop/web' },
  });
});

test('a shipped script that fails is named, for the metrics too', async () => {
  const broken: Script = { ...shipped, text: 'error("no way")' };
  const { answer } = await judge(request({ object: withDirective }), {
    library: { scripts: new Map([[broken.name, broken]]), modules: new Map() },
  });
  expect(answer.verdict).toBe('denied');
  expect('message' in answer && answer.message).toMatch(/VirtualService:1: .*no way/);
  expect('message' in answer && answer.message).toContain('shop/web');
  expect(answer.about).toEqual({ rollout: 'shop/web', step: 2, failedScript: shipped.name });
});

test('an error of our own is not taken for an answer', async () => {
  const object = virtualService({ [KEY]: encodeDirective(directiveWith(ofUser, 30)) });
  const failing = { decideIsolated: () => Promise.reject<Judged>(new TypeError('bug')) };
  await expect(judge(request({ object }), failing)).rejects.toThrow('bug');
});
