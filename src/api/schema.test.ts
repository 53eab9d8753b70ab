import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonMap } from '../json/value.ts';
import { alphaRollouts, betaRollouts, brokenRollouts } from './arbitrary.testing.ts';
import { withDefaults } from './defaults.ts';
import { readCrds, schemasText, typesText } from './generate.ts';
import { V1ALPHA1, V1BETA1 } from './names.ts';
import { PATH_RULES } from './pathrules.ts';
import { schemaKeys, schemaOf } from './schema.ts';
import { validateSchema } from './validate.ts';
import { violationText } from './violation.ts';

const crds = readCrds();
const here = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

test('the generated types and schemas are those of the CRD files (else: npm run generate)', async () => {
  expect(here('./schemas.json')).toBe(schemasText(crds));
  expect(here('./generated.ts')).toBe(await typesText(crds));
});

function importsGenerator(file: string): boolean {
  const found = [...readFileSync(file, 'utf8').matchAll(/from '(\.[^']*)'/g)].map(([, from = '']) =>
    join(dirname(file), from),
  );
  return found.some((from) => ['src/api/generate.ts', 'src/api/typenames.ts'].includes(from));
}

test('nothing but its tests imports the generator', () => {
  const importing = globSync('src/**/*.ts').filter((file) => importsGenerator(file));
  expect(importing.sort()).toEqual(['src/api/generate.ts', 'src/api/schema.test.ts']);
});

/** Every schema within a schema, with a path to show. */
function* subschemas(schema: Json, path: string): Generator<[string, JsonMap]> {
  if (!isMap(schema)) return;
  yield [path, schema];
  const properties = schema['properties'];
  for (const [name, inner] of Object.entries(isMap(properties) ? properties : {}))
    yield* subschemas(inner, `${path}.${name}`);
  for (const part of ['items', 'additionalProperties'])
    if (schema[part] !== undefined) yield* subschemas(schema[part], `${path}[]`);
}
const all = crds.flatMap(({ key, schema }) => [...subschemas(schema, key)]);

test('the CRDs are structural: each part has one type, or is int-or-string as the API server wants it', () => {
  const wrong = all.filter(([, schema]) => {
    if (schema['x-kubernetes-int-or-string'] !== true) return typeof schema['type'] !== 'string';
    return schema['type'] !== undefined || JSON.stringify(schema['anyOf']) !== '[{"type":"integer"},{"type":"string"}]';
  });
  expect(wrong.map(([path]) => path)).toEqual([]);
});

test('the CRDs say nothing that offline checks do not know', () => {
  const known = [
    'description',
    'type',
    'format',
    'properties',
    'additionalProperties',
    'required',
    'items',
    'default',
    'enum',
    'pattern',
    'minLength',
    'maxLength',
    'minimum',
    'maximum',
    'maxItems',
    'anyOf',
    'x-kubernetes-int-or-string',
    'x-kubernetes-list-type',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-validations',
  ];
  expect(
    all.flatMap(([path, schema]) =>
      Object.keys(schema)
        .filter((key) => !known.includes(key))
        .map((key) => `${path}: ${key}`),
    ),
  ).toEqual([]);
  const types = new Set(all.map(([, schema]) => schema['type']));
  expect([...types].sort()).toEqual(['array', 'boolean', 'integer', 'object', 'string', undefined]);
});

test('every field has a description', () => {
  const silent = all.filter(
    ([path, schema]) => schema['description'] === undefined && !path.endsWith('[]') && !path.endsWith('.metadata'),
  );
  expect(silent.map(([path]) => path)).toEqual([]);
});

test('keys of list maps are required or have a default, and name a field of the items', () => {
  const lists = all.filter(([, schema]) => schema['x-kubernetes-list-type'] === 'map');
  expect(lists.length).toBeGreaterThan(10);
  for (const [, schema] of lists) {
    expect(schema['x-kubernetes-list-map-keys']).toEqual(['name']);
    expect((schema['items'] as JsonMap)['required']).toContain('name');
  }
});

test('the CEL rules of the CRDs are those that offline checks know, and all of them', () => {
  const rules = all.flatMap(([, schema]) =>
    isList(schema['x-kubernetes-validations']) ? schema['x-kubernetes-validations'] : [],
  );
  const texts = rules.map((rule) => (isMap(rule) ? rule['rule'] : rule));
  expect([...new Set(texts)].sort()).toEqual(Object.keys(PATH_RULES).sort());
});

