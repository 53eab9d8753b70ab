import type { Arguments } from './arguments.ts';
import { format } from './format.ts';
import { builtin, type FunctionLibrary, type LibraryFunction, library } from './function-library.ts';
import { truthy } from './machine.ts';
import { Matcher } from './pattern.ts';
import { Table } from './table.ts';
import { asString, isFunction, typeName, type Value } from './value.ts';

/** A position of Lua as an offset from 0: negative ones count from the end. */
function offset(position: number, length: number): number {
  if (position > 0) return position - 1;
  return position === 0 ? 0 : Math.max(0, length + position);
}

const sub: LibraryFunction = (args) => {
  const text = args.string(1);
  const start = offset(args.integer(2, 1), text.length);
  const last = args.integer(3, -1);
  const end = last < 0 ? text.length + last + 1 : Math.min(last, text.length);
  if (start >= end) return [''];
  args.machine.meter.string(end - start);
  return [text.slice(start, end)];
};

const byte: LibraryFunction = (args) => {
  const text = args.string(1);
  const from = args.integer(2, 1);
  const start = offset(from, text.length);
  const last = args.integer(3, from);
  const end = last < 0 ? text.length + last + 1 : Math.min(last, text.length);
  args.machine.spend(Math.max(0, end - start));
  if (end - start > MOST_VALUES) throw args.machine.error('string slice too long');
  return Array.from({ length: Math.max(0, end - start) }, (_, i) => text.charCodeAt(start + i));
};

const MOST_VALUES = 100_000;

const char: LibraryFunction = (args) => {
  const codes = args.values.map((_, i) => {
    const code = args.integer(i + 1);
    if (code < 0 || code > 255) throw args.fault(i + 1, 'value out of range');
    return String.fromCharCode(code);
  });
  return [codes.join('')];
};

const rep: LibraryFunction = (args) => {
  const text = args.string(1);
  const count = Math.max(0, args.integer(2));
  const separator = args.string(3, '');
  if (count === 0 || text + separator === '') return [''];
  args.machine.meter.string((text.length + separator.length) * count);
  return [separator === '' ? text.repeat(count) : (text + separator).repeat(count - 1) + text];
};

const reverse: LibraryFunction = (args) => {
  const text = args.string(1);
  args.machine.meter.string(text.length);
  return [Buffer.from(text, 'latin1').reverse().toString('latin1')];
};

/** Only ASCII letters have a case: bytes of other characters stay as they are. */
function recase(args: Arguments, pattern: RegExp, to: (letters: string) => string): Value[] {
  const text = args.string(1);
  args.machine.meter.string(text.length);
  return [text.replace(pattern, to)];
}

function search(args: Arguments, wanted: 'place' | 'captures'): Value[] {
  const text = args.string(1);
  const pattern = args.string(2);
  const init = args.integer(3, 1);
  const start = offset(init, text.length);
  if (start > text.length) return [undefined];
  if (wanted === 'place' && (truthy(args.values[3]) || !/[\^$*+?.([%-]/.test(pattern))) {
    args.machine.spend(text.length >> 4);
    const found = text.indexOf(pattern, start);
    return found < 0 ? [undefined] : [found + 1, found + pattern.length];
  }
  const anchored = pattern.startsWith('^');
  const matcher = new Matcher(args.machine, text, pattern);
  for (let at = start; at <= text.length; at++) {
    const end = matcher.matchAt(at, anchored ? 1 : 0);
    if (end >= 0) {
      const captures = matcher.captures(at, end);
      if (wanted === 'captures') return captures;
      return /\(/.test(pattern) ? [at + 1, end, ...captures] : [at + 1, end];
    }
    args.machine.spend(1);
    if (anchored) break;
  }
  return [undefined];
}

const gmatch: LibraryFunction = (args) => {
  const text = args.string(1);
  const matcher = new Matcher(args.machine, text, args.string(2));
  let at = 0;
  let lastEnd = -1;
  const next = builtin('gmatch iterator', ({ machine }) => {
    for (; at <= text.length; at++) {
      machine.spend(1);
      const end = matcher.matchAt(at, 0);
      if (end < 0 || end === lastEnd) continue;
      const captures = matcher.captures(at, end);
      at = end;
      lastEnd = end;
      return captures;
    }
    return [undefined];
  });
  return [next];
};

/** What a match is replaced with; undefined leaves it as it is. */
type Replacement = (matcher: Matcher, start: number, end: number) => Value;

function replacement(args: Arguments): Replacement {
  const { machine } = args;
  const [, , given] = args.values;
  if (given instanceof Table) return (matcher, start, end) => machine.index(given, matcher.capture(0, start, end));
  if (isFunction(given)) return (matcher, start, end) => machine.call(given, matcher.captures(start, end))[0];
  const template = asString(given);
  if (template === undefined) throw args.fault(3, 'string/function/table expected');
  if (!template.includes('%')) return () => template;
  return (matcher, start, end) =>
    template.replace(/%([\s\S]?)/g, (_, character: string) => {
      if (character === '0') return asString(matcher.whole(start, end)) ?? '';
      if (/\d/.test(character)) return asString(matcher.capture(Number(character) - 1, start, end)) ?? '';
      if (character === '') throw machine.error("invalid use of '%' in replacement string");
      return character;
    });
}

const gsub: LibraryFunction = (args) => {
  const { machine } = args;
  const text = args.string(1);
  const pattern = args.string(2);
  const replace = replacement(args);
  const most = args.integer(4, text.length + 1);
  const anchored = pattern.startsWith('^');
  const matcher = new Matcher(machine, text, pattern);
  const pieces: string[] = [];
  let at = 0;
  let copied = 0;
  let size = 0;
  let lastEnd = -1;
  let count = 0;
  while (count < most) {
    machine.spend(1);
    const end = matcher.matchAt(at, anchored ? 1 : 0);
    if (end >= 0 && end !== lastEnd) {
      count++;
      const value = replace(matcher, at, end);
      const piece = truthy(value) ? asString(value) : text.slice(at, end);
      if (piece === undefined) throw machine.error(`invalid replacement value (a ${typeName(value)})`);
      machine.meter.string(piece.length);
      size += at - copied + piece.length;
      machine.meter.longest(size);
      pieces.push(text.slice(copied, at), piece);
      at = end;
      copied = end;
      lastEnd = end;
    } else if (at < text.length) at++;
    else break;
    if (anchored) break;
  }
  machine.meter.string(text.length - copied);
  pieces.push(text.slice(copied));
  return [pieces.join(''), count];
};

/** `string`, with `gfind` of Lua 5.0/5.1 and without `dump`. */
export const STRINGS: FunctionLibrary = library({
  byte,
  char,
  find: (args) => search(args, 'place'),
  format,
  gfind: gmatch,
  gmatch,
  gsub,
  len: (args) => [args.string(1).length],
  lower: (args) => recase(args, /[A-Z]+/g, (letters) => letters.toLowerCase()),
  match: (args) => search(args, 'captures'),
  rep,
  reverse,
  sub,
  upper: (args) => recase(args, /[a-z]+/g, (letters) => letters.toUpperCase()),
});
