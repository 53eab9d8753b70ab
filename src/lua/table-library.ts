import type { Arguments } from './arguments.ts';
import { type FunctionLibrary, type LibraryFunction, library } from './function-library.ts';
import { type Machine, truthy } from './machine.ts';
import type { Table } from './table.ts';
import { asString, typeName, type Value } from './value.ts';

const plain = (table: Table) => table.metatable === undefined;

function lengthOf(machine: Machine, table: Table): number {
  return plain(table) ? table.length : Number(machine.length(table));
}

const insert: LibraryFunction = (args) => {
  const { machine, values } = args;
  const table = args.table(1);
  const size = lengthOf(machine, table);
  if (values.length === 2) {
    machine.setIndex(table, size + 1, values[1]);
    return [];
  }
  if (values.length !== 3) throw machine.error("wrong number of arguments to 'insert'");
  const at = args.integer(2);
  if (at < 1 || at > size + 1) {
    // Lua 5.1 has no error here either: nothing has to move.
    machine.setIndex(table, at, values[2]);
    return [];
  }
  machine.spend((size - at) >> 5);
  if (plain(table)) {
    table.insertAt(at, values[2]);
    return [];
  }
  for (let i = size; i >= at; i--) machine.setIndex(table, i + 1, machine.index(table, i));
  machine.setIndex(table, at, values[2]);
  return [];
};

const remove: LibraryFunction = (args) => {
  const { machine } = args;
  const table = args.table(1);
  const size = lengthOf(machine, table);
  const at = args.integer(2, size);
  if (at < 1 || at > size) {
    // Lua 5.1 has no error here: nothing is removed.
    return [undefined];
  }
  machine.spend((size - at) >> 5);
  if (plain(table)) return [table.removeAt(at)];
  const value = machine.index(table, at);
  for (let i = at; i < size; i++) machine.setIndex(table, i, machine.index(table, i + 1));
  machine.setIndex(table, size, undefined);
  return [value];
};

const concat: LibraryFunction = (args) => {
  const { machine } = args;
  const table = args.table(1);
  const separator = args.string(2, '');
  const first = args.integer(3, 1);
  const last = args.integer(4, args.values[3] === undefined ? lengthOf(machine, table) : undefined);
  let text = '';
  for (let i = first; i <= last; i++) {
    const item = machine.index(table, i);
    const piece = asString(item);
    if (piece === undefined) {
      throw machine.error(`invalid value (a ${typeName(item)}) at index ${i} in table for 'concat'`);
    }
    machine.spend(1);
    machine.meter.string(piece.length + separator.length);
    text += i < last ? piece + separator : piece;
    machine.meter.longest(text.length);
  }
  return [text];
};

/** So many values at once, as arguments or results: more is a mistake or a bomb. */
const MOST_VALUES = 100_000;

const unpack: LibraryFunction = (args) => {
  const { machine } = args;
  const [table] = args.values;
  const first = args.integer(2, 1);
  const last = args.integer(3, args.values[2] === undefined ? Number(machine.length(table)) : undefined);
  if (last - first >= MOST_VALUES) throw machine.error('too many results to unpack');
  machine.spend(Math.max(0, last - first));
  const values: Value[] = [];
  for (let i = first; i <= last; i++) values.push(machine.index(table, i));
  return values;
};

/** Stable merge sort: an order function that contradicts itself can do no more than mix up its own list. */
const sort: LibraryFunction = (args) => {
  const { machine } = args;
  const table = args.table(1);
  const [, order] = args.values;
  if (order !== undefined) args.function(2);
  const size = lengthOf(machine, table);
  const items: Value[] = [];
  for (let i = 1; i <= size; i++) items.push(machine.index(table, i));
  const before = (a: Value, b: Value) => {
    machine.spend(1);
    return order === undefined ? machine.lessThan(a, b) : truthy(machine.call(order, [a, b])[0]);
  };
  items.sort((a, b) => (before(a, b) ? -1 : before(b, a) ? 1 : 0));
  items.forEach((item, i) => {
    machine.setIndex(table, i + 1, item);
  });
  return [];
};

/** The largest positive number that is a key. */
function largestKey(args: Arguments): number {
  const table = args.table(1);
  let most = table.length;
  table.eachMember((key) => {
    if (typeof key === 'number' && key > most) most = key;
  });
  return most;
}

/** Calls a function for each member; the first result that is not nil ends the walk. */
function walk(args: Arguments, next: (cursor: number) => Value[] | undefined): Value[] {
  const callee = args.function(2);
  for (let cursor = 0; ; cursor++) {
    const pair = next(cursor);
    if (pair === undefined) return [];
    const [result] = args.machine.call(callee, pair);
    if (result !== undefined) return [result];
  }
}

const foreach: LibraryFunction = (args) => {
  const table = args.table(1);
  let key: Value;
  return walk(args, () => {
    const at = table.occupied(table.cursorAfter(key) ?? 0);
    if (at < 0) return undefined;
    key = table.keyAt(at);
    return [key, table.valueAt(at)];
  });
};

const foreachi: LibraryFunction = (args) => {
  const table = args.table(1);
  return walk(args, (i) => (i < table.length ? [i + 1, table.get(i + 1)] : undefined));
};

const move: LibraryFunction = (args) => {
  const { machine } = args;
  const from = args.table(1);
  const [first, last, at] = [args.integer(2), args.integer(3), args.integer(4)];
  const to = args.values[4] === undefined ? from : args.table(5);
  if (last - first >= MOST_VALUES) throw args.fault(3, 'too many elements to move');
  machine.spend(Math.max(0, last - first));
  const values: Value[] = [];
  for (let i = first; i <= last; i++) values.push(machine.index(from, i));
  values.forEach((value, i) => {
    machine.setIndex(to, at + i, value);
  });
  return [to];
};

/** `table`, with the names that Lua 5.1 has and 5.3 lacks. */
export const TABLES: FunctionLibrary = library({
  concat,
  foreach,
  foreachi,
  getn: (args) => [args.table(1).length],
  insert,
  maxn: (args) => [largestKey(args)],
  move,
  pack: ({ values, machine }) => {
    const table = machine.table();
    values.forEach((value, i) => {
      table.set(i + 1, value);
    });
    table.set('n', values.length);
    return [table];
  },
  remove,
  sort,
  unpack,
});

export const UNPACK = unpack;
