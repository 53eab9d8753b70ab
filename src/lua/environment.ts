import { BASE } from './base-library.ts';
import { builtin, libraryTable } from './function-library.ts';
import { JSON_LIBRARY } from './json-library.ts';
import type { Machine } from './machine.ts';
import { MATH } from './math-library.ts';
import { STRINGS } from './string-library.ts';
import { TABLES, UNPACK } from './table-library.ts';
import type { Value } from './value.ts';

const UNPACK_FUNCTION = builtin('unpack', UNPACK);

/** Gives a machine its globals. `require` is what loads a module of the script by its name. */
export function openLibraries(machine: Machine, obj: Value, require: (name: string) => Value): void {
  const { globals } = machine;
  const strings = libraryTable(machine, STRINGS);
  machine.stringMetatable.set('__index', strings);
  const required = builtin('require', (args) => [require(args.string(1))]);
  globals.load(
    [],
    [...BASE.keys, 'unpack', 'string', 'table', 'math', 'json', 'require', '_G', 'obj'],
    [
      ...BASE.values,
      UNPACK_FUNCTION,
      strings,
      libraryTable(machine, TABLES),
      libraryTable(machine, MATH),
      libraryTable(machine, JSON_LIBRARY),
      required,
      globals,
      obj,
    ],
  );
}
