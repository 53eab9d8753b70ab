import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../api/names.ts';
import { canonicalJson, parseJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { makeScript } from '../lua/script.ts';
import { decide, type Write } from './decide.ts';
import { encodeDirective, FORMAT } from './directive.ts';
import { createRewriter } from './rewriter.ts';

/** Touches every value of the spec, writes some, adds keys and elements. */
const thorough = makeScript(
  'thorough',
  `local function walk(value)
     if type(value) ~= "table" then return end
     for _, inner in pairs(value) do walk(inner) end
   end
   walk(obj.data.spec)
   obj.data.spec.value = { canary = obj.canaryWeight }
   obj.data.spec.added = { obj.canaryService }
   obj.data.labels = { canary = "yes" }
   return obj.data`,
  new Map(),
);
const rewriter = createRewriter((hash) => (hash === thorough.hash ? thorough : undefined));
const KEY = `${DIRECTIVE_PREFIX}web`;
const DIRECTIVE = encodeDirective({
  format: FORMAT,
  rollout: { namespace: 'shop', name: 'web', uid: 'u' },
  revision: 'r',
  step: 1,
  continues: false,
  action: {
    type: 'gateway',
    contract: 'custom',
    script: { name: thorough.name, hash: thorough.hash },
    routes: [{ stableService: 'svc', canaryService: 'svc-canary' }],
    weight: 20,
  },
});

const exact = ['9007199254740993', '-12345678901234567890', '0.12345678901234567891'].map((text) => parseJson(text));
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(null, true, false, 0, -1.5, '', 'ü😀\u2028', {}, [], ...exact),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('json'), { maxKeys: 4 }) as fc.Arbitrary<Json>,
  ),
}));

/** The object that the answer makes: its operations replace whole values, so they need no patch library. */
function after(write: Write): JsonMap {
  const verdict = decide(write, rewriter);
  if (verdict.verdict === 'denied') throw new Error(verdict.message);
  const { spec, metadata, ...rest } = write.incoming;
  const parts = new Map<string, Json | undefined>([
    ['/spec', spec],
    ['/metadata/labels', member(metadata, 'labels')],
    ['/metadata/annotations', member(metadata, 'annotations')],
  ]);
  for (const operation of verdict.verdict === 'rewritten' ? verdict.operations : []) {
    parts.set(operation.path, operation.op === 'remove' ? undefined : operation.value);
  }
  const present = ([key, path]: [string, string]) => (parts.get(path) === undefined ? [] : [[key, parts.get(path)]]);
  const entries = (
    [
      ['labels', '/metadata/labels'],
      ['annotations', '/metadata/annotations'],
    ] as [string, string][]
  ).flatMap(present);
  return {
    ...rest,
    metadata: { name: 't', namespace: 'shop', ...Object.fromEntries(entries) },
    spec: parts.get('/spec') ?? null,
  };
}

/** An object as it comes out of a request: read from text. */
const received = (object: JsonMap): JsonMap => {
  const value = parseJson(JSON.stringify(object));
  return isMap(value) ? value : {};
};

function withDirective(object: JsonMap, text: string | undefined): JsonMap {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  const { [KEY]: _, ...others } = isMap(metadata['annotations']) ? metadata['annotations'] : {};
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...others, ...(text === undefined ? {} : { [KEY]: text }) } },
  };
}

test('restoring what was rewritten gives back any object exactly: {} and [], null, large numbers, odd keys', () => {
  const annotations = fc.dictionary(fc.constantFrom('a', 'example.com/b', '__proto__'), fc.string());
  fc.assert(
    fc.property(json, annotations, (value, texts) => {
      const source = received({
        apiVersion: 'example.com/v1',
        kind: 'Thing',
        metadata: { name: 't', namespace: 'shop', ...(Object.keys(texts).length === 0 ? {} : { annotations: texts }) },
        spec: { value, kept: value },
      });
      const controller = { operation: 'UPDATE' as const, byController: true };
      const rewritten = received(after({ ...controller, incoming: withDirective(source, DIRECTIVE), live: source }));
      expect(canonicalJson(rewritten)).toContain(ANNOTATIONS.original);
      const restored = after({ ...controller, incoming: withDirective(rewritten, undefined), live: rewritten });
      expect(canonicalJson(restored)).toBe(canonicalJson(source));
    }),
    { numRuns: 300 },
  );
});
