import { type FunctionLibrary, library } from './function-library.ts';

/** Fraction and exponent: value = fraction × 2^exponent, 0.5 ≤ |fraction| < 1. */
function frexp(value: number): [number, number] {
  if (value === 0 || !Number.isFinite(value)) return [value, 0];
  let exponent = Math.max(-1023, Math.floor(Math.log2(Math.abs(value))) + 1);
  let fraction = value * 2 ** -exponent;
  while (Math.abs(fraction) < 0.5) {
    fraction *= 2;
    exponent--;
  }
  while (Math.abs(fraction) >= 1) {
    fraction /= 2;
    exponent++;
  }
  return [fraction, exponent];
}

/** `math` without `random`, `randomseed`: a rewrite gives the same answer each time. */
export const MATH: FunctionLibrary = library(
  {
    abs: (args) => [Math.abs(args.number(1))],
    acos: (args) => [Math.acos(args.number(1))],
    asin: (args) => [Math.asin(args.number(1))],
    atan: (args) => [Math.atan2(args.number(1), args.number(2, 1))],
    atan2: (args) => [Math.atan2(args.number(1), args.number(2))],
    ceil: (args) => [Math.ceil(args.number(1))],
    cos: (args) => [Math.cos(args.number(1))],
    cosh: (args) => [Math.cosh(args.number(1))],
    deg: (args) => [(args.number(1) * 180) / Math.PI],
    exp: (args) => [Math.exp(args.number(1))],
    floor: (args) => [Math.floor(args.number(1))],
    fmod: (args) => [args.number(1) % args.number(2)],
    frexp: (args) => frexp(args.number(1)),
    ldexp: (args) => [args.number(1) * 2 ** args.integer(2)],
    log: (args) => {
      const value = Math.log(args.number(1));
      return [args.values[1] === undefined ? value : value / Math.log(args.number(2))];
    },
    log10: (args) => [Math.log10(args.number(1))],
    max: (args) => [args.values.reduce<number>((most, _, i) => Math.max(most, args.number(i + 1)), args.number(1))],
    min: (args) => [args.values.reduce<number>((least, _, i) => Math.min(least, args.number(i + 1)), args.number(1))],
    mod: (args) => [args.number(1) % args.number(2)],
    modf: (args) => {
      const value = args.number(1);
      return [Math.trunc(value), Number.isFinite(value) ? value % 1 : 0];
    },
    pow: (args) => [args.number(1) ** args.number(2)],
    rad: (args) => [(args.number(1) * Math.PI) / 180],
    sin: (args) => [Math.sin(args.number(1))],
    sinh: (args) => [Math.sinh(args.number(1))],
    sqrt: (args) => [Math.sqrt(args.number(1))],
    tan: (args) => [Math.tan(args.number(1))],
    tanh: (args) => [Math.tanh(args.number(1))],
    tointeger: (args) => [Number.isInteger(args.values[0]) ? args.values[0] : undefined],
    type: (args) => [
      typeof args.any(1) === 'number' ? (Number.isInteger(args.any(1)) ? 'integer' : 'float') : undefined,
    ],
  },
  { huge: Number.POSITIVE_INFINITY, pi: Math.PI },
);
