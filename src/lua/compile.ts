import { createRequire } from 'node:module';
import { lenientEscapes } from './escapes.ts';
import { LimitReached } from './limits.ts';
import { parseNumber } from './number.ts';
import { constantOperands, OP, wideOperand } from './opcode.ts';
import type { Value } from './value.ts';

/** One instruction. An operand that names constant `n` is written `~n`, so that a register is never negative. */
export type Instruction = { readonly op: number; readonly a: number; readonly b: number; readonly c: number };

/** A compiled function: immutable, so that any number of runs may share it. */
export type Code = {
  /** Whose text it is, as errors name it; undefined for the script's own, which errors name by the script's name. */
  readonly chunk: string | undefined;
  readonly instructions: readonly Instruction[];
  readonly constants: readonly Value[];
  readonly functions: readonly Code[];
  readonly upvalues: readonly { readonly name: string; readonly inStack: boolean; readonly index: number }[];
  readonly parameters: number;
  readonly vararg: boolean;
  readonly registers: number;
  /** The line of each instruction. */
  readonly lines: readonly number[];
  /** Names of local variables, each in its range of instructions. */
  readonly locals: readonly { readonly name: string; readonly start: number; readonly end: number }[];
};

/** A text that is no Lua. The message has no position; the line is apart. */
export class SyntaxFault extends Error {
  override readonly name = 'SyntaxFault';
  readonly line: number | undefined;
  /** Whose text it is, see {@link Code}. */
  readonly chunk: string | undefined;

  constructor(message: string, line: number | undefined, chunk: string | undefined) {
    super(message);
    this.line = line;
    this.chunk = chunk;
  }
}

/** What we use of fengari 0.1.5, read from its source: it ships no types. */
type FengariString = { hash: string | null; getstr(): Uint8Array };
type FengariValue = { readonly type: number; readonly value: unknown; setfltvalue(value: number): void };
type FengariInstruction = { [field in 'opcode' | 'A' | 'B' | 'C' | 'Bx' | 'sBx' | 'Ax']: number };
type FengariProto = {
  readonly k: readonly FengariValue[];
  readonly p: readonly FengariProto[];
  readonly code: readonly FengariInstruction[];
  readonly lineinfo: readonly number[];
  readonly upvalues: readonly { name: FengariString | null; instack: boolean; idx: number }[];
  readonly locvars: readonly { varname: FengariString; startpc: number; endpc: number }[];
  readonly numparams: number;
  readonly is_vararg: boolean;
  readonly maxstacksize: number;
};
type FengariState = {
  readonly stack: readonly { readonly value: { readonly p: FengariProto } }[];
  readonly top: number;
};
type Fengari = {
  lua_newstate(): FengariState;
  lua_load(
    state: FengariState,
    reader: () => Uint8Array | null,
    data: null,
    name: Uint8Array,
    mode: Uint8Array,
  ): number;
  lua_tostring(state: FengariState, index: number): Uint8Array | null;
};

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

let loaded: Fengari | undefined;

/**
 * Loads fengari when the first script is compiled, its core only: the files of its `os`, `io` and `package` libraries
 * are never read. Two functions are replaced before anything else can take hold of them:
 * numerals become doubles (fengari's integers are 32 bits wide, and constant folding would wrap), and strings are told
 * apart by all their bytes (fengari's own key drops leading zeros: "\t\n" and "\x9a" are the same string to it).
 */
function fengari(): Fengari {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const strings = require('fengari/src/lstring.js') as {
    luaS_hash: (bytes: Uint8Array) => string;
    luaS_hashlongstr: (text: FengariString) => string;
  };
  strings.luaS_hash = (bytes) => `|${latin1(bytes)}`;
  strings.luaS_hashlongstr = (text) => {
    text.hash ??= strings.luaS_hash(text.getstr());
    return text.hash;
  };
  loaded = require('fengari/src/lua.js') as Fengari;
  const objects = require('fengari/src/lobject.js') as {
    luaO_str2num: (bytes: Uint8Array, into: FengariValue) => number;
  };
  objects.luaO_str2num = (bytes, into) => {
    const number = parseNumber(latin1(bytes));
    if (number === undefined) return 0;
    into.setfltvalue(number);
    return bytes.length + 1;
  };
  return loaded;
}

/** The name that fengari is given for every text; real names are put in by whoever shows the error. */
const SOURCE = '=S';

/** The compiler is fed so many bytes at a time, so that it can be stopped in between. */
const PIECE = 512;

/** The compiler resolves jumps in quadratic time, at the end of a block, where it cannot be stopped. */
const MOST_JUMPS = 500;

