import type { Machine } from './machine.ts';
import type { Value } from './value.ts';

/** A capture: where it starts and how long it is, or what it is instead. */
type Capture = { start: number; length: number };
const OPEN = -1;
const POSITION = -2;

const MOST_CAPTURES = 32;
/** Nested matches: what one pattern item inside another costs in JavaScript's own stack. */
const DEEPEST = 200;

const PERCENT = 37;

/**
 * Matches Lua patterns (reference manual §5.4.1) on byte strings. Each try at a character is a step of the run, so a
 * pattern that backtracks without end is stopped like a loop.
 */
export class Matcher {
  readonly #machine: Machine;
  readonly #subject: string;
  readonly #pattern: string;
  #captures: Capture[] = [];
  #depth = 0;

  constructor(machine: Machine, subject: string, pattern: string) {
    this.#machine = machine;
    this.#subject = subject;
    this.#pattern = pattern;
  }

  /** Matches the pattern from its `from`-th character at exactly this place: the end of the match, or -1. */
  matchAt(at: number, from: number): number {
    this.#captures = [];
    this.#depth = 0;
    return this.#match(at, from);
  }

  /** The captures of the last match; the whole match when the pattern has none. */
  captures(start: number, end: number): Value[] {
    if (this.#captures.length === 0) return [this.#piece(start, end)];
    return this.#captures.map((_, i) => this.capture(i, start, end));
  }

  /** One capture by its index from 0; index 0 is the whole match when the pattern has none. */
  capture(index: number, start: number, end: number): Value {
    const capture = this.#captures[index];
    if (capture === undefined) {
      if (index === 0) return this.#piece(start, end);
      throw this.#machine.error(`invalid capture index %${index + 1}`);
    }
    if (capture.length === POSITION) return capture.start + 1;
    if (capture.length === OPEN) throw this.#machine.error('unfinished capture');
    return this.#piece(capture.start, capture.start + capture.length);
  }

  /** The whole match. */
  whole(start: number, end: number): string {
    return this.#piece(start, end);
  }

  #piece(start: number, end: number): string {
    this.#machine.meter.string(end - start);
    return this.#subject.slice(start, end);
  }

  #match(start: number, from: number): number {
    if (++this.#depth > DEEPEST) throw this.#machine.error('pattern too complex');
    const end = this.#matchItems(start, from);
    this.#depth--;
    return end;
  }