const step = (fields: JsonMap): JsonMap => ({
  apiVersion: V1BETA1,
  kind: 'Rollout',
  metadata: { name: 'r' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
    strategy: { canary: { steps: [fields] } },
  },
});
const match = (fields: JsonMap) => step({ matches: [fields] });
const STEP = 'spec.strategy.canary.steps[0]';
const MATCH = `${STEP}.matches[0]`;
const problems = (object: Json) => validateSchema(object).map(violationText);

test.each<[string, Json, string[]]>([
  [
    'a number where a text is',
    step({ traffic: 20 }),
    [`${STEP}.traffic: 20 is not allowed here; write a text in quotes, "20%"`],
  ],
  [
    'a text where a number is',
    step({ pause: { duration: '60' } }),
    [`${STEP}.pause.duration: "60" is not allowed here; write a whole number`],
  ],
  [
    'a fraction where a whole number is',
    step({ pause: { duration: 1.5 } }),
    [`${STEP}.pause.duration: 1.5 is not allowed here; write a whole number`],
  ],
  [
    'a number beyond int32',
    step({ pause: { duration: 2 ** 31 } }),
    [`${STEP}.pause.duration: 2147483648 is out of range; write a whole number from -2147483648 to 2147483647`],
  ],
  [
    'a number beyond any',
    step({ pause: { duration: parseJson('12345678901234567890') } }),
    [
      `${STEP}.pause.duration: 12345678901234567890 is out of range; write a whole number from -2147483648 to 2147483647`,
    ],
  ],
  ['a text where a map is', step({ pause: 'x' }), [`${STEP}.pause: "x" is not allowed here; write a map of fields`]],
  ['a map where a list is', step({ matches: {} }), [`${STEP}.matches: {} is not allowed here; write a list`]],
  [
    'a boolean in words',
    { ...step({}), spec: { workloadRef: { apiVersion: 'a', kind: 'b', name: 'c' }, strategy: {}, disabled: 'yes' } },
    ['spec.disabled: "yes" is not allowed here; write true or false'],
  ],
  [
    'replicas that are neither number nor text',
    step({ replicas: true }),
    [`${STEP}.replicas: true is not allowed here; write a whole number or a text such as "20%"`],
  ],
  [
    'null',
    step({ traffic: null }),
    [`${STEP}.traffic: null is not allowed here; write a text, or leave the field out`],
  ],
  ['a field with a slip', step({ trafic: '20%' }), [`${STEP}.trafic: there is no such field; did you mean traffic?`]],
  [
    'a field in the wrong case',
    step({ Traffic: '20%' }),
    [`${STEP}.Traffic: there is no such field; did you mean traffic?`],
  ],
  [
    'a field of the other version',
    step({ weight: 20 }),
    [`${STEP}.weight: there is no such field; in v1beta1 it is traffic: "20%"`],
  ],
  [
    'a field that nobody knows',
    step({ pause: { forever: true } }),
    [`${STEP}.pause.forever: there is no such field; the fields here are duration`],
  ],
  [
    'a field named __proto__',
    parseJson(JSON.stringify(step({ x: 1 })).replace('"x"', '"__proto__"')),
    [expect.stringContaining(`${STEP}.__proto__: there is no such field`) as unknown as string],
  ],
  ['a missing field', match({ headers: [{ value: 'x' }] }), [`${MATCH}.headers[0].name: is missing; write a text`]],
  [
    'a missing spec field',
    { apiVersion: V1BETA1, kind: 'Rollout', metadata: {}, spec: {} },
    ['spec.workloadRef: is missing; write a map of fields', 'spec.strategy: is missing; write a map of fields'],
  ],
  [
    'an unknown word',
    match({ headers: [{ name: 'a', value: 'b', type: 'Glob' }] }),
    [`${MATCH}.headers[0].type: "Glob" is not known; write Exact or RegularExpression`],
  ],
  [
    'a word in the wrong case',
    match({ method: 'get' }),
    [
      `${MATCH}.method: "get" is not known; write GET (GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE or PATCH are known)`,
    ],
  ],
  [
    'an empty text',
    match({ headers: [{ name: 'a', value: '' }] }),
    [`${MATCH}.headers[0].value: must not be empty; write at least 1 character(s)`],
  ],
  [
    'a text that is too long',
    match({ queryParams: [{ name: 'a', value: 'é'.repeat(1025) }] }),
    [`${MATCH}.queryParams[0].value: has 1025 characters; write at most 1024`],
  ],
  [
    'a name with other characters',
    match({ cookies: [{ name: 'a b', value: 'x' }] }),
    [
      expect.stringContaining(
        `${MATCH}.cookies[0].name: "a b" has characters that are not allowed`,
      ) as unknown as string,
    ],
  ],
  [
    'a name that stands twice',
    match({
      headers: [
        { name: 'a', value: 'x' },
        { name: 'b', value: 'x' },
        { name: 'a', value: 'y' },
      ],
    }),
    [`${MATCH}.headers[2]: has the same name as entry [0]; keep one of them`],
  ],
  [
    'a value that stands twice in a set',
    step({ requestHeaderModifier: { remove: ['a', 'a'] } }),
    [`${STEP}.requestHeaderModifier.remove[1]: has the same value as entry [0]; keep one of them`],
  ],
  [
    'too many entries',
    step({ matches: Array(17).fill({ method: 'GET' }) }),
    [`${STEP}.matches: has 17 entries; write at most 16`],
  ],
  [
    'copies of nothing',
    step({ mirror: { percent: 0 } }),
    [`${STEP}.mirror.percent: 0 is out of range; write a whole number from 1 to 100`],
  ],
  [
    'copies of more than everything',
    step({ mirror: { percent: 101 } }),
    [`${STEP}.mirror.percent: 101 is out of range; write a whole number from 1 to 100`],
  ],
  [
    'a label that is no text',
    { ...step({}), metadata: { name: 'r', labels: { a: 1 } } },
    ['metadata.labels.a: 1 is not allowed here; write a text in quotes, "1"'],
  ],
  [
    'a name that Kubernetes refuses',
    { ...step({}), metadata: { name: 'My_Rollout' } },
    [expect.stringMatching(/^metadata\.name: "My_Rollout" has characters/) as unknown as string],
  ],
  [
    'a time that is none',
    {
      ...step({}),
      status: {
        currentStepIndex: 1,
        currentStepState: '',
        conditions: [{ type: 'a', status: 'True', reason: 'b', message: '', lastUpdateTime: 'now' }],
      },
    },
    ['status.conditions[0].lastUpdateTime: "now" is no time; write it as 2006-01-02T15:04:05Z'],
  ],
  [
    'a version that does not exist',
    { apiVersion: 'rollouts.kruise.io/v1', kind: 'Rollout' },
    [`apiVersion: Rollout has no version "rollouts.kruise.io/v1"; write ${V1BETA1} or ${V1ALPHA1}`],
  ],
  [
    'everything at once',
    step({ traffic: 1, replicas: [], x: 1 }),
    [
      `${STEP}.traffic: 1 is not allowed here; write a text in quotes, "1%"`,
      `${STEP}.replicas: [] is not allowed here; write a whole number or a text such as "20%"`,
      expect.stringContaining(`${STEP}.x: there is no such field`) as unknown as string,
    ],
  ],
])('the schema refuses %s', (_title, object, expected) => {
  expect(problems(object)).toEqual(expected);
});