/**
 * Compiles Lua source, given as a byte string (a compiled chunk is refused). `chunk` names it in errors, see {@link Code}.
 * `mayGoOn` is called again and again meanwhile, and throws to stop the compiler.
 * @throws SyntaxFault for a text that is no Lua, LimitReached when it is nested too deeply to be compiled, and whatever
 * `mayGoOn` throws.
 */
export function compile(text: string, chunk: string | undefined, mayGoOn: () => void): Code {
  const lua = fengari();
  const source = lenientEscapes(withoutShebang(text));
  if (jumps(source) > MOST_JUMPS) throw new LimitReached(`stopped: its source has more than ${MOST_JUMPS} jumps`);
  const state = lua.lua_newstate();
  const reader = new Reader(source, mayGoOn);
  const status = lua.lua_load(state, () => reader.next(), null, bytesOf(SOURCE), bytesOf('t'));
  if (reader.stopped !== undefined) throw reader.stopped.reason;
  if (status !== 0) throw faultOf(status, lua.lua_tostring(state, -1), chunk);
  const proto = state.stack[state.top - 1]?.value.p;
  if (proto === undefined) throw new Error('fengari compiled a chunk and left no function');
  return codeOf(proto, chunk);
}

function jumps(source: string): number {
  return source.match(/\bgoto\b|::/g)?.length ?? 0;
}

/** Hands out a source piece by piece. What `mayGoOn` throws is kept: fengari swallows an error that is not its own. */
class Reader {
  stopped: { readonly reason: unknown } | undefined = undefined;
  readonly #source: string;
  readonly #mayGoOn: () => void;
  #at = 0;

  constructor(source: string, mayGoOn: () => void) {
    this.#source = source;
    this.#mayGoOn = mayGoOn;
  }

  /** The next piece as bytes, null at the end. */
  next(): Uint8Array | null {
    try {
      this.#mayGoOn();
    } catch (reason) {
      this.stopped = { reason };
      throw reason;
    }
    if (this.#at >= this.#source.length) return null;
    const piece = this.#source.slice(this.#at, this.#at + PIECE);
    this.#at += PIECE;
    return bytesOf(piece);
  }
}

/** A first line that starts with `#` is a comment, as `luaL_loadfile` has it. */
function withoutShebang(text: string): string {
  return text.startsWith('#') ? `--${text}` : text;
}

function faultOf(status: number, message: Uint8Array | null, chunk: string | undefined): Error {
  // A negative status is a JavaScript error inside fengari: the stack is used up.
  if (status < 0 || message === null) return new LimitReached('stopped: its source is nested too deeply');
  if (/too many JS levels|function or expression needs too many/.test(latin1(message))) {
    return new LimitReached('stopped: its source is nested too deeply');
  }
  const [, line, text] = /^S:(\d+): ([\s\S]*)$/.exec(latin1(message)) ?? [];
  return new SyntaxFault(text ?? latin1(message), line === undefined ? undefined : Number(line), chunk);
}

function codeOf(proto: FengariProto, chunk: string | undefined): Code {
  return {
    chunk,
    instructions: proto.code.map((instruction) => instructionOf(instruction)),
    constants: proto.k.map(constantOf),
    functions: proto.p.map((inner) => codeOf(inner, chunk)),
    upvalues: proto.upvalues.map(({ name, instack, idx }) => ({
      name: name === null ? '?' : latin1(name.getstr()),
      inStack: Boolean(instack),
      index: idx,
    })),
    parameters: proto.numparams,
    vararg: Boolean(proto.is_vararg),
    registers: proto.maxstacksize,
    lines: [...proto.lineinfo],
    locals: proto.locvars.map(({ varname, startpc, endpc }) => ({
      name: latin1(varname.getstr()),
      start: startpc,
      end: endpc,
    })),
  };
}

/** RK operands of fengari: 256 and above is constant `n - 256`. */
const CONSTANT = 256;
const operand = (n: number) => (n >= CONSTANT ? ~(n - CONSTANT) : n);

function instructionOf({ opcode: op, A: a, B, C, Bx, sBx, Ax }: FengariInstruction): Instruction {
  const wide = wideOperand(op);
  if (op === OP.EXTRAARG) return { op, a: Ax, b: 0, c: 0 };
  if (wide !== 'none') return { op, a, b: wide === 'jump' ? sBx : Bx, c: 0 };
  const constants = constantOperands(op);
  return {
    op,
    a,
    b: constants === 'b and c' ? operand(B) : B,
    c: constants === 'none' ? C : operand(C),
  };
}

function constantOf({ value }: FengariValue): Value {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'boolean' || typeof value === 'number') return value;
  return interned(latin1((value as FengariString).getstr()));
}

/** The one copy of a string that V8 uses for property names: comparing two of those is comparing two addresses. */
export function interned(text: string): string {
  return Object.keys({ [text]: true })[0] ?? text;
}
