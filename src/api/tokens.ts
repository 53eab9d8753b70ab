/** Longest expression that is read at all; the CRD has the same limit. */
export const MAX_LENGTH = 4096;

export type Token = {
  readonly kind: 'word' | 'text' | 'symbol' | 'end';
  /** The word, the symbol, or the text without quotes and escapes. */
  readonly text: string;
  /** Where it starts, in UTF-16 code units from 0. */
  readonly start: number;
};

/** A mistake in an expression: what, and at which column, counted from 1 in UTF-16 code units. */
export class ExpressionError extends Error {
  readonly column: number;
  readonly source: string;
  constructor(what: string, source: string, start: number) {
    super(`column ${start + 1}: ${what}\n${excerpt(source, start)}`);
    this.column = start + 1;
    this.source = source;
  }
}

/** The text around a column and a caret below it, short enough for a terminal line. */
function excerpt(source: string, start: number): string {
  const from = Math.max(0, start - 40);
  const line = source.slice(from, from + 76).replace(/\s/g, ' ');
  return `  ${line}\n  ${' '.repeat(start - from)}^`;
}

// sticky, so that each attempt starts where the last token ended and costs only what it reads
const PARTS = {
  space: /[ \t\r\n]+/y,
  word: /[A-Za-z_][\w-]*/y,
  symbol: /==|!=|[(),]/y,
  text: /"(?:[^"\\]|\\.)*"/sy,
} as const;

/**
 * Cuts an expression into words, texts in double quotes and symbols.
 * @throws ExpressionError for a character that starts none of them, an open quote, an unknown escape
 */
export function tokenize(source: string): Token[] {
  if (source.length > MAX_LENGTH) {
    throw new ExpressionError(
      `${source.length} characters are too many; write at most ${MAX_LENGTH}`,
      source,
      MAX_LENGTH,
    );
  }
  const tokens: Token[] = [];
  let start = 0;
  while (start < source.length) {
    const { token, end } = tokenAt(source, start);
    if (token !== undefined) tokens.push(token);
    start = end;
  }
  return [...tokens, { kind: 'end', text: '', start: source.length }];
}

function tokenAt(source: string, start: number): { token: Token | undefined; end: number } {
  for (const [kind, pattern] of Object.entries(PARTS)) {
    pattern.lastIndex = start;
    const found = pattern.exec(source)?.[0];
    if (found === undefined) continue;
    const end = start + found.length;
    if (kind === 'space') return { token: undefined, end };
    if (kind === 'text') return { token: { kind, text: unescaped(found, source, start), start }, end };
    if (kind === 'word' || kind === 'symbol') return { token: { kind, text: found, start }, end };
  }
  throw new ExpressionError(strange(source[start] ?? ''), source, start);
}

function strange(character: string): string {
  if (character === '"') return 'this text has no closing "';
  if (character === "'" || character === '`') return `texts stand in double quotes; write " instead of ${character}`;
  if (character === '=') return 'write == to compare';
  if (character === '~') return 'write regex for a regular expression';
  if ('&|!'.includes(character))
    return `write ${{ '&': 'and', '|': 'or' }[character] ?? 'not'} instead of ${character}`;
  return `${JSON.stringify(character)} means nothing here`;
}

/** What stands between two quotes, with its escapes read; `start` is the place of the opening quote. */
function unescaped(written: string, source: string, start: number): string {
  return written.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|.)|[^\\]/gs, (found, name, offset: number) => {
    const text = name === undefined ? found : escapeText(name);
    const at = start + 1 + offset;
    if (text === undefined)
      throw new ExpressionError(`there is no escape ${found}; write \\${found} for a backslash`, source, at);
    // no request has them in a header, a cookie, a query or a path, and they end lines in generated configuration
    if (isControl(text)) throw new ExpressionError('control characters cannot be matched', source, at);
    return text;
  });
}

function escapeText(name: string): string | undefined {
  if (name === '"' || name === '\\') return name;
  return name.length === 5 ? String.fromCharCode(Number.parseInt(name.slice(1), 16)) : undefined;
}

/** True when a text holds a control character. */
export function isControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