test.each([
  ['/a', 'Exact', []],
  ['a', 'Exact', ["must start with '/'"]],
  ['/a//b', 'PathPrefix', ["must not contain '//'"]],
  ['/a/./b', undefined, ["must not contain '/./'"]],
  ['/a/../b', 'Exact', ["must not contain '/../'"]],
  ['/a%2Fb', 'Exact', ["must not contain '%2F'"]],
  ['/a%2fb', 'Exact', ["must not contain '%2f'"]],
  ['/a#b', 'Exact', ["must not contain '#'", 'holds only the characters']],
  ['/a/..', 'Exact', ["must not end with '/..'"]],
  ['/a/.', 'Exact', ["must not end with '/.'"]],
  ['/a b', 'Exact', ['holds only the characters']],
  ['/a%20b', 'Exact', []],
  ['.*//', 'RegularExpression', []],
])('the path %s of type %s', (value, type, expected) => {
  const found = problems(match({ path: type === undefined ? { value } : { type, value } }));
  expect(found.length).toBe(expected.length);
  for (const [i, part] of expected.entries()) expect(found[i]).toContain(part);
});

test.each<[string, Json]>([
  ['a kind of others', { apiVersion: 'v1', kind: 'Service', spec: 3 }],
  ['a kind of this group that has no schema here', { apiVersion: V1BETA1, kind: 'BatchRelease', spec: 3 }],
  ['no object', 'x'],
  [
    'the time of creation that older tools write',
    { apiVersion: V1BETA1, kind: 'Rollout', metadata: { name: 'r', creationTimestamp: null } },
  ],
  ['an object without a kind', { apiVersion: V1BETA1 }],
])('the schema has nothing to say about %s', (_title, object) => {
  expect(validateSchema(object)).toEqual([]);
  expect(withDefaults(object)).toBe(object);
});

