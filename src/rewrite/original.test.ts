import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equal } from '../json/equal.ts';
import { parseJson } from '../json/text.ts';
import type { Json, JsonMap } from '../json/value.ts';
import type { Declared } from './declared.ts';
import { decodeOriginal, encodeOriginal, PLAIN_LIMIT } from './original.ts';

test('the annotation has the shape that Kruise Rollouts writes, with the API version behind', () => {
  expect(encodeOriginal({ spec: { a: {}, b: 1 }, annotations: { virtual: 'test' } }, 'v1')).toBe(
    '{"spec":{"a":{},"b":1},"annotations":{"virtual":"test"},"apiVersion":"v1"}',
  );
});

test("an original of Kruise Rollouts is read, without kubectl's last-applied text", () => {
  const text =
    '{"spec":{"http":[]},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","virtual":"\\u003ctest\\u003e"}}';
  expect(decodeOriginal(text)).toEqual({
    declared: { spec: { http: [] }, annotations: { virtual: '<test>' } },
    apiVersion: undefined,
  });
});

test('whatever is saved comes back exactly: empty maps and lists, null, large numbers, any text', () => {
  const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('__proto__'));
  const number = fc
    .constantFrom('9007199254740993', '-0.1', '12345678901234567890.5', '1e400')
    .map((text) => parseJson(text));
  const { json } = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<Json>(null, true, {}, [], '', 'ü😀\u2028'),
      number,
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(key, tie('json'), { maxKeys: 4 }) as fc.Arbitrary<Json>,
    ),
  }));
  const strings = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { minKeys: 1 }) as fc.Arbitrary<JsonMap>;
  fc.assert(
    fc.property(json, fc.option(strings, { nil: undefined }), (spec, labels) => {
      const declared: Declared = { spec, ...(labels === undefined ? {} : { labels }) };
      const back = decodeOriginal(encodeOriginal(declared, 'example.com/v1'));
      expect(equal(back.declared as Json, declared as Json)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('above 32 KiB it is compressed, and comes back the same', () => {
  const spec = { text: 'ü'.repeat(PLAIN_LIMIT), list: Array.from({ length: 5000 }, (_, i) => ({ i })) };
  const text = encodeOriginal({ spec }, 'v1');
  expect(text.startsWith('gzip:')).toBe(true);
  expect(text.length).toBeLessThan(PLAIN_LIMIT);
  expect(decodeOriginal(text)).toEqual({ declared: { spec }, apiVersion: 'v1' });
});

test('a compressed text that unfolds beyond any object is refused without being unfolded', () => {
  const bomb = encodeOriginal({ spec: { text: 'x'.repeat(8 * 1024 * 1024) } }, 'v1');
  expect(() => decodeOriginal(bomb)).toThrow('not gzip');
});
