/**
 * Numbers of Lua 5.1: every number is a double. An integral one prints without a fraction, the others with the fewest
 * digits that read back as the same number, as the engine of Kruise Rollouts (gopher-lua) prints them.
 */
export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

/** Longer numerals are none (the reference implementation draws this line at 200 characters). */
const LONGEST_NUMERAL = 400;

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?$/;

/** Reads a Lua numeral, white space around it allowed; undefined when it is none. */
export function parseNumber(text: string): number | undefined {
  if (text.length > LONGEST_NUMERAL) return undefined;
  const numeral = text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '');
  if (DECIMAL.test(numeral)) return Number(numeral);
  const [, sign, whole = '', fraction = '', exponent = '0'] = HEXADECIMAL.exec(numeral) ?? [];
  if (sign === undefined || whole + fraction === '') return undefined;
  let value = 0;
  for (const digit of whole) value = value * 16 + Number.parseInt(digit, 16);
  let weight = 1;
  for (const digit of fraction) {
    weight /= 16;
    value += Number.parseInt(digit, 16) * weight;
  }
  value *= 2 ** Number(exponent);
  return sign === '-' ? -value : value;
}

/** Reads an integer in a base from 2 to 36, as `tonumber(text, base)`; undefined when a digit is none of that base. */
export function parseInBase(text: string, base: number): number | undefined {
  if (text.length > LONGEST_NUMERAL) return undefined;
  const [, sign, digits] = /^[ \t\n\v\f\r]*([+-]?)(\w+)[ \t\n\v\f\r]*$/.exec(text.toLowerCase()) ?? [];
  if (digits === undefined) return undefined;
  let value = 0;
  for (const digit of digits) {
    const number = Number.parseInt(digit, 36);
    if (!(number < base)) return undefined;
    value = value * base + number;
  }
  return sign === '-' ? -value : value;
}
