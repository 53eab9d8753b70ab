/**
 * In Lua 5.1 a backslash before any character that has no meaning of its own stands for that character (`"\\."` is a dot);
 * since 5.2 it is an error. Takes such backslashes out of quoted strings and changes nothing else, lines included.
 * One pass over the text: what is not closed is left to the compiler to complain about.
 */
export function lenientEscapes(source: string): string {
  if (!source.includes('\\')) return source;
  const pieces: string[] = [];
  let copied = 0;
  for (let at = nextToken(source, 0); at < source.length; at = nextToken(source, at)) {
    const end = tokenEnd(source, at);
    const quote = source[at];
    if (quote === '"' || quote === "'") {
      pieces.push(source.slice(copied, at), source.slice(at, end).replace(ESCAPE, withoutNeedless));
      copied = end;
    }
    at = end;
  }
  pieces.push(source.slice(copied));
  return pieces.join('');
}

const ESCAPE = /\\[\s\S]/g;

function withoutNeedless(written: string): string {
  return /[abfnrtvxzu\\"'\n\r\d]/.test(written.charAt(1)) ? written : written.charAt(1);
}

/** The next place where a string or a comment may begin. */
function nextToken(source: string, from: number): number {
  for (let at = from; at < source.length; at++) {
    const character = source[at];
    if (character === '"' || character === "'" || character === '[') return at;
    if (character === '-' && source[at + 1] === '-') return at;
  }
  return source.length;
}

/** One past the string or comment that begins here; the next character when none does. */
function tokenEnd(source: string, at: number): number {
  const character = source[at];
  if (character === '[') return longBracketEnd(source, at) ?? at + 1;
  if (character === '-') return longBracketEnd(source, at + 2) ?? lineEnd(source, at);
  for (let i = at + 1; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === character || source[i] === '\n') return i + 1;
  }
  return source.length;
}

/** One past `[[…]]` or `[=[…]=]`, undefined when none begins here. */
function longBracketEnd(source: string, at: number): number | undefined {
  let level = 0;
  while (source[at + 1 + level] === '=') level++;
  if (source[at] !== '[' || source[at + 1 + level] !== '[') return undefined;
  const close = `]${'='.repeat(level)}]`;
  const end = source.indexOf(close, at + level + 2);
  return end < 0 ? source.length : end + close.length;
}

function lineEnd(source: string, at: number): number {
  const end = source.indexOf('\n', at);
  return end < 0 ? source.length : end;
}
