import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../api/names.ts';
import type { JsonMap } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { makeScript } from '../lua/script.ts';
import { decide, scriptHashesOf, type Verdict, type Write } from './decide.ts';
import { type Action, encodeDirective, FORMAT } from './directive.ts';
import { encodeOriginal } from './original.ts';
import { createRewriter } from './rewriter.ts';

const split = makeScript(
  'split',
  'local s = obj.data.spec; if s.bad then error("bad: " .. s.bad) end; s.weight = obj.stableWeight; return obj.data',
  new Map(),
);
const addRule = makeScript(
  'addRule',
  'table.insert(obj.data.spec.rules, { to = obj.canaryService }); return obj.data',
  new Map(),
);
const broken = makeScript('broken', 'return "no table"', new Map());
const scripts = new Map([split, addRule, broken].map((script) => [script.hash, script]));
const rewriter = createRewriter((hash) => scripts.get(hash));

const KEY = `${DIRECTIVE_PREFIX}web`;

function directive(
  weight: number,
  script = split,
  extra: Partial<{ continues: boolean; action: Action }> = {},
): string {
  return encodeDirective({
    format: FORMAT,
    rollout: { namespace: 'shop', name: 'web', uid: 'u' },
    revision: 'r',
    step: 1,
    continues: false,
    action: {
      type: 'gateway',
      contract: 'custom',
      script: { name: script.name, hash: script.hash },
      routes: [{ stableService: 'svc', canaryService: 'svc-canary' }],
      weight,
    },
    ...extra,
  });
}

function thing(spec: JsonMap, annotations: JsonMap = {}, metadata: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'example.com/v1',
    kind: 'Thing',
    metadata: {
      name: 't',
      namespace: 'shop',
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      ...metadata,
    },
    spec,
  };
}

const ORIGINAL = encodeOriginal({ spec: { weight: 100 } }, 'example.com/v1');
const inRelease = thing({ weight: 80 }, { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL });

function metadataOf(object: JsonMap): JsonMap {
  return (object['metadata'] as JsonMap)['annotations'] as JsonMap;
}

function update(incoming: JsonMap, live: JsonMap, byController = false): Verdict {
  return decide({ operation: 'UPDATE', incoming, live, byController }, rewriter);
}

/** The values that the answer puts in place, by path. */
function written(verdict: Verdict): Record<string, unknown> {
  if (verdict.verdict !== 'rewritten') throw new Error(`not rewritten: ${JSON.stringify(verdict)}`);
  return Object.fromEntries(
    verdict.operations.map((each) => [each.path, each.op === 'remove' ? undefined : each.value]),
  );
}

describe('what takes no part passes untouched', () => {
  const cases: [string, Write][] = [
    [
      'an object without directives',
      { operation: 'UPDATE', incoming: thing({ a: 1 }), live: thing({}), byController: false },
    ],
    ['a new object without directives', { operation: 'CREATE', incoming: thing({ a: 1 }), byController: false }],
    [
      'a leftover original of another tool, which nobody knows to be true',
      {
        operation: 'UPDATE',
        incoming: thing({ a: 1 }, { [ANNOTATIONS.original]: '{"spec":{}}' }),
        live: thing({}, { [ANNOTATIONS.original]: '{"spec":{}}' }),
        byController: false,
      },
    ],
    [
      'an object that is being deleted, even with a broken original',
      {
        operation: 'UPDATE',
        incoming: thing(
          { weight: 1 },
          { [KEY]: directive(20), [ANNOTATIONS.original]: '{' },
          { deletionTimestamp: 'now' },
        ),
        live: inRelease,
        byController: false,
      },
    ],
    [
      'a write that leaves spec, labels and annotations alone, even when the script is gone',
      {
        operation: 'UPDATE',
        incoming: thing(
          { weight: 80 },
          { [KEY]: directive(20, broken), [ANNOTATIONS.original]: ORIGINAL },
          { finalizers: [] },
        ),
        live: thing({ weight: 80 }, { [KEY]: directive(20, broken), [ANNOTATIONS.original]: ORIGINAL }),
        byController: false,
      },
    ],
  ];
  test.each(cases)('%s', (_title, write) => {
    expect(decide(write, rewriter)).toEqual({ verdict: 'untouched', warnings: [] });
  });
});

