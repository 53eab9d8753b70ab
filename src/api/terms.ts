import { canonicalJson } from '../json/text.ts';
import { type Condition, type Operand, operandText, type Test } from './condition.ts';
import { prefixRegex } from './expression.ts';
import { quoteRegex } from './regex.ts';

/** Alternatives that one step may have once its conditions are written out as an OR of ANDs. */
export const MAX_TERMS = 64;

export type ValueTest = { readonly type: 'Exact' | 'RegularExpression'; readonly name: string; readonly value: string };
export type PathTest = { readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string };
export type MethodTest = { readonly type: 'Exact' | 'RegularExpression'; readonly value: string };

export type Tests = {
  readonly path?: PathTest;
  readonly headers?: readonly ValueTest[];
  readonly queryParams?: readonly ValueTest[];
  readonly cookies?: readonly ValueTest[];
  readonly method?: MethodTest;
};

/**
 * One AND group, as a script gets it in `obj.matches`: everything outside `without` holds, and each single condition in
 * `without` does not. Types are always written. At most one condition for each name outside `without`.
 */
export type Match = Tests & { readonly without?: Tests };

/** Why a condition cannot be handed to a script. */
export class ConditionError extends Error {}

/** A test or its opposite; what is left of a tree once negations have been pushed down to the leaves. */
type Literal = {
  readonly operand: Operand;
  readonly holds: boolean;
  readonly type: PathTest['type'];
  readonly value: string;
};
type Tree = Literal | { readonly and: readonly Tree[] } | { readonly or: readonly Tree[] };

/**
 * How many terms a condition has once it is written out, reckoned without writing it out. May be more than `toTerms`
 * gives, which leaves out repeated and impossible ones.
 */
export function countTerms(condition: Condition): number {
  return count(pushDown(condition, true));
}

/**
 * A condition as an OR of ANDs, in the order in which it is written. Terms that no request can meet are left out.
 * @throws ConditionError when no term is left, or a term asks for what no list of conditions can say. The caller holds
 *   `countTerms` to a limit first: the expansion is as large as that.
 */
export function toTerms(condition: Condition): Match[] {
  const terms = new Map<string, Match>();
  let impossible: string | undefined;
  for (const literals of expand(pushDown(condition, true))) {
    const term = toMatch(literals);
    if (typeof term === 'string') impossible ??= term;
    else terms.set(canonicalJson(term), term);
  }
  if (terms.size === 0) throw new ConditionError(`no request can meet this: ${impossible ?? 'it has no condition'}`);
  return [...terms.values()];
}

function pushDown(condition: Condition, holds: boolean): Tree {
  if ('not' in condition) return pushDown(condition.not, !holds);
  if ('test' in condition) return leaf(condition, holds);
  const parts = ('and' in condition ? condition.and : condition.or).map((part) => pushDown(part, holds));
  return 'and' in condition === holds ? { and: parts } : { or: parts };
}

function leaf({ test: operand, operator, values }: Test, holds: boolean): Tree {
  if (operator === '!=') return leaf({ test: operand, operator: '==', values }, !holds);
  const literals = values.map((value): Literal => ({ operand, holds, ...typed(operand, operator, value) }));
  const [first] = literals;
  if (first !== undefined && literals.length === 1) return first;
  return holds ? { or: literals } : { and: literals };
}

function typed(operand: Operand, operator: Test['operator'], value: string): Pick<Literal, 'type' | 'value'> {
  if (operator === 'regex') return { type: 'RegularExpression', value };
  if (operator !== 'prefix') return { type: 'Exact', value };
  if (operand.on === 'path') return { type: 'PathPrefix', value };
  return { type: 'RegularExpression', value: prefixRegex(value) };
}

function count(tree: Tree): number {
  if ('and' in tree)
    return tree.and.reduce((product, part) => Math.min(product * count(part), Number.MAX_SAFE_INTEGER), 1);
  if ('or' in tree) return tree.or.reduce((sum, part) => Math.min(sum + count(part), Number.MAX_SAFE_INTEGER), 0);
  return 1;
}

function expand(tree: Tree): Literal[][] {
  if ('or' in tree) return tree.or.flatMap(expand);
  if (!('and' in tree)) return [[tree]];
  return tree.and.map(expand).reduce((left, right) => left.flatMap((a) => right.map((b) => [...a, ...b])), [[]]);
}

/** The match of an AND of literals, or a sentence that says why no request can meet them all. */
function toMatch(literals: readonly Literal[]): Match | string {
  const positive: Literal[] = [];
  const negative: Literal[] = [];
  for (const group of groups(literals)) {
    const reduced = reduce(group);
    if (typeof reduced === 'string') return reduced;
    for (const literal of reduced) (literal.holds ? positive : negative).push(literal);
  }
  return negative.length === 0 ? tests(positive) : { ...tests(positive), without: tests(negative) };
}

