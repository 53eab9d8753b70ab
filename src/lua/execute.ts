import { modulo } from './arithmetic.ts';
import type { Code } from './compile.ts';
import { NEXT_ITEM, NEXT_MEMBER } from './iterate.ts';
import { type Frame, type Machine, truthy } from './machine.ts';
import { numberText } from './number.ts';
import { OP } from './opcode.ts';
import { Table } from './table.ts';
import { Builtin, LuaFunction, Upvalue, type Value } from './value.ts';

/** How many values one SETLIST instruction stores (LFIELDS_PER_FLUSH). */
const FLUSH = 50;

/** Registers for a call: its parameters, then nil. */
function registersFor(code: Code, source: Value[], start: number, count: number): Value[] {
  const registers: Value[] = new Array(code.registers);
  const given = Math.min(count, code.parameters);
  for (let i = 0; i < given; i++) registers[i] = source[start + i];
  for (let i = given; i < code.registers; i++) registers[i] = undefined;
  return registers;
}

function varargsFor(code: Code, source: Value[], start: number, count: number): Value[] {
  return code.vararg && count > code.parameters ? source.slice(start + code.parameters, start + count) : [];
}

/** Ends the sharing of all registers from `from` on: the block that they belong to is left. */
function close(open: Upvalue[] | undefined, from: number): void {
  if (open === undefined) return;
  for (let i = from; i < open.length; i++) open[i]?.close();
  if (open.length > from) open.length = from;
}

function share(frame: Frame, register: number): Upvalue {
  frame.open ??= [];
  const found = frame.open[register];
  if (found !== undefined) return found;
  const made = new Upvalue(frame.registers, register);
  frame.open[register] = made;
  return made;
}

function closure(code: Code, frame: Frame): LuaFunction {
  return new LuaFunction(
    code,
    code.upvalues.map(({ inStack, index }) => (inStack ? share(frame, index) : upvalue(frame.fn, index))),
  );
}

function upvalue(fn: LuaFunction, index: number): Upvalue {
  const found = fn.upvalues[index];
  if (found === undefined) throw new Error(`a function has no upvalue ${index}`);
  return found;
}

/** Joins registers `from` to `to`, from the right, as `..` associates. */
function concatenate(machine: Machine, registers: Value[], from: number, to: number): Value {
  let result = registers[to];
  for (let i = to - 1; i >= from; i--) {
    const left = registers[i];
    if (typeof left === 'string' && typeof result === 'string') {
      machine.meter.string(left.length + result.length);
      result = left + result;
    } else {
      result = machine.concat(left, result);
    }
  }
  return typeof result === 'number' ? numberText(result) : result;
}

function forNumber(machine: Machine, value: Value, what: string): number {
  const number = typeof value === 'string' ? machine.arithmetic('__add', value, 0) : value;
  if (typeof number !== 'number') throw machine.error(`'for' ${what} must be a number`);
  return number;
}

/** Long lists of values cost as many steps as they have values: else a few calls could copy millions. */
function spend(machine: Machine, frame: Frame, pc: number, steps: number): void {
  frame.pc = pc;
  machine.spend(steps);
}

function refill(machine: Machine, frame: Frame, pc: number): void {
  frame.pc = pc;
  machine.refill();
}

