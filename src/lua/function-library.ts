import { Arguments } from './arguments.ts';
import type { Machine } from './machine.ts';
import { Table } from './table.ts';
import { Builtin, type Value } from './value.ts';

/** A library function by what it does with its arguments. */
export type LibraryFunction = (args: Arguments) => Value[];

/** A library as it is before any run: names and values that no run can change. */
export type FunctionLibrary = { readonly keys: readonly string[]; readonly values: readonly Value[] };

/** Makes a library; `title` prefixes the functions' names in error messages. */
export function library(
  functions: Readonly<Record<string, LibraryFunction>>,
  constants: Readonly<Record<string, Value>> = {},
): FunctionLibrary {
  const entries = Object.entries(functions).map(([name, run]): [string, Value] => [name, builtin(name, run)]);
  const all = [...entries, ...Object.entries(constants)];
  return { keys: all.map(([name]) => name), values: all.map(([, value]) => value) };
}

export function builtin(name: string, run: LibraryFunction): Builtin {
  return new Builtin(name, (values, machine) => run(new Arguments(name, values, machine)));
}

/** The library as a table of one run. It is filled when the script first looks at it. */
export function libraryTable(machine: Machine, { keys, values }: FunctionLibrary): Table {
  return new Table(machine.meter, undefined, (table) => table.load([], [...keys], [...values]));
}