test('defaults are filled in where the map is there, and nowhere else', () => {
  const object = match({
    headers: [
      { name: 'a', value: 'b' },
      { name: 'c', value: 'd', type: 'RegularExpression' },
    ],
    path: {},
  });
  const filled = withDefaults({ ...object, spec: { ...(object['spec'] as JsonMap), disabled: null } });
  expect(filled).toEqual({
    ...match({
      headers: [
        { name: 'a', value: 'b', type: 'Exact' },
        { name: 'c', value: 'd', type: 'RegularExpression' },
      ],
      path: { type: 'PathPrefix', value: '/' },
    }),
    spec: expect.objectContaining({ disabled: false }),
  });
  expect(withDefaults(filled)).toBe(filled);
  expect(withDefaults({ apiVersion: V1BETA1, kind: 'Rollout' })).toEqual({ apiVersion: V1BETA1, kind: 'Rollout' });
});

/** Our schemas as JSON Schema for ajv: closed maps, int-or-string; list keys and CEL rules it cannot know. */
function forAjv(schema: Json): Json {
  if (isList(schema)) return schema.map(forAjv);
  if (!isMap(schema)) return schema;
  const { default: _, anyOf, format, ...rest } = schema;
  const inner = Object.fromEntries(
    Object.entries(rest)
      .filter(([key]) => !key.startsWith('x-'))
      .map(([key, value]) => {
        return [
          key,
          key === 'properties' && isMap(value)
            ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, forAjv(part)]))
            : forAjv(value),
        ];
      }),
  );
  const isClosed = schema['properties'] !== undefined;
  const range =
    format === 'int32' ? { minimum: schema['minimum'] ?? -(2 ** 31), maximum: schema['maximum'] ?? 2 ** 31 - 1 } : {};
  return {
    ...inner,
    ...range,
    ...(anyOf === undefined ? {} : { type: ['integer', 'string'] }),
    ...(isClosed ? { additionalProperties: false } : {}),
    ...(schema['default'] === undefined || inner['enum'] !== undefined ? {} : { nullable: true }),
  };
}

test('on what JSON Schema can say, ajv has the same verdicts', () => {
  const ajv = new Ajv({ allErrors: false, strict: false, allowUnionTypes: true });
  const validators = new Map(
    schemaKeys().map((key) => {
      const [group, version, kind] = key.split('/');
      return [
        key,
        ajv.compile(forAjv(schemaOf(`${group}/${version}`, kind ?? '') as unknown as Json) as object),
      ] as const;
    }),
  );
  let valid = 0;
  fc.assert(
    fc.property(fc.oneof(brokenRollouts, betaRollouts, alphaRollouts), (generated) => {
      const rollout: JsonMap = { ...generated, metadata: {}, kind: 'Rollout' };
      const validate = validators.get(`${String(rollout['apiVersion'])}/Rollout`);
      const others = validateSchema(rollout).filter(
        ({ message }) => !/same (name|value) as|must not|holds only|must start|null is not|is no time/.test(message),
      );
      const nulls = JSON.stringify(rollout).includes('null');
      if (nulls) return;
      valid += others.length === 0 ? 1 : 0;
      expect(others.length === 0).toBe(validate?.(JSON.parse(JSON.stringify(rollout))));
    }),
    { numRuns: 500 },
  );
  expect(valid).toBeGreaterThan(10);
});