  #matchItems(start: number, from: number): number {
    let at = start;
    let item = from;
    while (item < this.#pattern.length) {
      this.#machine.spend(1);
      const special = this.#special(at, item);
      if (special !== undefined) {
        if (special.next === undefined || special.end < 0) return special.end;
        at = special.end;
        item = special.next;
        continue;
      }
      const itemEnd = this.#itemEnd(item);
      const suffix = this.#pattern[itemEnd];
      if (suffix === '*') return this.#most(at, item, itemEnd, 0);
      if (suffix === '+') return this.#most(at, item, itemEnd, 1);
      if (suffix === '-') return this.#fewest(at, item, itemEnd);
      const matches = this.#one(at, item, itemEnd);
      if (suffix === '?') {
        const end = matches ? this.#match(at + 1, itemEnd + 1) : -1;
        if (end >= 0) return end;
        item = itemEnd + 1;
        continue;
      }
      if (!matches) return -1;
      at++;
      item = itemEnd;
    }
    return at;
  }

  /** Items that are no single characters: `next` is where the pattern goes on, absent when the rest is matched too. */
  #special(at: number, item: number): { end: number; next?: number } | undefined {
    const character = this.#pattern[item];
    if (character === '(') return { end: this.#openCapture(at, item) };
    if (character === ')') return { end: this.#closeCapture(at, item) };
    if (character === '$' && item + 1 === this.#pattern.length) return { end: at === this.#subject.length ? at : -1 };
    if (character !== '%') return undefined;
    const escaped = this.#pattern[item + 1] ?? '';
    if (escaped === 'b') return { end: this.#balanced(at, item + 2), next: item + 4 };
    if (escaped === 'f') return this.#frontier(at, item + 2);
    if (/\d/.test(escaped)) return { end: this.#again(at, Number(escaped) - 1), next: item + 2 };
    return undefined;
  }

  #openCapture(at: number, item: number): number {
    const position = this.#pattern[item + 1] === ')';
    if (this.#captures.length >= MOST_CAPTURES) throw this.#machine.error('too many captures');
    this.#captures.push({ start: at, length: position ? POSITION : OPEN });
    const end = this.#match(at, item + (position ? 2 : 1));
    if (end < 0) this.#captures.pop();
    return end;
  }

  #closeCapture(at: number, item: number): number {
    const capture = this.#captures.findLast(({ length }) => length === OPEN);
    if (capture === undefined) throw this.#machine.error('invalid pattern capture');
    capture.length = at - capture.start;
    const end = this.#match(at, item + 1);
    if (end < 0) capture.length = OPEN;
    return end;
  }

  /** `%1`: the text of an earlier capture again. */
  #again(at: number, index: number): number {
    const capture = this.#captures[index];
    if (capture === undefined || capture.length === OPEN) {
      throw this.#machine.error(`invalid capture index %${index + 1}`);
    }
    const text = this.#subject.slice(capture.start, capture.start + Math.max(0, capture.length));
    this.#machine.spend(text.length >> 4);
    return this.#subject.startsWith(text, at) ? at + text.length : -1;
  }

  /** `%b()`: from an opening character to the closing one that balances it. */
  #balanced(at: number, item: number): number {
    if (item + 1 >= this.#pattern.length) throw this.#machine.error("malformed pattern (missing arguments to '%b')");
    if (this.#subject[at] !== this.#pattern[item]) return -1;
    let open = 1;
    for (let i = at + 1; i < this.#subject.length; i++) {
      this.#machine.spend(1);
      if (this.#subject[i] === this.#pattern[item + 1]) {
        if (--open === 0) return i + 1;
      } else if (this.#subject[i] === this.#pattern[item]) open++;
    }
    return -1;
  }

  /** `%f[set]`: between a character outside the set and one inside. */
  #frontier(at: number, item: number): { end: number; next: number } {
    if (this.#pattern[item] !== '[') throw this.#machine.error("missing '[' after '%f' in pattern");
    const next = this.#itemEnd(item);
    const before = at === 0 ? 0 : this.#subject.charCodeAt(at - 1);
    const after = at >= this.#subject.length ? 0 : this.#subject.charCodeAt(at);
    const here = !this.#inSet(before, item, next - 1) && this.#inSet(after, item, next - 1);
    return { end: here ? at : -1, next };
  }

  /** One past the single-character item that starts at `item`. */
  #itemEnd(item: number): number {
    const character = this.#pattern[item];
    if (character === '%') {
      if (item + 1 >= this.#pattern.length) throw this.#machine.error("malformed pattern (ends with '%')");
      return item + 2;
    }
    if (character !== '[') return item + 1;
    let i = item + 1;
    if (this.#pattern[i] === '^') i++;
    do {
      if (i >= this.#pattern.length) throw this.#machine.error("malformed pattern (missing ']')");
      i += this.#pattern[i] === '%' ? 2 : 1;
    } while (this.#pattern[i] !== ']');
    return i + 1;
  }

  /** Whether the character at `at` is one that the item stands for. */
  #one(at: number, item: number, itemEnd: number): boolean {
    if (at >= this.#subject.length) return false;
    const code = this.#subject.charCodeAt(at);
    switch (this.#pattern[item]) {
      case '.':
        return true;
      case '%':
        return inClass(code, this.#pattern.charCodeAt(item + 1));
      case '[':
        return this.#inSet(code, item, itemEnd - 1);
      default:
        return this.#pattern.charCodeAt(item) === code;
    }
  }

  #inSet(code: number, item: number, last: number): boolean {
    const negated = this.#pattern[item + 1] === '^';
    for (let i = item + (negated ? 2 : 1); i < last; i++) {
      const low = this.#pattern.charCodeAt(i);
      if (low === PERCENT) {
        i++;
        if (inClass(code, this.#pattern.charCodeAt(i))) return !negated;
      } else if (this.#pattern[i + 1] === '-' && i + 2 < last) {
        i += 2;
        if (low <= code && code <= this.#pattern.charCodeAt(i)) return !negated;
      } else if (low === code) return !negated;
    }
    return negated;
  }

  #most(at: number, item: number, itemEnd: number, least: number): number {
    let count = 0;
    while (this.#one(at + count, item, itemEnd)) {
      this.#machine.spend(1);
      count++;
    }
    for (; count >= least; count--) {
      const end = this.#match(at + count, itemEnd + 1);
      if (end >= 0) return end;
    }
    return -1;
  }

  #fewest(start: number, item: number, itemEnd: number): number {
    for (let at = start; ; at++) {
      const end = this.#match(at, itemEnd + 1);
      if (end >= 0) return end;
      this.#machine.spend(1);
      if (!this.#one(at, item, itemEnd)) return -1;
    }
  }
}

const CLASSES: Readonly<Record<string, (code: number) => boolean>> = {
  a: isLetter,
  c: (code) => code < 32 || code === 127,
  d: isDigit,
  g: isGraphic,
  l: (code) => code >= 97 && code <= 122,
  p: (code) => isGraphic(code) && !isLetter(code) && !isDigit(code),
  s: (code) => code === 32 || (code >= 9 && code <= 13),
  u: (code) => code >= 65 && code <= 90,
  w: (code) => isLetter(code) || isDigit(code),
  x: (code) => isDigit(code) || ((code | 32) >= 97 && (code | 32) <= 102),
  z: (code) => code === 0,
};

function isLetter(code: number): boolean {
  return (code | 32) >= 97 && (code | 32) <= 122;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isGraphic(code: number): boolean {
  return code > 32 && code < 127;
}

/** `%a` and the like; an upper-case letter means the others; what is no class stands for itself. */
function inClass(code: number, name: number): boolean {
  const known = CLASSES[String.fromCharCode(name | 32)];
  if (known === undefined || !isLetter(name)) return name === code;
  return known(code) === name >= 97;
}
