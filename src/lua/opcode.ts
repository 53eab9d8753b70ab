/**
 * The instructions of Lua 5.3 that fengari's compiler emits, by their numbers (fengari `src/lopcodes.js`). Their
 * meaning is that of the reference implementation's `lopcodes.h`; R is a register, K a constant, RK either.
 */
export const OP = {
  MOVE: 0,
  LOADK: 1,
  LOADKX: 2,
  LOADBOOL: 3,
  LOADNIL: 4,
  GETUPVAL: 5,
  GETTABUP: 6,
  GETTABLE: 7,
  SETTABUP: 8,
  SETUPVAL: 9,
  SETTABLE: 10,
  NEWTABLE: 11,
  SELF: 12,
  ADD: 13,
  SUB: 14,
  MUL: 15,
  MOD: 16,
  POW: 17,
  DIV: 18,
  IDIV: 19,
  BAND: 20,
  BOR: 21,
  BXOR: 22,
  SHL: 23,
  SHR: 24,
  UNM: 25,
  BNOT: 26,
  NOT: 27,
  LEN: 28,
  CONCAT: 29,
  JMP: 30,
  EQ: 31,
  LT: 32,
  LE: 33,
  TEST: 34,
  TESTSET: 35,
  CALL: 36,
  TAILCALL: 37,
  RETURN: 38,
  FORLOOP: 39,
  FORPREP: 40,
  TFORCALL: 41,
  TFORLOOP: 42,
  SETLIST: 43,
  CLOSURE: 44,
  VARARG: 45,
  EXTRAARG: 46,
} as const;

/** Operands that are RK: which of B and C may name a constant. */
export function constantOperands(op: number): 'none' | 'c' | 'b and c' {
  if (op === OP.GETTABUP || op === OP.GETTABLE || op === OP.SELF) return 'c';
  const both =
    op === OP.SETTABUP || op === OP.SETTABLE || (op >= OP.ADD && op <= OP.SHR) || (op >= OP.EQ && op <= OP.LE);
  return both ? 'b and c' : 'none';
}

/** Instructions whose second operand is one wide field: unsigned (constant or function number), or a signed jump. */
export function wideOperand(op: number): 'none' | 'unsigned' | 'jump' {
  if (op === OP.LOADK || op === OP.CLOSURE) return 'unsigned';
  if (op === OP.JMP || op === OP.FORLOOP || op === OP.FORPREP || op === OP.TFORLOOP) return 'jump';
  return 'none';
}
