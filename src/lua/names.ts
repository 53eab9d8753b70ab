import { display } from './bytes.ts';
import type { Code, Instruction } from './compile.ts';
import type { Frame } from './machine.ts';
import { OP } from './opcode.ts';
import type { Value } from './value.ts';

/**
 * What the script calls the value that an instruction failed on: ` (field 'spec')`, ` (local 'rule')`, or nothing where
 * that is not known. It follows the code backwards from the failing instruction to the one that loaded the value, as
 * the reference implementation does for its own messages.
 */
export function nameOf(frame: Frame, value: Value): string {
  const { code } = frame.fn;
  const at = frame.pc - 1;
  const instruction = code.instructions[at];
  if (instruction === undefined) return '';
  const name = operandName(code, at, instruction, frame.registers, value);
  return name === undefined ? '' : ` (${name})`;
}

function operandName(code: Code, at: number, instruction: Instruction, registers: readonly Value[], value: Value) {
  if (instruction.op === OP.GETTABUP) return `upvalue '${code.upvalues[instruction.b]?.name ?? '?'}'`;
  if (instruction.op === OP.SETTABUP) return `upvalue '${code.upvalues[instruction.a]?.name ?? '?'}'`;
  const register = operandsOf(instruction).find((operand) => operand >= 0 && registers[operand] === value);
  return register === undefined ? undefined : registerName(code, at, register);
}

/** The operands that the instruction looks into, calls, or computes with. */
function operandsOf({ op, a, b, c }: Instruction): number[] {
  if (op === OP.GETTABLE || op === OP.SELF || op === OP.UNM || op === OP.LEN || op === OP.BNOT) return [b];
  if (op === OP.SETTABLE || op === OP.CALL || op === OP.TAILCALL) return [a];
  if (op >= OP.ADD && op <= OP.SHR) return [b, c];
  if (op === OP.CONCAT) return Array.from({ length: c - b + 1 }, (_, i) => c - i);
  return [];
}

function registerName(code: Code, at: number, register: number): string | undefined {
  const local = code.locals.filter(({ start, end }) => start <= at && at < end)[register];
  if (local !== undefined) return local.name.startsWith('(') ? undefined : `local '${local.name}'`;
  const setter = setterOf(code, at, register);
  const instruction = code.instructions[setter];
  return instruction === undefined ? undefined : loadedName(code, setter, instruction);
}

/** The last instruction before `at` that set the register on every way there, or -1. */
function setterOf(code: Code, at: number, register: number): number {
  let setter = -1;
  let conditionalUntil = 0;
  for (let pc = 0; pc < at; pc++) {
    const instruction = code.instructions[pc];
    if (instruction === undefined) continue;
    const { op, a, b } = instruction;
    if (op === OP.JMP && pc + 1 + b > pc && pc + 1 + b <= at) conditionalUntil = Math.max(conditionalUntil, pc + 1 + b);
    if (sets(op, a, b, register)) setter = pc < conditionalUntil ? -1 : pc;
  }
  return setter;
}

function sets(op: number, a: number, b: number, register: number): boolean {
  if (op === OP.LOADNIL) return a <= register && register <= a + b;
  if (op === OP.TFORCALL) return register >= a + 2;
  if (op === OP.CALL || op === OP.TAILCALL) return register >= a;
  const setsNothing =
    op === OP.SETTABUP || op === OP.SETUPVAL || op === OP.SETTABLE || op === OP.JMP || op === OP.RETURN;
  const testsOnly = op === OP.EQ || op === OP.LT || op === OP.LE || op === OP.TEST || op === OP.SETLIST;
  return !setsNothing && !testsOnly && a === register;
}

function loadedName(code: Code, at: number, { op, a, b, c }: Instruction): string | undefined {
  if (op === OP.MOVE && b < a) return registerName(code, at, b);
  if (op === OP.GETUPVAL) return `upvalue '${code.upvalues[b]?.name ?? '?'}'`;
  if (op !== OP.GETTABUP && op !== OP.GETTABLE && op !== OP.SELF) return undefined;
  const key = c < 0 ? code.constants[~c] : undefined;
  if (typeof key !== 'string') return undefined;
  if (op === OP.SELF) return `method '${display(key)}'`;
  return op === OP.GETTABUP ? `global '${display(key)}'` : `field '${display(key)}'`;
}