test('the first directive saves the original and rewrites, in whole values', () => {
  const live = thing({ weight: 100 });
  const verdict = update(thing({ weight: 100 }, { [KEY]: directive(20) }), live, true);
  expect(verdict).toEqual({
    verdict: 'rewritten',
    warnings: [],
    operations: [
      { op: 'replace', path: '/spec', value: { weight: 80 } },
      {
        op: 'replace',
        path: '/metadata/annotations',
        value: { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL },
      },
    ],
  });
});

test('the last directive that goes brings the original back and takes its annotation away', () => {
  const verdict = update(thing({ weight: 80 }, { [ANNOTATIONS.original]: ORIGINAL }), inRelease, true);
  expect(written(verdict)).toEqual({ '/spec': { weight: 100 }, '/metadata/annotations': undefined });
});

test('an armed directive rewrites nothing and saves no original', () => {
  const armed = directive(0, split, { action: { type: 'armed', style: 'partition' } });
  const verdict = update(thing({ weight: 100 }, { [KEY]: armed }), thing({ weight: 100 }), true);
  expect(verdict).toEqual({ verdict: 'untouched', warnings: [] });
});

test.each([
  ['truncated', '{"spec":{"weight"', 'not JSON'],
  ['no object', '"text"', 'not a JSON object'],
  ['empty', '{}', 'neither spec nor labels'],
  ['labels of another shape', '{"spec":{},"labels":[]}', 'labels is not a map of strings'],
  ['truncated gzip', 'gzip:H4sIAAAAAAAA', 'not gzip'],
])(
  'a stored original that is %s denies the edit, names the annotation and the way out, and wipes nothing',
  (_what, text, reason) => {
    const live = thing({ weight: 80 }, { [KEY]: directive(20), [ANNOTATIONS.original]: text });
    const incoming = thing({ weight: 80, timeout: '5s' }, { [KEY]: directive(20), [ANNOTATIONS.original]: text });
    for (const [object, byController] of [
      [incoming, false],
      [thing({ weight: 80 }, { [ANNOTATIONS.original]: text }), true],
    ] as const) {
      const verdict = update(object, live, byController);
      expect(verdict.verdict).toBe('denied');
      expect(verdict).toMatchObject({ message: expect.stringContaining(reason) });
      expect(verdict).toMatchObject({ message: expect.stringContaining(ANNOTATIONS.original) });
      expect(verdict).toMatchObject({ message: expect.stringContaining('kubectl sluice adopt') });
    }
  },
);

test('a broken original that somebody writes over a good one is put back', () => {
  const incoming = thing({ weight: 80 }, { [KEY]: directive(20), [ANNOTATIONS.original]: '{' });
  expect(written(update(incoming, inRelease))).toEqual({
    '/metadata/annotations': { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL },
  });
});

test('while a directive is not JSON edits are kept for later, with a warning, until the controller mends it', () => {
  const live = thing({ weight: 80 }, { [KEY]: 'not JSON', [ANNOTATIONS.original]: ORIGINAL });
  const edit = thing({ weight: 80, timeout: '5s' }, { [KEY]: 'not JSON', [ANNOTATIONS.original]: ORIGINAL });
  const verdict = update(edit, live);
  expect(verdict).toMatchObject({
    warnings: [expect.stringContaining(`annotation ${KEY} is not a directive`)],
  });
  const kept = encodeOriginal({ spec: { weight: 100, timeout: '5s' } }, 'example.com/v1');
  expect(written(verdict)).toMatchObject({
    '/spec': { weight: 80 },
    '/metadata/annotations': { [ANNOTATIONS.original]: kept },
  });
  const mended = thing({ weight: 80 }, { [KEY]: directive(30), [ANNOTATIONS.original]: ORIGINAL });
  expect(written(update(mended, live, true))['/spec']).toEqual({ weight: 70 });
});

