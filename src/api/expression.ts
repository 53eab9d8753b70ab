import type { Condition, Operand, Operator, Test } from './condition.ts';
import { quoteRegex, regexError } from './regex.ts';
import { ExpressionError, type Token, tokenize } from './tokens.ts';

/** Parentheses and `not`s within each other that are read; each costs a few frames of our stack. */
const MAX_DEPTH = 100;

const OPERATORS: readonly Operator[] = ['==', '!=', 'regex', 'prefix', 'in'];
const NAMED = ['header', 'cookie', 'query'] as const;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** A token of RFC 9110, what header and cookie names are made of; the CRD asks the same of `headers[].name`. */
const NAME = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/;

/**
 * Reads an expression:
 *
 *     or    = and { "or" and }
 *     and   = unary { "and" unary }
 *     unary = "not" unary | "(" or ")" | test
 *     test  = operand ( "==" | "!=" | "regex" | "prefix" ) text | operand "in" "(" text { "," text } ")"
 *     operand = "header" "(" text ")" | "cookie" "(" text ")" | "query" "(" text ")" | "path" | "method"
 *
 * `not` binds tightest, then `and`, then `or`. Texts stand in double quotes, with \" \\ and \uXXXX as escapes.
 * @throws ExpressionError with the column of the first mistake
 */
export function parseExpression(source: string): Condition {
  const parser = new Parser(source, tokenize(source));
  return parser.whole();
}

class Parser {
  private readonly source: string;
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  constructor(source: string, tokens: readonly Token[]) {
    this.source = source;
    this.tokens = tokens;
  }

  whole(): Condition {
    const condition = this.or();
    if (this.peek().kind !== 'end') this.fail('expected and, or, or the end');
    return condition;
  }

  private or(): Condition {
    const parts = [this.and()];
    while (this.take('or')) parts.push(this.and());
    return onlyOr(parts, (or) => ({ or }));
  }

  private and(): Condition {
    const parts = [this.unary()];
    while (this.take('and')) parts.push(this.unary());
    return onlyOr(parts, (and) => ({ and }));
  }

  private unary(): Condition {
    if (this.take('not')) return this.deeper(() => ({ not: this.unary() }));
    if (!this.take('(')) return this.test();
    const inner = this.deeper(() => this.or());
    this.expect(')');
    return inner;
  }

  private deeper(read: () => Condition): Condition {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) this.fail(`parentheses and nots are nested more than ${MAX_DEPTH} deep`);
    const condition = read();
    this.depth -= 1;
    return condition;
  }

  private test(): Condition {
    const test = this.operand();
    const token = this.peek();
    const operator = OPERATORS.find((known) => token.kind !== 'text' && token.text === known);
    if (operator === undefined) return this.fail(`expected an operator (${OPERATORS.join(', ')})`);
    this.next += 1;
    if (operator !== 'in') return { test, operator, values: [this.value(test, operator)] };
    this.expect('(');
    const values = [this.value(test, operator)];
    while (this.take(',')) values.push(this.value(test, operator));
    this.expect(')');
    return { test, operator, values: [...new Set(values)] } satisfies Test;
  }

  private operand(): Operand {
    const token = this.peek();
    const on = token.kind === 'word' ? token.text : '';
    if (on === 'path' || on === 'method') {
      this.next += 1;
      return { on };
    }
    const named = NAMED.find((known) => known === on);
    if (named === undefined) return this.fail('expected header("…"), cookie("…"), query("…"), path, method, not or (');
    this.next += 1;
    this.expect('(');
    const name = this.text(`the name of the ${named === 'query' ? 'query parameter' : named}`);
    if (!NAME.test(name.text)) this.fail(`${JSON.stringify(name.text)} cannot be the name of a ${named}`, name);
    this.expect(')');
    return { on: named, name: name.text };
  }

  /** A text that can stand on the right of an operator. */
  private value(operand: Operand, operator: Operator): string {
    const token = this.text('a text');
    const problem = valueProblem(operand, operator, token.text);
    if (problem !== undefined) this.fail(problem, token);
    return token.text;
  }

  private text(what: string): Token {
    const token = this.peek();
    if (token.kind !== 'text') return this.fail(`expected ${what} in double quotes`);
    this.next += 1;
    return token;
  }

  private expect(symbol: string): void {
    if (!this.take(symbol)) this.fail(`expected ${symbol}`);
  }

  private take(text: string): boolean {
    const token = this.peek();
    const taken = token.kind !== 'text' && token.text === text;
    if (taken) this.next += 1;
    return taken;
  }

  private peek(): Token {
    return this.tokens[this.next] ?? { kind: 'end', text: '', start: this.source.length };
  }

  private fail(what: string, token = this.peek()): never {
    // a mistake in the meaning of a text needs no repetition of the text
    const found = token.kind === 'end' ? ', found the end' : `, found ${token.text}${caseHint(token)}`;
    throw new ExpressionError(what.startsWith('expected') ? what + found : what, this.source, token.start);
  }
}

function onlyOr(parts: readonly Condition[], join: (parts: readonly Condition[]) => Condition): Condition {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : join(parts);
}

function caseHint({ kind, text }: Token): string {
  const lower = text.toLowerCase();
  const known = [...OPERATORS, ...NAMED, 'and', 'or', 'not', 'path', 'method'];
  return kind === 'word' && lower !== text && known.includes(lower) ? ` (write ${lower})` : '';
}

function valueProblem(operand: Operand, operator: Operator, value: string): string | undefined {
  if (value.length > (operand.on === 'path' || operand.on === 'query' ? 1024 : 4096))
    return 'this text is too long to be matched';
  if (value === '') return 'an empty text cannot be matched; write what to compare with';
  if (operator === 'regex') return regexError(value);
  if (operand.on === 'path' && !value.startsWith('/'))
    return `a path starts with /; write ${JSON.stringify(`/${value}`)}`;
  if (operand.on === 'method' && operator !== 'prefix' && !METHODS.includes(value)) {
    return `${JSON.stringify(value)} is no HTTP method; write ${METHODS.join(', ')}`;
  }
  return undefined;
}

/** A prefix of a header, cookie, query parameter or method as the regular expression that gateways have for it. */
export function prefixRegex(prefix: string): string {
  return `^${quoteRegex(prefix)}.*`;
}
