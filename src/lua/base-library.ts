import type { Arguments } from './arguments.ts';
import { display } from './bytes.ts';
import { compile, SyntaxFault } from './compile.ts';
import { type FunctionLibrary, type LibraryFunction, library } from './function-library.ts';
import { NEXT_ITEM, NEXT_MEMBER } from './iterate.ts';
import { type Machine, truthy } from './machine.ts';
import { parseInBase, parseNumber } from './number.ts';
import { Table } from './table.ts';
import { asString, Builtin, LuaError, LuaFunction, typeName, Upvalue, type Value } from './value.ts';

/**
 * A value as `tostring` gives it. Tables and functions have no address to show, since results must not depend on one:
 * they are numbered in the order in which a run first shows them.
 */
export function toDisplayString(machine: Machine, value: Value): string {
  const handler = machine.metamethod(value, '__tostring');
  if (handler !== undefined) {
    const [text] = machine.call(handler, [value]);
    if (typeof text === 'string') return text;
    throw machine.error("'__tostring' must return a string");
  }
  if (typeof value === 'object') return `${typeName(value)}: ${machine.numberOf(value)}`;
  return asString(value) ?? (value === undefined ? 'nil' : String(value));
}

const raise: LibraryFunction = ({ values: [value, level], machine }) => {
  const up = typeof level === 'number' && level > 0 ? level : 1;
  const placed = typeof value === 'string' && level !== 0 ? machine.where(up) + value : value;
  throw new LuaError(placed, machine.line(up));
};

const assert: LibraryFunction = (args) => {
  if (truthy(args.any(1))) return [...args.values];
  const [, message = 'assertion failed!'] = args.values;
  throw new LuaError(message, args.machine.line());
};

const pcall: LibraryFunction = (args) => {
  const callee = args.any(1);
  const outcome = args.machine.attempt(() => args.machine.call(callee, args.values.slice(1)));
  return 'results' in outcome ? [true, ...outcome.results] : [false, outcome.error];
};

const xpcall: LibraryFunction = (args) => {
  const { machine } = args;
  const [callee, , ...rest] = args.values;
  const handler = args.function(2);
  const outcome = machine.attempt(() => machine.call(callee, rest));
  if ('results' in outcome) return [true, ...outcome.results];
  const handled = machine.attempt(() => machine.call(handler, [outcome.error]));
  return [false, ...('results' in handled ? handled.results : [handled.error])];
};

const select: LibraryFunction = (args) => {
  const [which, ...rest] = args.values;
  if (which === '#') return [rest.length];
  const at = args.integer(1);
  if (at < 0) {
    if (-at > rest.length) throw args.fault(1, 'index out of range');
    return rest.slice(at);
  }
  if (at === 0) throw args.fault(1, 'index out of range');
  return rest.slice(at - 1);
};

const tonumber: LibraryFunction = (args) => {
  const value = args.any(1);
  if (args.values[1] === undefined) return [typeof value === 'string' ? parseNumber(value) : onlyNumber(value)];
  const base = args.integer(2);
  if (base < 2 || base > 36) throw args.fault(2, 'base out of range');
  return [parseInBase(args.string(1), base)];
};

function onlyNumber(value: Value): Value {
  return typeof value === 'number' ? value : undefined;
}

const getmetatable: LibraryFunction = (args) => {
  const value = args.any(1);
  const { machine } = args;
  const metatable = value instanceof Table ? value.metatable : undefined;
  const found = typeof value === 'string' ? machine.stringMetatable : metatable;
  return [found?.get('__metatable') ?? found];
};

const setmetatable: LibraryFunction = (args) => {
  const table = args.table(1);
  const [, metatable] = args.values;
  if (metatable !== undefined && !(metatable instanceof Table)) throw args.fault(2, 'nil or table expected');
  if (table.metatable?.get('__metatable') !== undefined)
    throw args.machine.error('cannot change a protected metatable');
  table.metatable = metatable;
  return [table];
};

