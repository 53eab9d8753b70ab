import type { Arguments } from './arguments.ts';
import { toDisplayString } from './base-library.ts';
import { numberText, shortest } from './number.ts';
import type { Value } from './value.ts';

/** Flags, width and precision of one `%` item. Both numbers have two digits at most, so an item is never long. */
type Item = {
  readonly left: boolean;
  readonly plus: boolean;
  readonly space: boolean;
  readonly alternate: boolean;
  readonly zero: boolean;
  readonly width: number;
  readonly precision: number | undefined;
};

const ITEM = /%(?:%|([-+ #0]*)(\d*)(?:\.(\d*))?([\s\S]?))/g;

/** `string.format`. Integers are taken without their fraction, as in Lua 5.1. */
export function format(args: Arguments): Value[] {
  const pattern = args.string(1);
  let position = 1;
  const text = pattern.replace(ITEM, (whole, flags = '', width = '', precision, conversion = '') => {
    if (whole === '%%') return '%';
    if (flags.length > 5 || width.length > 2 || (precision?.length ?? 0) > 2) {
      throw args.machine.error('invalid format (width or precision too long)');
    }
    const item: Item = {
      left: flags.includes('-'),
      plus: flags.includes('+'),
      space: flags.includes(' '),
      alternate: flags.includes('#'),
      zero: flags.includes('0'),
      width: Number(width),
      precision: precision === undefined ? undefined : Number(precision),
    };
    position++;
    const piece = convert(args, position, item, conversion);
    args.machine.meter.string(piece.length);
    return piece;
  });
  args.machine.meter.string(text.length);
  return [text];
}

function convert(args: Arguments, position: number, item: Item, conversion: string): string {
  switch (conversion) {
    case 'd':
    case 'i':
    case 'u':
      return integer(item, args.number(position), 10);
    case 'o':
      return integer(item, args.number(position), 8);
    case 'x':
      return integer(item, args.number(position), 16);
    case 'X':
      return integer(item, args.number(position), 16).toUpperCase();
    case 'c':
      return pad(item, String.fromCharCode(args.integer(position) & 255), false);
    case 'e':
    case 'f':
    case 'g':
      return float(item, args.number(position), conversion);
    case 'E':
    case 'F':
    case 'G':
      return float(item, args.number(position), conversion.toLowerCase()).toUpperCase();
    case 's': {
      const text = toDisplayString(args.machine, args.any(position));
      return pad(item, item.precision === undefined ? text : text.slice(0, item.precision), false);
    }
    case 'q':
      return quoted(args.any(position));
    default:
      throw args.machine.error(`invalid option '%${conversion}' to 'format'`);
  }
}

function integer(item: Item, value: number, base: number): string {
  if (!Number.isFinite(value)) return pad(item, numberText(value), false);
  const whole = Math.trunc(value);
  const digits = BigInt(Math.abs(whole))
    .toString(base)
    .padStart(item.precision ?? 1, '0');
  const prefix = item.alternate && base === 16 ? '0x' : '';
  return pad(item, sign(item, whole < 0) + prefix + digits, item.precision === undefined);
}

function float(item: Item, value: number, conversion: string): string {
  const negative = value < 0 || Object.is(value, -0);
  if (!Number.isFinite(value)) return pad(item, numberText(value), false);
  return pad(item, sign(item, negative) + digitsOf(item, Math.abs(value), conversion), true);
}

function digitsOf(item: Item, value: number, conversion: string): string {
  const precision = item.precision ?? 6;
  if (conversion === 'f') return fixed(value, precision);
  if (conversion === 'e') return exponential(value, precision);
  if (item.precision === undefined && !item.alternate) return shortest(value);
  const significant = Math.max(1, precision);
  const exponent = value === 0 ? 0 : Number(value.toExponential(significant - 1).split('e')[1]);
  const plain = exponent >= -4 && exponent < significant;
  const text = plain ? fixed(value, significant - 1 - exponent) : exponential(value, significant - 1);
  if (item.alternate || !text.includes('.')) return text;
  return plain ? text.replace(/\.?0+$/, '') : text.replace(/\.?0+(?=e)/, '');
}

/**
 * A number with so many decimals. What lies exactly in the middle goes to the even neighbour, as in C and Go, where
 * `toFixed` takes the larger one. `toFixed` also writes large numbers with an exponent; they have no fraction.
 */
function fixed(value: number, decimals: number): string {
  const precision = Math.min(decimals, MOST_DECIMALS);
  if (value < 1e21) {
    const exact = value.toFixed(Math.min(precision + 60, MOST_DECIMALS));
    const [, below = ''] = precision === 0 ? (/^(\d+)\.50*$/.exec(exact) ?? []) : (middle(precision).exec(exact) ?? []);
    return /[02468]$/.test(below) ? below : value.toFixed(precision);
  }
  return BigInt(value).toString() + (precision > 0 ? `.${'0'.repeat(precision)}` : '');
}

const MOST_DECIMALS = 100;

function middle(precision: number): RegExp {
  return new RegExp(`^(\\d+\\.\\d{${precision}})50*$`);
}

function exponential(value: number, precision: number): string {
  return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
}

function sign(item: Item, negative: boolean): string {
  if (negative) return '-';
  if (item.plus) return '+';
  return item.space ? ' ' : '';
}

function pad(item: Item, text: string, zeros: boolean): string {
  if (item.left) return text.padEnd(item.width);
  if (!item.zero || !zeros) return text.padStart(item.width);
  const [, head = '', digits = ''] = /^([-+ ]?(?:0x)?)([\s\S]*)$/.exec(text) ?? [];
  return head + digits.padStart(item.width - head.length, '0');
}

const QUOTED: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\0': '\\0' };

function quoted(value: Value): string {
  if (typeof value !== 'string') return typeof value === 'number' ? numberText(value) : String(value ?? 'nil');
  return `"${value.replace(/["\\\n\r\0]/g, (character) => QUOTED[character] ?? character)}"`;
}
