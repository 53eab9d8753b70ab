import fc from 'fast-check';
import { expect, test } from 'vitest';
import { display, toBytes, toText } from './bytes.ts';

test('any text, lone surrogates included, comes back from bytes', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('\ud83d', '\ude00', 'a', '\ufffd') })),
      (text) => {
        expect(toText(toBytes(text))).toBe(text);
      },
    ),
  );
});

test('well-formed text is UTF-8, one character for each byte', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(Buffer.from(toBytes(text), 'latin1').equals(Buffer.from(text, 'utf8'))).toBe(text.isWellFormed());
    }),
  );
});

test.each([
  ['a byte that no character starts with', '\x80'],
  ['a character that is cut off', '\xc3'],
  ['a character without its middle', '\xe2\x82'],
  ['a byte in place of a continuation', '\xc3a'],
  ['an overlong character', '\xc0\x80'],
  ['an overlong character of three bytes', '\xe0\x80\x80'],
  ['a code point that is too large', '\xf4\x90\x80\x80'],
  ['a byte that UTF-8 does not have', '\xff'],
  ['two surrogates written apart', '\xed\xa0\xbd\xed\xb8\x80'],
])('%s is no text', (_, bytes) => {
  expect(toText(`ok${bytes}`)).toBeUndefined();
  expect(display(bytes)).toMatch(/^(\\\d+|a)+$/);
});