test('a script that fails denies the write that caused it, with script, line, Rollout and step', () => {
  const byEdit = update(
    thing({ weight: 80, bad: 'x' }, { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL }),
    inRelease,
  );
  expect(byEdit).toEqual({ verdict: 'denied', message: 'Rollout shop/web, step 1: split:1: bad: x' });
  const byDirective = update(thing({ weight: 100 }, { [KEY]: directive(20, broken) }), thing({ weight: 100 }), true);
  expect(byDirective).toMatchObject({ verdict: 'denied', message: expect.stringContaining('broken') });
});

test('taking a directive away never fails: another one whose script fails is left out with a warning', () => {
  const other = `${DIRECTIVE_PREFIX}zz`;
  const annotations = { [KEY]: directive(20), [other]: directive(20, broken), [ANNOTATIONS.original]: ORIGINAL };
  const live = thing({ weight: 80 }, annotations);
  const { [KEY]: _, ...rest } = annotations;
  const verdict = update(thing({ weight: 80 }, rest), live, true);
  expect(written(verdict)['/spec']).toEqual({ weight: 100 });
  expect(verdict).toMatchObject({ warnings: [expect.stringContaining('left out')] });
});

test('a directive without its original rewrites nothing, and an original is never captured from a rewritten object', () => {
  const live = thing({ weight: 80 }, { [KEY]: directive(20) });
  const edit = update(thing({ weight: 80, timeout: '5s' }, { [KEY]: directive(20) }), live);
  expect(edit).toMatchObject({ verdict: 'untouched', warnings: [expect.stringContaining('kubectl sluice adopt')] });
  const next = directive(50, split, { continues: true });
  const stripped = update(thing({ weight: 80 }, { [KEY]: next }), thing({ weight: 80 }), true);
  expect(stripped).toMatchObject({ verdict: 'untouched', warnings: [expect.stringContaining('kubectl sluice adopt')] });
});

test('the controller does not rewrite over the original of another tool', () => {
  const live = thing({ weight: 100 }, { [ANNOTATIONS.original]: '{"spec":{}}' });
  const verdict = update(
    thing({ weight: 100 }, { [KEY]: directive(20), [ANNOTATIONS.original]: '{"spec":{}}' }),
    live,
    true,
  );
  expect(verdict).toMatchObject({ verdict: 'denied', message: expect.stringContaining('kubectl sluice adopt') });
});

test('an original written in another API version is refused, with the way to recover', () => {
  const live = { ...inRelease, apiVersion: 'example.com/v2' };
  const incoming = thing({ weight: 80, a: 1 }, { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL });
  expect(update({ ...incoming, apiVersion: 'example.com/v2' }, live)).toMatchObject({
    verdict: 'denied',
    message: expect.stringContaining('write the object as example.com/v1'),
  });
});

test('an object whose original does not fit into its annotations is refused before anything changes', () => {
  const noise = Array.from({ length: 80_000 }, (_, i) => ((i * 2654435761) >>> 0).toString(36)).join('');
  const live = thing({ weight: 100, noise });
  expect(update(thing({ weight: 100, noise }, { [KEY]: directive(20) }), live, true)).toMatchObject({
    verdict: 'denied',
    message: expect.stringMatching(/^annotations would take \d+ bytes of the 262144/),
  });
});

test('an exported object that is created elsewhere becomes its original, with edits made since', () => {
  const exported = thing({ weight: 80, timeout: '5s' }, { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL });
  const verdict = decide({ operation: 'CREATE', incoming: exported, byController: false }, rewriter);
  expect(written(verdict)).toEqual({ '/spec': { weight: 100, timeout: '5s' }, '/metadata/annotations': undefined });
});

test('an exported object whose script is gone still becomes its original', () => {
  const gone = directive(20, makeScript('gone', 'return obj.data -- gone', new Map()));
  const exported = thing({ weight: 80 }, { [KEY]: gone, [ANNOTATIONS.original]: ORIGINAL });
  const verdict = decide({ operation: 'CREATE', incoming: exported, byController: false }, rewriter);
  expect(written(verdict)['/spec']).toEqual({ weight: 100 });
});

