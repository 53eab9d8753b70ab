import type { Json, JsonList, JsonMap } from '../json/value.ts';
import { isList, isMap } from '../json/value.ts';
import { toBytes } from './bytes.ts';
import { type Code, compile, SyntaxFault } from './compile.ts';
import { openLibraries } from './environment.ts';
import { Input } from './input.ts';
import { DEFAULT_LIMITS, LimitReached, type Limits, Meter } from './limits.ts';
import { Machine } from './machine.ts';
import { Output, ResultFault } from './output.ts';
import { type Script, ScriptError, type ScriptErrorReason } from './script.ts';
import { Table } from './table.ts';
import { LuaError, typeName, type Value } from './value.ts';

/** The outcome of one run, and what became of the input in it. */
export type Run = {
  readonly value: Json;
  /**
   * The input map or list (the same reference) that this map or list of the output came in as; undefined for what the
   * script made. An output that is the input's very reference counts as itself.
   */
  sourceOf(output: Json): Json | undefined;
  /** Whether the script ever looked inside this input map or list. */
  wasRead(input: Json): boolean;
  /** What the script gave to `print`, a line for each call. */
  readonly log: readonly string[];
};

/** Whoever may stop this thread from outside, and wants to say then what was running. */
export type RunWatcher = {
  /** A run of this script begins. */
  script(name: string): void;
  /** The script's line that is running, told once in a few hundred steps. */
  line(line: number): void;
};

let watcher: RunWatcher | undefined;

/** From here on tells `next` of every run in this thread. It learns of runs and has no part in them. */
export function watchRuns(next: RunWatcher | undefined): void {
  watcher = next;
}

/**
 * Runs a script with the global `obj` and gives its last return value as JSON. Each run has an environment of its own;
 * compiled code is all that runs of a script share. What the script did not change comes out as the very same values
 * (see {@link Output} for the rules).
 * @throws ScriptError for everything that the script's author can mend; any other error is ours.
 */
export function runScript(script: Script, obj: JsonMap, limits?: Partial<Limits>): Run {
  watcher?.script(script.name);
  const meter = new Meter({ ...DEFAULT_LIMITS, ...limits }, watcher?.line);
  const machine = new Machine(script.name, meter);
  const input = new Input(meter);
  machine.exactNumber = input.exactNumber;
  try {
    meter.source(script.text.length);
    openLibraries(machine, input.value(obj), modules(script, machine));
    const value = machine.call(machine.load(compiled(script, meter)), []).at(-1);
    if (!(value instanceof Table)) throw new ResultFault(`the script must return a table, not ${described(value)}`);
    const output = new Output(input.exactNumber);
    const json = output.json(value);
    return { value: json, log: machine.log, ...provenance(output.made, input.read) };
  } catch (error) {
    throw scriptError(script, machine, error);
  }
}

/**
 * Compiles a script and its modules, and runs nothing of them.
 * @throws ScriptError for what is no Lua (`syntax`), or takes more than it may (`limit`, `time`)
 */
export function checkScript(script: Script): void {
  const meter = new Meter(DEFAULT_LIMITS);
  const machine = new Machine(script.name, meter);
  try {
    meter.source(script.text.length);
    compiled(script, meter);
    for (const [name, text] of Object.entries(script.modules)) {
      meter.source(text.length);
      compiledModule(name, text, meter);
    }
  } catch (error) {
    throw scriptError(script, machine, error);
  }
}

function described(value: Value): string {
  return value === undefined ? 'nothing: write `return obj.data` at its end' : `a ${typeName(value)}`;
}

/** Holds on to JSON only: a run that is kept must not keep the tables of its script alive. */
function provenance(
  made: ReadonlyMap<Json, Json | undefined>,
  reads: readonly (JsonList | JsonMap)[],
): Pick<Run, 'sourceOf' | 'wasRead'> {
  let read: Set<JsonList | JsonMap> | undefined;
  return {
    sourceOf: (json) => {
      if (!isMap(json) && !isList(json)) return undefined;
      return made.has(json) ? made.get(json) : json;
    },
    wasRead: (json) => {
      read ??= new Set(reads);
      return (isMap(json) || isList(json)) && read.has(json);
    },
  };
}

/** `require` of one run: each module runs once, when it is first asked for. */
function modules(script: Script, machine: Machine): (name: string) => Value {
  const loaded = new Map<string, Value>();
  return (name) => {
    if (loaded.has(name)) return loaded.get(name);
    const text = Object.hasOwn(script.modules, name) ? script.modules[name] : undefined;
    if (text === undefined) throw machine.error(`there is no module '${name}'${available(script)}`);
    machine.meter.source(text.length);
    loaded.set(name, true);
    const value = machine.call(machine.load(compiledModule(name, text, machine.meter)), [name])[0] ?? true;
    loaded.set(name, value);
    return value;
  };
}

function available(script: Script): string {
  const names = Object.keys(script.modules);
  return names.length === 0 ? '' : `, only ${names.join(', ')}`;
}

/** Compiled texts are kept for so many scripts and modules: more than any cluster has in use at a time. */
const KEPT = 256;

const scripts = new Map<string, { readonly text: string; readonly code: Code }>();

function compiled(script: Script, meter: Meter): Code {
  return remembered(script.hash, script.text, undefined, meter);
}

function compiledModule(name: string, text: string, meter: Meter): Code {
  return remembered(`module ${name}`, text, name, meter);
}

/** Compiles a text, or gives the code of the very same text compiled before. */
function remembered(key: string, text: string, chunk: string | undefined, meter: Meter): Code {
  const known = scripts.get(key);
  if (known?.text === text) return known.code;
  const code = compile(toBytes(text), chunk, () => meter.checkTime());
  if (scripts.size >= KEPT) for (const oldest of scripts.keys()) if (scripts.delete(oldest)) break;
  scripts.set(key, { text, code });
  return code;
}

/** Every failure of a run as the error that its author sees; our own errors pass as they are. */
function scriptError(script: Script, machine: Machine, error: unknown): unknown {
  const { name } = script;
  const failure = (line: number | undefined, reason: ScriptErrorReason, message: string) =>
    new ScriptError(name, line, reason, message, machine.log);
  if (error instanceof LuaError) {
    const { line, message } = error;
    return failure(line, 'runtime', message.startsWith(`${name}:`) ? message : `${place(name, line)} ${message}`);
  }
  if (error instanceof ResultFault) return failure(undefined, 'result', `${name}: ${error.message}`);
  const line = machine.line();
  if (error instanceof SyntaxFault) return syntaxError(name, line, error);
  if (error instanceof LimitReached) {
    return failure(line, error.reason, `${place(name, line)} ${error.message}`);
  }
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return failure(line, 'limit', `${place(name, line)} stopped: its calls are nested too deeply`);
  }
  return error;
}

/** A module's own line is in the message; the line of the error is where the script requires it. */
function syntaxError(
  name: string,
  line: number | undefined,
  { chunk, line: inChunk, message }: SyntaxFault,
): ScriptError {
  if (chunk === undefined) return new ScriptError(name, inChunk, 'syntax', `${place(name, inChunk)} ${message}`);
  return new ScriptError(name, line, 'syntax', `${place(name, line)} ${place(chunk, inChunk)} ${message}`);
}

function place(name: string, line: number | undefined): string {
  return line === undefined ? `${name}:` : `${name}:${line}:`;
}