/** Literals about the same part of the request, each once. Header names are the same in any case (RFC 9110 §5.1). */
function groups(literals: readonly Literal[]): Literal[][] {
  const byOperand = new Map<string, Map<string, Literal>>();
  for (const literal of literals) {
    const { on } = literal.operand;
    const name = 'name' in literal.operand ? literal.operand.name : '';
    const key = `${on}:${on === 'header' ? name.toLowerCase() : name}`;
    const group = byOperand.get(key) ?? new Map<string, Literal>();
    byOperand.set(key, group);
    group.set(`${literal.holds}:${literal.type}:${literal.value}`, literal);
  }
  return [...byOperand.values()].map((group) => [...group.values()]);
}

/** A group without what the rest of it implies: at most one literal that holds, and those that must not. */
function reduce(group: readonly Literal[]): Literal[] | string {
  let kept: Literal | undefined;
  for (const literal of group.filter(({ holds }) => holds)) {
    const both = kept === undefined ? literal : together(kept, literal);
    if (typeof both === 'string') return both;
    kept = both;
  }
  const negative = group.filter(({ holds }) => !holds);
  if (kept === undefined) return mergedNegatives(negative);
  const excluded = negative.find((literal) => kept !== undefined && implies(kept, literal) === true);
  if (excluded !== undefined)
    return `${nameOf(kept)} is asked to be ${JSON.stringify(kept.value)} and is ruled out at the same time`;
  const open = negative.filter((literal) => kept !== undefined && implies(kept, literal) === undefined);
  return [kept, ...mergedNegatives(open)];
}

/** The stricter of two literals that must both hold, or why they cannot. */
function together(a: Literal, b: Literal): Literal | string {
  if (implies(a, b) === true) return a;
  if (implies(b, a) === true) return b;
  if (implies(a, b) === false || implies(b, a) === false) {
    return `${nameOf(a)} cannot be both ${JSON.stringify(a.value)} and ${JSON.stringify(b.value)}`;
  }
  throw new ConditionError(
    `${nameOf(a)} has two conditions that must hold at the same time, ${JSON.stringify(a.value)} and ${JSON.stringify(b.value)}; gateways take one for each name: write one regular expression`,
  );
}

/** Whether b's test holds for every value that meets a's: true, false (for none), or undefined: it depends. */
function implies(a: Literal, b: Literal): boolean | undefined {
  if (a.type === b.type && a.value === b.value) return true;
  if (a.type === 'Exact' && b.type === 'Exact') return false;
  if (b.type !== 'PathPrefix') return a.type === 'PathPrefix' && b.type === 'Exact' ? outside(b, a) : undefined;
  if (a.type === 'Exact') return isUnder(a.value, b.value);
  if (a.type !== 'PathPrefix') return undefined;
  if (isUnder(a.value, b.value)) return true;
  return isUnder(b.value, a.value) ? undefined : false;
}

/** A prefix and an exact path: for none when the path is not under it, else it depends. */
function outside(exact: Literal, prefix: Literal): false | undefined {
  return isUnder(exact.value, prefix.value) ? undefined : false;
}

/** Whether a path is under a prefix, by whole elements: `/a/b` is under `/a` and `/a/`, `/ab` is not. */
export function isUnder(path: string, prefix: string): boolean {
  const bare = prefix.replace(/\/$/, '');
  return path === bare || path.startsWith(`${bare}/`);
}

/** A request has one path and one method, and a match one place for each: several become one expression. */
function mergedNegatives(literals: readonly Literal[]): Literal[] {
  const [first] = literals;
  if (first === undefined || 'name' in first.operand || literals.length === 1) return [...literals];
  if (literals.some(({ type }) => type === 'RegularExpression')) {
    throw new ConditionError(
      `${nameOf(first)} is ruled out by a regular expression and by something else in the same term; write one regular expression`,
    );
  }
  const alternatives = literals.map(({ type, value }) => {
    return type === 'PathPrefix' ? `${quoteRegex(value.replace(/\/$/, ''))}(?:/.*)?` : quoteRegex(value);
  });
  return [{ ...first, type: 'RegularExpression', value: `^(?:${alternatives.join('|')})$` }];
}

function nameOf({ operand }: Literal): string {
  return operandText(operand);
}

const LISTS = { header: 'headers', query: 'queryParams', cookie: 'cookies' } as const;

function tests(literals: readonly Literal[]): Tests {
  const result: { -readonly [K in keyof Tests]: Tests[K] } = {};
  for (const { operand, type, value } of literals) {
    if (operand.on === 'path') {
      result.path = { type, value };
      continue;
    }
    // typed() makes PathPrefix for paths only
    if (type === 'PathPrefix') throw new Error(`a path prefix on ${operandText(operand)}`);
    if ('name' in operand) {
      const list = LISTS[operand.on];
      result[list] = [...(result[list] ?? []), { type, name: operand.name, value }];
    } else {
      result.method = { type, value };
    }
  }
  return result;
}