const pairs: LibraryFunction = (args) => {
  const value = args.any(1);
  const handler = args.machine.metamethod(value, '__pairs');
  if (handler !== undefined) return args.machine.call(handler, [value]).slice(0, 3);
  return [NEXT_MEMBER, args.table(1), undefined];
};

/** Loads text only: `loadstring(text, name)`, `load(text or function, name, mode, environment)`. */
const load: LibraryFunction = (args) => {
  const { machine } = args;
  const [source, name, , environment] = args.values;
  const text = typeof source === 'string' ? source : readPieces(machine, args.function(1));
  machine.meter.source(text.length);
  try {
    const chunk = typeof name === 'string' ? name.replace(/^[=@]/, '') : 'loaded text';
    return [
      machine.load(
        compile(text, chunk, () => machine.meter.checkTime()),
        args.values.length > 3 ? environment : machine.globals,
      ),
    ];
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    return [undefined, `loaded text:${error.line ?? '?'}: ${error.message}`];
  }
};

function readPieces(machine: Machine, reader: Value): string {
  let text = '';
  for (;;) {
    const [piece] = machine.call(reader, []);
    if (piece === undefined || piece === '') return text;
    if (typeof piece !== 'string') throw machine.error('reader function must return a string');
    machine.meter.string(text.length + piece.length);
    text += piece;
  }
}

/** The function that `getfenv` and `setfenv` mean: one that is given, or the one so many calls up. */
function functionAt(args: Arguments): LuaFunction | undefined {
  const value = args.values[0] ?? 1;
  if (value instanceof LuaFunction) return value;
  if (value instanceof Builtin) return undefined;
  const level = args.integer(1, 1);
  const frame = args.machine.frameAt(level);
  if (level > 0 && frame === undefined) throw args.fault(1, 'invalid level');
  return level > 0 ? frame?.fn : undefined;
}

const environmentOf = (fn: LuaFunction) => fn.code.upvalues.findIndex(({ name }) => name === '_ENV');

const getfenv: LibraryFunction = (args) => {
  const fn = functionAt(args);
  const found = fn?.upvalues[fn === undefined ? -1 : environmentOf(fn)];
  return [found === undefined ? args.machine.globals : found.get()];
};

/** A function has an environment of its own from here on, and so have those that it makes later. */
const setfenv: LibraryFunction = (args) => {
  const environment = args.table(2);
  const fn = functionAt(args);
  if (fn === undefined) throw args.machine.error("'setfenv' cannot change the environment of the whole script");
  const at = environmentOf(fn);
  if (at >= 0) fn.upvalues[at] = new Upvalue([environment], 0);
  return [fn];
};

/** The base functions, without `dofile`, `loadfile` and `collectgarbage`; those that Lua 5.1 has and 5.3 lacks included. */
export const BASE: FunctionLibrary = library(
  {
    assert,
    error: raise,
    getfenv,
    getmetatable,
    ipairs: (args) => [NEXT_ITEM, args.table(1), 0],
    load,
    loadstring: load,
    pairs,
    pcall,
    print: ({ values, machine }) => {
      const line = values.map((value) => display(toDisplayString(machine, value))).join('\t');
      machine.meter.string(line.length);
      machine.meter.entries++;
      machine.log.push(line);
      return [];
    },
    rawequal: (args) => [args.any(1) === args.any(2)],
    rawget: (args) => [args.table(1).get(args.any(2))],
    rawlen: (args) => [typeof args.values[0] === 'string' ? args.values[0].length : args.table(1).length],
    rawset: (args) => {
      args.machine.rawSet(args.table(1), args.any(2), args.any(3));
      return [args.table(1)];
    },
    select,
    setfenv,
    setmetatable,
    tonumber,
    tostring: (args) => [toDisplayString(args.machine, args.any(1))],
    type: (args) => [typeName(args.any(1))],
    xpcall,
  },
  { _VERSION: 'Lua 5.1', next: NEXT_MEMBER },
);
