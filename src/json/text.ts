import { type ExactNumber, isList, isMap, type Json } from './value.ts';

/**
 * Sixteen digits, with a point among them or not, are the least that a number needs to be out of a double's exact reach
 * (2^53 = 9007199254740992); exponents of three digits can overflow. The class is written out sixteen times, since the
 * engine then looks at every sixteenth character only: a quarter of the time of `{16}`.
 */
const MAYBE_INEXACT = new RegExp(`${'[\\d.]'.repeat(16)}|\\d[eE][+-]?\\d{3,}(?=[,\\]}\\s]|$)`);

/**
 * The same, where a number can stand: at the start of the text or after white space, `:`, `,` or `[`, hence never after
 * the characters of the look-behind. Keeps out strings of digits, which would be read the slow way. What is left in
 * strings costs time, not truth.
 */
const INEXACT_NUMBER = /(?<!["\w\\.-])-?[\d.]+(?:(?<=[\d.]{16})|[eE][+-]?\d{3})/;

/**
 * Reads JSON without loss: a number that a double cannot hold comes back as an {@link ExactNumber}.
 * @throws SyntaxError as `JSON.parse` does.
 */
export function parseJson(text: string): Json {
  if (!MAYBE_INEXACT.test(text) || !INEXACT_NUMBER.test(text)) return JSON.parse(text) as Json;
  return JSON.parse(text, (_key, value, context?: { source?: string }) => {
    const source = context?.source;
    if (typeof value !== 'number' || source === undefined) return value;
    return sameNumber(source, value) ? value : JSON.rawJSON(source);
  }) as Json;
}

/** True when the double is written with the digits that the source has: nothing is lost on the way back. */
function sameNumber(source: string, value: number): boolean {
  return Number.isFinite(value) && digits(source) === digits(String(value));
}

/** Significant digits and exponent of a decimal text, in one spelling: `1.50e3` and `1500` give the same. */
function digits(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const all = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = all.slice(0, endOfDigits(all));
  if (significant === '') return '0';
  const power = Number(exponent) - fraction.length + (all.length - significant.length);
  return `${sign}${significant}e${power}`;
}

/** Where the trailing zeros begin. A regular expression would try at every zero: minutes for megabytes of them. */
function endOfDigits(text: string): number {
  let end = text.length;
  while (text[end - 1] === '0') end -= 1;
  return end;
}

/** Compact JSON with the keys of every map sorted by code unit: equal values give equal text. */
export function canonicalJson(value: Json): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: Json): Json {
  if (isList(value)) {
    return value.map(sorted);
  }
  if (!isMap(value)) return value;
  const result = Object.create(null) as { [key: string]: Json };
  for (const key of Object.keys(value).sort()) result[key] = sorted(value[key] as Json);
  return result;
}

/** Compact JSON in the key order that the value has. */
export function jsonText(value: Json): string {
  return JSON.stringify(value);
}

/** The number as a double, with whatever loss that means for an {@link ExactNumber}. */
export function asDouble(value: number | ExactNumber): number {
  return typeof value === 'number' ? value : Number(value.rawJSON);
}
