import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equal } from '../json/equal.ts';
import { jsonText } from '../json/text.ts';
import type { Json } from '../json/value.ts';
import { readManifests } from './read.ts';
import { writeYaml } from './write.ts';

const values = (text: string) => readManifests(text, 'f.yaml').documents.map(({ value }) => jsonText(value));
const errors = (text: string) =>
  readManifests(text, 'f.yaml').errors.map(
    ({ position, message }) => `${position.line}:${position.column}: ${message}`,
  );

test.each([
  ['several documents, empty ones left out', 'a: 1\n---\n---\n# note\n---\nb: 2\n', ['{"a":1}', '{"b":2}']],
  ['an empty file', '', []],
  ['a file of comments', '# nothing\n', []],
  ['JSON, also with tabs between its parts', '{\n\t"a": [\n\t\t1]\n}\n', ['{"a":[1]}']],
  ['a byte order mark and CRLF', '\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\n', ['{"a":1,"b":"x\\ny\\n"}']],
  [
    'numbers with every digit',
    'a: 9007199254740993\nb: 0.12345678901234567891\nc: 1e400\nd: 0xFFFFFFFFFFFFFFFFF',
    ['{"a":9007199254740993,"b":0.12345678901234567891,"c":1e400,"d":295147905179352825855}'],
  ],
  ['other spellings of numbers', 'a: +3\nb: .5\nc: 007\nd: 0o17\ne: 5.', ['{"a":3,"b":0.5,"c":7,"d":15,"e":5}']],
  [
    'YAML 1.2 words',
    'a: yes\nb: on\nc: ~\nd: true\ne: 2020-01-01',
    ['{"a":"yes","b":"on","c":null,"d":true,"e":"2020-01-01"}'],
  ],
  ['keys that are no texts', '1: x\ntrue: y\n__proto__: z', ['{"1":"x","true":"y","__proto__":"z"}']],
  [
    'anchors and merge keys',
    'a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: *a',
    ['{"a":{"x":1,"y":2},"b":{"y":3,"x":1},"c":{"x":1,"y":2}}'],
  ],
  ['the items of a List', 'kind: List\nitems:\n- kind: A\n- kind: B\n', ['{"kind":"A"}', '{"kind":"B"}']],
  ['the items of a list of one kind', 'kind: RolloutList\nitems: []\n', []],
  ['a quoted << as a key', '"<<": 1', ['{"<<":1}']],
])('reads %s', (_title, text, expected) => {
  expect(errors(text)).toEqual([]);
  expect(values(text)).toEqual(
    expected.map((json) =>
      jsonText(
        JSON.parse(json, (_k, v, c?: { source?: string }) =>
          typeof v === 'number' ? JSON.rawJSON(c?.source ?? '') : v,
        ),
      ),
    ),
  );
});

test.each([
  ['a tab as indentation', 'a:\n\tb: 1\n', ['2:1: a tab is used as indentation; YAML indents with spaces']],
  ['a key that stands twice', 'a: 1\nb: 2\na: 3\n', ['3:1: this key stands twice in the same map; keep one of them']],
  [
    'a key that stands twice in JSON',
    '{"a":1,"a":2}',
    ['1:8: this key stands twice in the same map; keep one of them'],
  ],
  ['an alias without an anchor', 'x: *n', ['1:4: there is no anchor "n" above this alias']],
  ['an alias inside its own anchor', 'x: &a [*a]', ['1:8: the alias "a" stands inside its own anchor']],
  ['infinity', 'a: 1\nx: .inf', ['2:4: .inf is no number in JSON; write a finite one']],
  ['a map as a key', '? [a]\n: 1', ['1:3: a key of a map must be a plain text, not a map or a list']],
  ['a merge of something else', '<<: 3', ['1:1: a merge key (<<) takes a map or a list of maps']],
  ['an open quote', 'a: "x', ['1:6: Missing closing "quote']],
  ['binary', 'a: !!binary aGk=', ['1:13: aGk= has a tag that JSON has no value for']],
])('%s is an error with its line and column', (_title, text, expected) => {
  expect(errors(text)).toEqual(expected);
  expect(values(text)).toEqual([]);
});

