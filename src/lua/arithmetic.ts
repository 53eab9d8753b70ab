import { parseNumber } from './number.ts';
import type { Value } from './value.ts';

/** The operators by the names of their metamethods. */
export type ArithmeticEvent =
  | '__add'
  | '__sub'
  | '__mul'
  | '__mod'
  | '__pow'
  | '__div'
  | '__idiv'
  | '__band'
  | '__bor'
  | '__bxor'
  | '__shl'
  | '__shr'
  | '__unm'
  | '__bnot';

const DOUBLES: { readonly [event in ArithmeticEvent]?: (a: number, b: number) => number } = {
  __add: (a, b) => a + b,
  __sub: (a, b) => a - b,
  __mul: (a, b) => a * b,
  __mod: modulo,
  __pow: (a, b) => a ** b,
  __div: (a, b) => a / b,
  __idiv: (a, b) => Math.floor(a / b),
  __unm: (a) => -a,
};

/** On 32-bit integers, as fengari has them: Lua 5.1 knows no such operators. */
const INTEGERS: { readonly [event in ArithmeticEvent]?: (a: number, b: number) => number } = {
  __band: (a, b) => a & b,
  __bor: (a, b) => a | b,
  __bxor: (a, b) => a ^ b,
  __shl: shiftLeft,
  __shr: (a, b) => shiftLeft(a, -b),
  __bnot: (a) => ~a,
};

/** The remainder with the sign of the divisor. */
export function modulo(a: number, b: number): number {
  const rest = a % b;
  return rest * b < 0 ? rest + b : rest;
}

function shiftLeft(a: number, b: number): number {
  if (b <= -32 || b >= 32) return 0;
  return b < 0 ? a >>> -b : a << b;
}

/** The number that a value counts as in arithmetic: strings that hold a numeral do. */
export function asNumber(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? parseNumber(value) : undefined;
}

/** An operator on numbers and numerals; undefined when an operand is neither, or no integer where one is needed. */
export function arithmetic(event: ArithmeticEvent, left: Value, right: Value): number | undefined {
  const a = asNumber(left);
  const b = asNumber(right);
  if (a === undefined || b === undefined) return undefined;
  const double = DOUBLES[event];
  if (double !== undefined) return double(a, b);
  return Number.isInteger(a) && Number.isInteger(b) ? INTEGERS[event]?.(a, b) : undefined;
}

/** `left < right` for two numbers or two strings, else undefined. */
export function compareLess(left: Value, right: Value): boolean | undefined {
  if (typeof left === 'number' && typeof right === 'number') return left < right;
  return typeof left === 'string' && typeof right === 'string' ? left < right : undefined;
}
