/**
 * Lua strings are bytes. We hold one as a JavaScript string in which each character is one byte (0–255): equality,
 * order, length and concatenation are then the engine's own, and text that is ASCII needs no conversion at all.
 * JavaScript text turns into bytes as UTF-8, with a lone surrogate written as the three bytes of its code point (as in
 * WTF-8), so that every JSON string survives.
 */
const NOT_ASCII = /[\u0080-\uffff]/;

/** JavaScript text → byte string. */
export function toBytes(text: string): string {
  if (!NOT_ASCII.test(text)) return text;
  if (text.isWellFormed()) return Buffer.from(text, 'utf8').toString('latin1');
  let bytes = '';
  for (const character of text) bytes += encodeCodePoint(character.codePointAt(0) ?? 0);
  return bytes;
}

function encodeCodePoint(code: number): string {
  if (code < 0x80) return String.fromCharCode(code);
  const tail = (shift: number) => 0x80 | ((code >> shift) & 0x3f);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), tail(0));
  if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), tail(6), tail(0));
  return String.fromCharCode(0xf0 | (code >> 18), tail(12), tail(6), tail(0));
}

/** Byte string → JavaScript text; undefined when the bytes are no UTF-8 (as {@link toBytes} writes it). */
export function toText(bytes: string): string | undefined {
  if (!NOT_ASCII.test(bytes)) return bytes;
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  if (!text.includes('\ufffd')) return text;
  return decodeSlowly(bytes);
}

/** Decodes one character at a time: reached only by U+FFFD itself, lone surrogates and bytes that are no UTF-8. */
function decodeSlowly(bytes: string): string | undefined {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes.charCodeAt(i));
    const code = codePointAt(bytes, i, length);
    if (code === undefined) return undefined;
    text += String.fromCodePoint(code);
    i += length;
  }
  // Two surrogates that stand for one character must not be written apart: no two byte strings are the same text.
  return toBytes(text) === bytes ? text : undefined;
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** The least code point that needs so many bytes: what is written longer than needed is refused. */
const LEAST = [0, 0, 0x80, 0x800, 0x10000];

function codePointAt(bytes: string, start: number, length: number): number | undefined {
  const lead = bytes.charCodeAt(start);
  if (length === 1) return lead;
  if (lead < 0xc2 || lead > 0xf4 || start + length > bytes.length) return undefined;
  let code = lead & (0x7f >> length);
  for (let i = start + 1; i < start + length; i++) {
    const next = bytes.charCodeAt(i);
    if ((next & 0xc0) !== 0x80) return undefined;
    code = (code << 6) | (next & 0x3f);
  }
  return code >= (LEAST[length] ?? 0) && code <= 0x10ffff ? code : undefined;
}

/** How a byte string is shown in messages: as text where it is text, other bytes as `\ddd`. */
export function display(bytes: string): string {
  const text = toText(bytes);
  return text ?? bytes.replace(/[\u0080-\u00ff]/g, (byte) => `\\${byte.charCodeAt(0)}`);
}
