/**
 * A number as Lua 5.1 prints it in gopher-lua, the engine of Kruise Rollouts: every number is a double; an integral one
 * that fits into 64 bits has no fraction and no exponent, any other has the digits of {@link shortest}.
 */
export function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 ? '0' : String(value);
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 63) return BigInt(value).toString();
  return shortest(value);
}

/** The fewest digits that read back as the same double, with an exponent below 1e-4 and from 1e6 on (Go's `%g`). */
export function shortest(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
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
