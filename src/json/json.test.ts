import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equal } from './equal.ts';
import { canonicalJson, jsonText, parseJson } from './text.ts';

test.each([
  '9007199254740993',
  '-12345678901234567890',
  '0.12345678901234567891',
  '1e400',
  '1152921504606846976',
  '3.0000000000000000001',
  '9007199254.7409931',
  '-0.9007199254740993',
  '1e-0400',
])('a number that a double cannot hold keeps its digits: %s', (source) => {
  expect(jsonText(parseJson(`{"n":[${source}]}`))).toBe(`{"n":[${source}]}`);
});

test('reading and writing any JSON gives the same value back', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(jsonText(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
    }),
  );
});

test('canonical text is the same for every key order, and parses to an equal value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const canonical = canonicalJson(value as never);
      expect(canonicalJson(parseJson(canonical))).toBe(canonical);
      expect(equal(parseJson(canonical), value as never)).toBe(true);
    }),
  );
});

test('equality tells absent from null, and numbers by their digits', () => {
  expect(equal(parseJson('{"a":null}'), parseJson('{}'))).toBe(false);
  expect(equal(parseJson('9007199254740993'), parseJson('9007199254740992'))).toBe(false);
  expect(equal(parseJson('9007199254740993'), parseJson('9007199254740993'))).toBe(true);
  expect(equal(parseJson('{"a":1,"b":[{}]}'), parseJson('{"b":[{}],"a":1}'))).toBe(true);
});

test('equality agrees with canonical text, whatever the order of keys', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(value, value, (a, b) => {
      expect(equal(a as never, b as never)).toBe(canonicalJson(a as never) === canonicalJson(b as never));
      expect(equal(a as never, parseJson(canonicalJson(a as never)))).toBe(true);
    }),
  );
});

test.each<[string, string, boolean]>([
  ['{"__proto__":{}}', '{"x":{}}', false],
  ['{"constructor":1}', '{"x":1}', false],
  ['{"rawJSON":"9007199254740993"}', '9007199254740993', false],
  ['{"rawJSON":"9007199254740993"}', '{"rawJSON":"9007199254740993"}', true],
  ['[]', '{}', false],
  ['{"a":1,"b":2}', '{"b":2,"a":1}', true],
  ['{"a":null}', '{"b":null}', false],
])('equality is not taken in by odd keys: %s and %s', (a, b, same) => {
  expect(equal(parseJson(a), parseJson(b))).toBe(same);
  expect(equal(parseJson(b), parseJson(a))).toBe(same);
});

test('a key named __proto__ is data like any other', () => {
  const value = parseJson('{"__proto__":{"a":1},"b":2}');
  expect(canonicalJson(value)).toBe('{"__proto__":{"a":1},"b":2}');
});

test('a number of a million digits is read in time that grows with its length only', () => {
  const source = `1${'0'.repeat(1_000_000)}1`;
  expect(jsonText(parseJson(source))).toBe(source);
});