test('a broken document does not hide the others', () => {
  const { documents, errors: found } = readManifests('a: 1\n---\nb: *none\n---\nc: 3\n', 'x.yaml');
  expect(documents.map(({ value, file }) => [value, file])).toEqual([
    [{ a: 1 }, 'x.yaml'],
    [{ c: 3 }, 'x.yaml'],
  ]);
  expect(found).toEqual([
    { file: 'x.yaml', position: { line: 3, column: 4 }, message: 'there is no anchor "none" above this alias' },
  ]);
});

test.each([
  [
    'nested aliases',
    Array.from(
      { length: 12 },
      (_, i) =>
        `a${i}: &a${i} [${Array(10)
          .fill(i === 0 ? '1' : `*a${i - 1}`)
          .join(',')}]`,
    ).join('\n'),
    /more than 500000 values/,
  ],
  ['nesting of 600 levels', `${'['.repeat(600)}${']'.repeat(600)}`, /deep/],
  ['nesting of 50,000 levels', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, /deep/],
])('hostile YAML ends in an error, soon: %s', (_title, text, message) => {
  const before = performance.now();
  expect(errors(text)).toEqual([expect.stringMatching(message)]);
  expect(performance.now() - before).toBeLessThan(5_000);
});

const DOCUMENT = `# a Rollout
spec:
  steps:
    - traffic: 20%
      matches: &m
        - headers:
            - name: a
    - matches: *m
---
kind: List
items:
  - kind: A
    spec: {x: [1, 2]}
`;

test.each([
  [0, ['spec'], '2:1'],
  [0, ['spec', 'steps', 0], '4:7'],
  [0, ['spec', 'steps', 0, 'traffic'], '4:7'],
  [0, ['spec', 'steps', 0, 'matches', 0, 'headers', 0, 'name'], '7:15'],
  [0, ['spec', 'steps', 1, 'matches', 0, 'headers'], '6:11'],
  [0, ['spec', 'steps', 0, 'replicas'], '4:7'],
  [0, ['spec', 'steps', 7, 'traffic'], '3:3'],
  [0, ['status'], '2:1'],
  [1, [], '12:5'],
  [1, ['spec', 'x', 1], '13:19'],
] as const)('document %i: %j stands at %s', (index, path, expected) => {
  const position = readManifests(DOCUMENT, 'f').documents[index]?.positionOf(path);
  expect(`${position?.line}:${position?.column}`).toBe(expected);
});

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('a', ' ', '\n', '\t', ':', '#', '-', '|', '"', "'", '\\', '5', '.', '\u2028', '\u0085'), {
      maxLength: 8,
    })
    .map((parts) => parts.join('')),
  fc.constantFrom(
    'yes',
    'No',
    '~',
    '0x1F',
    '1e3',
    '0o7',
    '2020-01-01',
    '12:30:45',
    '-',
    '?',
    '<<',
    '1_000',
    '.5',
    '+1',
    'null',
    '@a',
    '%',
    '&a',
    '*a',
    '20%',
    '---',
    '...',
  ),
);
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constant(JSON.rawJSON('9007199254740993')),
  fc.constant(JSON.rawJSON('-0.12345678901234567891')),
);
const json = fc.letrec<{ any: Json }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(text, tie('any'), { maxKeys: 4 }),
  ),
})).any;

test('what writeYaml writes is read back as the same value', () => {
  fc.assert(
    fc.property(json, (value) => {
      const { documents, errors: found } = readManifests(writeYaml({ root: value }), 'f');
      expect(found).toEqual([]);
      expect(equal(documents[0]?.value, { root: value })).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test('YAML is written as a person would', () => {
  const value = {
    a: '20%',
    b: ['x', { c: 1, d: [] }, ['z']],
    e: 'one\ntwo\n',
    f: 'yes',
    g: {},
    h: '',
    i: 'k: v',
    j: '/api?x=1',
    'k/l': '12',
    m: 'some words',
  };
  expect(writeYaml(value)).toBe(`a: 20%
b:
- x
- c: 1
  d: []
- - z
e: |
  one
  two
f: "yes"
g: {}
h: ""
i: "k: v"
j: /api?x=1
k/l: "12"
m: some words
`);
});