/**
 * Runs one Lua function: the interpreter's loop, one case for each instruction. `count` arguments stand in `source`
 * from `start` on. Steps are counted where code can repeat: at loops and calls.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one switch over all instructions is what an interpreter is; calling a function for each would halve its speed
export function execute(machine: Machine, frame: Frame, source: Value[], start: number, count: number): Value[] {
  const { meter } = machine;
  let { fn } = frame;
  let { code } = fn;
  let { instructions, constants: K } = code;
  let R = registersFor(code, source, start, count);
  let varargs = varargsFor(code, source, start, count);
  frame.registers = R;
  let pc = 0;
  /** One past the last register of an open list of values. */
  let top = 0;

  for (;;) {
    const instruction = instructions[pc++];
    if (instruction === undefined) throw new Error('a function ran past its end');
    const { a, b, c } = instruction;
    switch (instruction.op) {
      case OP.MOVE:
        R[a] = R[b];
        break;
      case OP.LOADK:
        R[a] = K[b];
        break;
      case OP.LOADKX:
        R[a] = K[instructions[pc++]?.a ?? -1];
        break;
      case OP.LOADBOOL:
        R[a] = b !== 0;
        if (c !== 0) pc++;
        break;
      case OP.LOADNIL:
        for (let i = a; i <= a + b; i++) R[i] = undefined;
        break;
      case OP.GETUPVAL:
        R[a] = upvalue(fn, b).get();
        break;
      case OP.GETTABUP: {
        const table = upvalue(fn, b).get();
        const key = c >= 0 ? R[c] : K[~c];
        if (table instanceof Table && table.metatable === undefined) R[a] = table.get(key);
        else {
          frame.pc = pc;
          R[a] = machine.index(table, key);
        }
        break;
      }
      case OP.GETTABLE: {
        const table = R[b];
        const key = c >= 0 ? R[c] : K[~c];
        if (table instanceof Table && table.metatable === undefined) R[a] = table.get(key);
        else {
          frame.pc = pc;
          R[a] = machine.index(table, key);
        }
        break;
      }
      case OP.SETTABUP:
        frame.pc = pc;
        machine.setIndex(upvalue(fn, a).get(), b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.SETUPVAL:
        upvalue(fn, b).set(R[a]);
        break;
      case OP.SETTABLE: {
        const table = R[a];
        const key = b >= 0 ? R[b] : K[~b];
        const value = c >= 0 ? R[c] : K[~c];
        const simple = typeof key === 'string' || (typeof key === 'number' && !Number.isNaN(key));
        if (simple && table instanceof Table && table.metatable === undefined) table.set(key, value);
        else {
          frame.pc = pc;
          machine.setIndex(table, key, value);
        }
        break;
      }
      case OP.NEWTABLE:
        R[a] = new Table(meter);
        break;
      case OP.SELF: {
        const object = R[b];
        frame.pc = pc;
        R[a + 1] = object;
        R[a] = machine.index(object, c >= 0 ? R[c] : K[~c]);
        break;
      }
      case OP.ADD: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        if (typeof x === 'number' && typeof y === 'number') R[a] = x + y;
        else {
          frame.pc = pc;
          R[a] = machine.arithmetic('__add', x, y);
        }
        break;
      }
      case OP.SUB: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        if (typeof x === 'number' && typeof y === 'number') R[a] = x - y;
        else {
          frame.pc = pc;
          R[a] = machine.arithmetic('__sub', x, y);
        }
        break;
      }
      case OP.MUL: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        if (typeof x === 'number' && typeof y === 'number') R[a] = x * y;
        else {
          frame.pc = pc;
          R[a] = machine.arithmetic('__mul', x, y);
        }
        break;
      }
      case OP.DIV: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        if (typeof x === 'number' && typeof y === 'number') R[a] = x / y;
        else {
          frame.pc = pc;
          R[a] = machine.arithmetic('__div', x, y);
        }
        break;
      }
      case OP.MOD: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        if (typeof x === 'number' && typeof y === 'number') R[a] = modulo(x, y);
        else {
          frame.pc = pc;
          R[a] = machine.arithmetic('__mod', x, y);
        }
        break;
      }
      case OP.POW:
        frame.pc = pc;
        R[a] = machine.arithmetic('__pow', b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.IDIV:
        frame.pc = pc;
        R[a] = machine.arithmetic('__idiv', b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.BAND:
        frame.pc = pc;
        R[a] = machine.arithmetic('__band', b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.BOR:
        frame.pc = pc;
        R[a] = machine.arithmetic('__bor', b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.BXOR:
        frame.pc = pc;
        R[a] = machine.arithmetic('__bxor', b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.SHL:
        frame.pc = pc;
        R[a] = machine.arithmetic('__shl', b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.SHR:
        frame.pc = pc;
        R[a] = machine.arithmetic('__shr', b >= 0 ? R[b] : K[~b], c >= 0 ? R[c] : K[~c]);
        break;
      case OP.UNM:
        frame.pc = pc;
        R[a] = machine.arithmetic('__unm', R[b], R[b]);
        break;
      case OP.BNOT:
        frame.pc = pc;
        R[a] = machine.arithmetic('__bnot', R[b], R[b]);
        break;
      case OP.NOT:
        R[a] = !truthy(R[b]);
        break;
      case OP.LEN: {
        const value = R[b];
        if (value instanceof Table && value.metatable === undefined) R[a] = value.length;
        else {
          frame.pc = pc;
          R[a] = machine.length(value);
        }
        break;
      }
      case OP.CONCAT:
        frame.pc = pc;
        R[a] = concatenate(machine, R, b, c);
        break;
      case OP.JMP:
        if (b < 0 && --meter.fuel < 0) refill(machine, frame, pc);
        pc += b;
        if (a !== 0) close(frame.open, a - 1);
        break;
      case OP.EQ: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        frame.pc = pc;
        if ((x === y || machine.equals(x, y)) !== (a !== 0)) pc++;
        break;
      }
      case OP.LT: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        frame.pc = pc;
        const less = typeof x === 'number' && typeof y === 'number' ? x < y : machine.lessThan(x, y);
        if (less !== (a !== 0)) pc++;
        break;
      }
      case OP.LE: {
        const x = b >= 0 ? R[b] : K[~b];
        const y = c >= 0 ? R[c] : K[~c];
        frame.pc = pc;
        const less = typeof x === 'number' && typeof y === 'number' ? x <= y : machine.lessOrEqual(x, y);
        if (less !== (a !== 0)) pc++;
        break;
      }
      case OP.TEST:
        if (truthy(R[a]) !== (c !== 0)) pc++;
        break;
      case OP.TESTSET: {
        const value = R[b];
        if (truthy(value) === (c !== 0)) R[a] = value;
        else pc++;
        break;
      }
      case OP.CALL: {
        const callee = R[a];
        const given = b === 0 ? top - a - 1 : b - 1;
        frame.pc = pc;
        if (given > FLUSH) machine.spend(given);
        const results =
          callee instanceof LuaFunction
            ? machine.enter(callee, R, a + 1, given)
            : callee instanceof Builtin
              ? machine.callBuiltin(callee, R.slice(a + 1, a + 1 + given))
              : machine.call(callee, R.slice(a + 1, a + 1 + given));
        const wanted = c === 0 ? results.length : c - 1;
        for (let i = 0; i < wanted; i++) R[a + i] = results[i];
        if (c === 0) top = a + wanted;
        break;
      }
      case OP.TAILCALL: {
        const callee = R[a];
        const given = b === 0 ? top - a - 1 : b - 1;
        frame.pc = pc;
        if (given > FLUSH) machine.spend(given);
        if (!(callee instanceof LuaFunction)) return machine.call(callee, R.slice(a + 1, a + 1 + given));
        if (--meter.fuel < 0) refill(machine, frame, pc);
        const caller = R;
        fn = callee;
        ({ code } = fn);
        ({ instructions, constants: K } = code);
        R = registersFor(code, caller, a + 1, given);
        varargs = varargsFor(code, caller, a + 1, given);
        frame.fn = fn;
        frame.registers = R;
        frame.open = undefined;
        pc = 0;
        break;
      }
      case OP.RETURN:
        return R.slice(a, b === 0 ? top : a + b - 1);
      case OP.FORLOOP: {
        if (--meter.fuel < 0) refill(machine, frame, pc);
        const step = Number(R[a + 2]);
        const next = Number(R[a]) + step;
        if (step > 0 ? next <= Number(R[a + 1]) : Number(R[a + 1]) <= next) {
          pc += b;
          R[a] = next;
          R[a + 3] = next;
        }
        break;
      }
      case OP.FORPREP: {
        frame.pc = pc;
        R[a + 1] = forNumber(machine, R[a + 1], 'limit');
        const step = forNumber(machine, R[a + 2], 'step');
        if (step === 0) throw machine.error("'for' step is zero");
        R[a + 2] = step;
        R[a] = forNumber(machine, R[a], 'initial value') - step;
        pc += b;
        break;
      }
      case OP.TFORCALL: {
        const iterator = R[a];
        const state = R[a + 1];
        frame.pc = pc;
        if (iterator === NEXT_ITEM && state instanceof Table && state.metatable === undefined) {
          const at = Number(R[a + 2]) + 1;
          const value = state.get(at);
          R[a + 3] = value === undefined ? undefined : at;
          R[a + 4] = value;
        } else if (iterator === NEXT_MEMBER && state instanceof Table) {
          const cursor = state.cursorAfter(R[a + 2]);
          const at = cursor === undefined ? -1 : state.occupied(cursor);
          R[a + 3] = at < 0 ? undefined : state.keyAt(at);
          R[a + 4] = at < 0 ? undefined : state.valueAt(at);
        } else {
          const results = machine.call(iterator, [state, R[a + 2]]);
          for (let i = 0; i < c; i++) R[a + 3 + i] = results[i];
          break;
        }
        for (let i = 2; i < c; i++) R[a + 3 + i] = undefined;
        break;
      }
      case OP.TFORLOOP:
        if (R[a + 1] !== undefined) {
          if (--meter.fuel < 0) refill(machine, frame, pc);
          R[a] = R[a + 1];
          pc += b;
        }
        break;
      case OP.SETLIST: {
        const table = R[a];
        const block = c === 0 ? (instructions[pc++]?.a ?? 0) : c;
        const size = b === 0 ? top - a - 1 : b;
        if (size > FLUSH) spend(machine, frame, pc, size);
        if (!(table instanceof Table)) throw new Error('a list constructor has no table');
        table.setItems((block - 1) * FLUSH + 1, R.slice(a + 1, a + 1 + size));
        break;
      }
      case OP.CLOSURE: {
        const inner = code.functions[b];
        if (inner === undefined) throw new Error(`a function has no inner function ${b}`);
        R[a] = closure(inner, frame);
        meter.entries++;
        break;
      }
      case OP.VARARG: {
        const size = b === 0 ? varargs.length : b - 1;
        if (size > FLUSH) spend(machine, frame, pc, size);
        for (let i = 0; i < size; i++) R[a + i] = varargs[i];
        if (b === 0) top = a + size;
        break;
      }
      default:
        throw new Error(`unknown instruction ${instruction.op}`);
    }
  }
}
