import { canonicalJson, parseJson } from '../json/text.ts';
import { isList, isMap, type Json } from '../json/value.ts';
import { toBytes, toText } from './bytes.ts';
import { type FunctionLibrary, type LibraryFunction, library } from './function-library.ts';
import { LimitReached } from './limits.ts';
import type { Machine } from './machine.ts';
import { Output, ResultFault } from './output.ts';
import { Table } from './table.ts';
import type { Value } from './value.ts';

/** Four times what all annotations of an object may hold. */
const LONGEST_JSON = 1024 * 1024;

/** `json.encode(value)`: JSON text with sorted keys; nil and a message when the value is no JSON. */
const encode: LibraryFunction = (args) => {
  try {
    const text = toBytes(canonicalJson(new Output(args.machine.exactNumber).json(args.values[0])));
    args.machine.meter.string(text.length);
    return [text];
  } catch (error) {
    if (!(error instanceof ResultFault)) throw error;
    return [undefined, `cannot encode: ${error.message}`];
  }
};

/** `json.decode(text)`: the value, null as nil; nil and a message when the text is no JSON. */
const decode: LibraryFunction = (args) => {
  const text = toText(args.string(1));
  if (text === undefined) return [undefined, 'cannot decode: the text is no UTF-8'];
  if (text.length > LONGEST_JSON) throw new LimitReached(`stopped: it decodes JSON of more than ${LONGEST_JSON} bytes`);
  args.machine.meter.string(text.length);
  try {
    return [decoded(args.machine, parseJson(text))];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [undefined, `cannot decode: ${error.message}`];
  }
};

function decoded(machine: Machine, json: Json): Value {
  if (typeof json === 'string') return toBytes(json);
  if (typeof json !== 'object') return json;
  if (json === null) return undefined;
  if (isList(json)) {
    const items = json.filter((item) => item !== null).map((item) => decoded(machine, item));
    return filled(machine, 'list', items, [], []);
  }
  if (!isMap(json)) return Number(json.rawJSON);
  const keys = Object.keys(json).filter((key) => json[key] !== null);
  return filled(
    machine,
    'map',
    [],
    keys.map(toBytes),
    keys.map((key) => decoded(machine, json[key] ?? null)),
  );
}

function filled(machine: Machine, shape: 'list' | 'map', items: Value[], keys: Value[], values: Value[]): Table {
  const table = new Table(machine.meter, undefined, undefined, shape);
  table.load(items, keys, values);
  machine.meter.checkEntries();
  return table;
}

/** `json`: `encode` and `decode` as scripts of Kruise Rollouts know them; `list()` makes a table that is `[]` while empty. */
export const JSON_LIBRARY: FunctionLibrary = library({
  decode,
  encode,
  list: ({ machine }) => [new Table(machine.meter, undefined, undefined, 'list')],
});