test('a broken original on a new object is denied: nobody can tell what was meant', () => {
  const exported = thing({ weight: 80 }, { [KEY]: directive(20), [ANNOTATIONS.original]: '{' });
  expect(decide({ operation: 'CREATE', incoming: exported, byController: false }, rewriter)).toMatchObject({
    verdict: 'denied',
  });
});

test('a weight set by hand is put back, with a warning that names the way to end the release', () => {
  const incoming = thing({ weight: 50 }, { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL });
  const verdict = update(incoming, inRelease);
  expect(written(verdict)['/spec']).toEqual({ weight: 80 });
  expect(verdict).toMatchObject({
    warnings: [expect.stringMatching(/^spec\.weight: .*`kubectl sluice abort web -n shop` ends the release$/)],
  });
});

test('bytes of an original that mean the same are kept, compressed by whomever', () => {
  const big = { spec: { weight: 100, text: 'x'.repeat(40_000) } };
  const bytes = encodeOriginal(big, 'example.com/v1');
  expect(bytes.startsWith('gzip:')).toBe(true);
  const foreignBytes = `gzip:${gzipSync(gunzipSync(Buffer.from(bytes.slice(5), 'base64')), { level: 1 }).toString('base64')}`;
  const live = thing({ ...big.spec, weight: 80 }, { [KEY]: directive(20), [ANNOTATIONS.original]: foreignBytes });
  const next = thing({ ...big.spec, weight: 80 }, { [KEY]: directive(50), [ANNOTATIONS.original]: foreignBytes });
  expect(Object.keys(written(update(next, live, true)))).toEqual(['/spec']);
});

test('the hashes of all scripts that a write may need are known before it is decided', () => {
  const incoming = thing({}, { [KEY]: directive(20, broken) });
  const hashes = scriptHashesOf({ operation: 'UPDATE', incoming, live: inRelease, byController: true });
  expect(hashes.sort()).toEqual([split.hash, broken.hash].sort());
});

