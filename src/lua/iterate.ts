import { Table } from './table.ts';
import { Builtin, type Value } from './value.ts';

/** `next(table, key)`: what `pairs` walks with. The interpreter's loop knows it and takes a short cut. */
export const NEXT_MEMBER = new Builtin('next', (args, machine) => {
  const [table, key] = args;
  if (!(table instanceof Table)) throw machine.error("bad argument #1 to 'next' (table expected)");
  const cursor = table.cursorAfter(key);
  if (cursor === undefined) throw machine.error("invalid key to 'next'");
  const at = table.occupied(cursor);
  return at < 0 ? [undefined] : [table.keyAt(at), table.valueAt(at)];
});

/** The step of `ipairs`: the item after the given position, metatables included. */
export const NEXT_ITEM = new Builtin('for iterator', (args, machine) => {
  const [list, before] = args;
  const at = Number(before) + 1;
  const value: Value = machine.index(list, at);
  return value === undefined ? [undefined] : [at, value];
});