describe("what is nobody's edit never becomes one", () => {
  const route = (weight: number, annotations: JsonMap = {}, metadata: JsonMap = {}) =>
    thing({ weight }, annotations, metadata);
  const own = { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL };

  test('a list of a client-side apply is the source, also where the API server filled in defaults', () => {
    const stored = [{ to: 'svc', port: 80, kind: 'Service' }];
    const annotations = {
      [KEY]: directive(20, addRule),
      [ANNOTATIONS.original]: encodeOriginal({ spec: { rules: stored } }, 'example.com/v1'),
      [ANNOTATIONS.lastApplied]: JSON.stringify({ spec: { rules: [{ to: 'svc', port: 80 }] } }),
    };
    const live = thing({ rules: [...stored, { to: 'svc-canary' }] }, annotations);
    const write = { operation: 'UPDATE', incoming: thing({ rules: stored }, annotations), live } as const;
    const verdict = decide({ ...write, byController: false, fieldManager: 'kubectl-client-side-apply' }, rewriter);
    expect([written(verdict)['/spec'], verdict.verdict === 'rewritten' && verdict.warnings]).toEqual([
      live['spec'],
      [],
    ]);
  });

  test('whoever wrote the last-applied text applies, by whatever name: its source counts though nothing in it is new', () => {
    const annotations = { ...metadataOf(inRelease), [ANNOTATIONS.lastApplied]: '{"spec":{"weight":100}}' };
    const owner = {
      manager: 'argocd-controller',
      operation: 'Update',
      fieldsV1: { 'f:metadata': { 'f:annotations': { [`f:${ANNOTATIONS.lastApplied}`]: {} } } },
    };
    const object = (weight: number) => thing({ weight }, annotations, { managedFields: [owner] });
    const by = (fieldManager: string) =>
      decide(
        { operation: 'UPDATE', incoming: object(100), live: object(80), byController: false, fieldManager },
        rewriter,
      );
    expect(by('argocd-controller')).toMatchObject({ verdict: 'rewritten', warnings: [] });
    expect(by('kubectl-edit')).toMatchObject({
      verdict: 'rewritten',
      warnings: [expect.stringContaining('spec.weight')],
    });
  });

  test('an object that was exported in a release is its original elsewhere, though the source that brings it says the view', () => {
    const placed = makeScript(
      'placed',
      'if obj.object.namespace == "shop" then obj.data.spec.weight = 80 end return obj.data',
      new Map(),
    );
    const byHash = createRewriter((hash) => (hash === placed.hash ? placed : undefined));
    const own = { [KEY]: directive(20, placed), [ANNOTATIONS.original]: ORIGINAL };
    const incoming = thing(
      { weight: 80 },
      { ...own, [ANNOTATIONS.lastApplied]: '{"spec":{"weight":80}}' },
      { namespace: 'elsewhere' },
    );
    const verdict = decide({ operation: 'CREATE', incoming, byController: false }, byHash);
    expect(written(verdict)['/spec']).toEqual({ weight: 100 });
  });

  test('a last-applied text of long ago is no evidence in another write', () => {
    const last = { [ANNOTATIONS.lastApplied]: JSON.stringify({ spec: { weight: 80 } }) };
    const live = route(80, { ...own, ...last });
    const verdict = update({ ...live, spec: { weight: 80, timeout: '5s' } }, live);
    const original = encodeOriginal({ spec: { weight: 100, timeout: '5s' } }, 'example.com/v1');
    expect(written(verdict)['/metadata/annotations']).toMatchObject({ [ANNOTATIONS.original]: original });
  });

  test('a client-side apply that says what the view shows is the new original', () => {
    const text = (weight: number) => ({ [ANNOTATIONS.lastApplied]: JSON.stringify({ spec: { weight } }) });
    const verdict = update(route(80, { ...own, ...text(80) }), route(80, { ...own, ...text(100) }));
    const original = encodeOriginal({ spec: { weight: 80 } }, 'example.com/v1');
    expect(written(verdict)['/metadata/annotations']).toMatchObject({ [ANNOTATIONS.original]: original });
  });

  test('owning a field is no evidence for a value that the rewrite put there', () => {
    const managedFields = [
      { manager: 'argo', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:weight': {} } } },
      { manager: 'other', operation: 'Update', fieldsV1: {} },
    ];
    const live = route(80, own, { managedFields });
    const write = { operation: 'UPDATE' as const, live, byController: false, fieldManager: 'argo' };
    const verdict = decide({ ...write, incoming: { ...live, spec: { weight: 80, timeout: '5s' } } }, rewriter);
    const original = encodeOriginal({ spec: { weight: 100, timeout: '5s' } }, 'example.com/v1');
    expect(written(verdict)['/metadata/annotations']).toMatchObject({ [ANNOTATIONS.original]: original });
  });
});

test('a second pass, after another webhook has changed the object behind us, blames nobody', () => {
  const manager = { manager: 'kubectl', operation: 'Update', fieldsV1: { 'f:spec': { 'f:note': {} } } };
  const annotations = { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL };
  const live = thing({ weight: 80 }, annotations, { managedFields: [manager] });
  const saved = encodeOriginal({ spec: { weight: 100, note: 'by a webhook' } }, 'example.com/v1');
  const second = (managedFields: JsonMap[]) =>
    update(
      thing({ weight: 80, note: 'by a webhook' }, { ...annotations, [ANNOTATIONS.original]: saved }, { managedFields }),
      live,
    );
  const warningsOf = (verdict: Verdict) => ('warnings' in verdict ? verdict.warnings : verdict);
  expect(warningsOf(second([manager]))).toEqual([]);
  const claim = { 'f:metadata': { 'f:annotations': { [`f:${ANNOTATIONS.original}`]: {} } } };
  expect(warningsOf(second([{ ...manager, fieldsV1: claim }]))).toEqual([expect.stringContaining('put back')]);
});

test('a rule that a client-side apply puts above the steered one is taken as it stands, and nothing of it is in doubt', () => {
  const library = loadLibrary();
  const script = library.scripts.get('networking.istio.io/VirtualService');
  if (script === undefined) throw new Error('the script is shipped');
  const ofLibrary = createRewriter((hash) => (hash === script.hash ? script : undefined));
  const rule = (name: string, host: string) => ({ name, route: [{ destination: { host } }] });
  const sourceOf = (...http: JsonMap[]): JsonMap => ({ hosts: ['web'], http });
  const object = (spec: JsonMap, source: JsonMap, annotations: JsonMap): JsonMap => ({
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: {
      ...{ namespace: 'shop', name: 'web' },
      annotations: { ...annotations, [ANNOTATIONS.lastApplied]: JSON.stringify({ spec: source }) },
      managedFields: [{ manager: 'kubectl-client-side-apply', operation: 'Update', fieldsV1: { 'f:spec': {} } }],
    },
    spec,
  });
  const before = sourceOf(rule('web', 'svc'));
  const directives = { [KEY]: directive(20, script) };
  const stored = decide(
    {
      operation: 'UPDATE',
      incoming: object(before, before, directives),
      live: object(before, before, {}),
      byController: true,
    },
    ofLibrary,
  );
  const { '/spec': spec, '/metadata/annotations': annotations } = written(stored) as Record<string, JsonMap>;
  const live = object(spec ?? {}, before, annotations ?? {});
  const after = sourceOf({ ...rule('api', 'api'), match: [{ uri: { prefix: '/api' } }] }, rule('web', 'svc'));
  const incoming = object(after, after, annotations ?? {});
  const fieldManager = 'kubectl-client-side-apply';
  const verdict = decide({ operation: 'UPDATE', incoming, live, byController: false, fieldManager }, ofLibrary);
  expect(verdict).toMatchObject({ verdict: 'rewritten', warnings: [] });
  expect(written(verdict)['/spec']).toMatchObject({
    http: [{ name: 'api' }, { name: 'web', route: [{ weight: 80 }, { weight: 20 }] }],
  });
});

test('undoing the rewrite by hand is put back, with a warning', () => {
  const verdict = update(thing({ weight: 100 }, { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL }), inRelease);
  expect(written(verdict)['/spec']).toEqual({ weight: 80 });
  expect(verdict).toMatchObject({ warnings: [expect.stringContaining('kubectl sluice abort web -n shop')] });
});

test('an edit is not denied for a script that was gone before: it is kept for later', () => {
  const gone = directive(20, makeScript('gone', 'return obj.data -- gone', new Map()));
  const live = thing({ weight: 80 }, { [KEY]: gone, [ANNOTATIONS.original]: ORIGINAL });
  const verdict = update({ ...live, spec: { weight: 80, timeout: '5s' } }, live);
  expect(verdict).toMatchObject({ verdict: 'rewritten', warnings: [expect.stringContaining('until this is mended')] });
  const original = encodeOriginal({ spec: { weight: 100, timeout: '5s' } }, 'example.com/v1');
  expect(written(verdict)).toMatchObject({
    '/spec': { weight: 80 },
    '/metadata/annotations': { [ANNOTATIONS.original]: original },
  });
});

test('an original of another version that somebody writes over a good one is put back, not denied', () => {
  const foreign = encodeOriginal({ spec: {} }, 'example.com/v9');
  const incoming = thing({ weight: 80 }, { [KEY]: directive(20), [ANNOTATIONS.original]: foreign });
  expect(written(update(incoming, inRelease))).toEqual({
    '/metadata/annotations': { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL },
  });
});

test('an object nested beyond all reason is denied in words, not by a fault', () => {
  let deep: JsonMap = { weight: 80 };
  for (let i = 0; i < 20_000; i++) deep = { weight: 80, deep };
  const verdict = update(thing(deep, { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL }), inRelease);
  expect(verdict).toMatchObject({ verdict: 'denied', message: expect.stringContaining('levels deep') });
});

test('an object that is going is left alone, whatever is sent for it', () => {
  const live = thing(
    { weight: 80 },
    { [KEY]: directive(20), [ANNOTATIONS.original]: '{' },
    { deletionTimestamp: 'now' },
  );
  expect(update(thing({ weight: 1 }), live)).toEqual({ verdict: 'untouched', warnings: [] });
});

test('a saved object that still says that it was going is unwrapped like any other', () => {
  const exported = thing(
    { weight: 80 },
    { [KEY]: directive(20), [ANNOTATIONS.original]: ORIGINAL },
    { deletionTimestamp: 'then' },
  );
  const verdict = decide({ operation: 'CREATE', incoming: exported, byController: false }, rewriter);
  expect(written(verdict)['/spec']).toEqual({ weight: 100 });
});

test('a view that comes without its original is stored as sent, with a warning', () => {
  const verdict = decide(
    { operation: 'CREATE', incoming: thing({ weight: 80 }, { [KEY]: directive(20) }), byController: false },
    rewriter,
  );
  expect(verdict).toMatchObject({ warnings: [expect.stringContaining('saved in the middle of a release')] });
  expect(written(verdict)).toEqual({ '/metadata/annotations': undefined });
});

test('an annotation that is no text is no directive', () => {
  const incoming = thing({ weight: 1 }, { [KEY]: { toString: 1 } });
  expect(update(incoming, thing({}))).toEqual({ verdict: 'untouched', warnings: [] });
});

test("empty texts in labels and annotations are the user's, also of kinds that lose empty fields", () => {
  const ingress = (annotations: JsonMap) => ({
    ...thing({ weight: 80 }, annotations),
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
  });
  const own = {
    [KEY]: directive(20),
    [ANNOTATIONS.original]: encodeOriginal({ spec: { weight: 100 } }, 'networking.k8s.io/v1'),
  };
  const verdict = update(ingress({ ...own, 'example.com/flag': '' }), ingress(own));
  const original = encodeOriginal(
    { spec: { weight: 100 }, annotations: { 'example.com/flag': '' } },
    'networking.k8s.io/v1',
  );
  expect(written(verdict)['/metadata/annotations']).toMatchObject({
    'example.com/flag': '',
    [ANNOTATIONS.original]: original,
  });
  const withFlag = ingress({ 'example.com/flag': '', ...own, [ANNOTATIONS.original]: original });
  expect(
    written(update(ingress({ ...own, [ANNOTATIONS.original]: original }), withFlag))['/metadata/annotations'],
  ).toEqual(own);
});

test('a script sees keys in the order that the original annotation has, in every later write', () => {
  const order = makeScript(
    'order',
    'local s, k = obj.data.spec, {}; for n in pairs(s.m) do k[#k + 1] = n end; s.keys = k; return obj.data',
    new Map(),
  );
  const own = createRewriter((hash) => (hash === order.hash ? order : undefined));
  const write = { operation: 'UPDATE' as const, byController: true };
  const set = { [KEY]: directive(20, order) };
  const first = written(
    decide({ ...write, incoming: thing({ m: { b: 1, a: 2 } }, set), live: thing({ m: { b: 1, a: 2 } }) }, own),
  );
  expect(first['/spec']).toMatchObject({ keys: ['b', 'a'] });
  // The API server stores maps with sorted keys; what the script made of them stays as it was.
  const stored = thing({ keys: ['b', 'a'], m: { a: 2, b: 1 } }, first['/metadata/annotations'] as JsonMap);
  const labelled = thing({ keys: ['b', 'a'], m: { a: 2, b: 1 } }, first['/metadata/annotations'] as JsonMap, {
    labels: { x: 'y' },
  });
  const second = decide({ ...write, byController: false, incoming: labelled, live: stored }, own);
  expect(Object.keys(written(second))).toEqual(['/metadata/annotations']);
  expect(second).toMatchObject({ warnings: [] });
});
