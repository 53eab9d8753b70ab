import { diffArrays } from 'diff';

/** One line of a comparison: kept (` `), gone (`-`) or new (`+`). */
type Edit = { readonly sign: ' ' | '-' | '+'; readonly line: string };

/** Lines that stay the same around each change. */
const CONTEXT = 3;

/**
 * Above so many edits between two lines that both texts have in common, finding the smallest difference takes seconds;
 * the part is then shown as replaced.
 */
const MOST_EDITS = 1_000;

/**
 * The hunks of a unified diff of two texts, without file names; empty when they are equal.
 *
 * Lines that stand once in each text tie them together, and only what lies between is compared line by line: an object
 * with a thousand routes, each of them changed, takes milliseconds and not the seconds that one comparison of it all does.
 */
export function lineDiff(before: string, after: string): string[] {
  if (before === after) return [];
  return hunks(edits(linesOf(before), linesOf(after)));
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

function edits(before: readonly string[], after: readonly string[]): Edit[] {
  const result: Edit[] = [];
  let [i, j] = [0, 0];
  for (const [nextI, nextJ] of [...anchors(before, after), [before.length, after.length] as const]) {
    result.push(...compared(before.slice(i, nextI), after.slice(j, nextJ)));
    const line = before[nextI];
    if (line !== undefined) result.push({ sign: ' ', line });
    [i, j] = [nextI + 1, nextJ + 1];
  }
  return result;
}

function compared(before: string[], after: string[]): Edit[] {
  const changes = diffArrays(before, after, { maxEditLength: MOST_EDITS });
  if (changes === undefined) return [...edited('-', before), ...edited('+', after)];
  return changes.flatMap(({ added, removed, value }) => edited(added ? '+' : removed ? '-' : ' ', value));
}

function edited(sign: Edit['sign'], lines: readonly string[]): Edit[] {
  return lines.map((line) => ({ sign, line }));
}

/** Pairs of places of lines that are unique in both texts, as many as come in the same order in both. */
function anchors(before: readonly string[], after: readonly string[]): (readonly [number, number])[] {
  const places = uniquePlaces(after);
  const pairs = [...uniquePlaces(before)].flatMap(([line, i]) => {
    const j = places.get(line);
    return j === undefined ? [] : [[i, j] as const];
  });
  return longestRising(pairs);
}

/** Where each line stands that stands there once, in the order of the text. */
function uniquePlaces(lines: readonly string[]): Map<string, number> {
  const places = new Map<string, number>();
  const repeated = new Set<string>();
  for (const [index, line] of lines.entries()) {
    if (places.has(line)) repeated.add(line);
    places.set(line, index);
  }
  for (const line of repeated) places.delete(line);
  return places;
}

/** The longest part of the pairs, which rise in their first place, that rises in the second too (patience sorting). */
function longestRising(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  type Link = { readonly pair: readonly [number, number]; readonly before: Link | undefined };
  const tops: Link[] = [];
  for (const pair of pairs) {
    let [low, high] = [0, tops.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((tops[middle]?.pair[1] ?? 0) < pair[1]) low = middle + 1;
      else high = middle;
    }
    tops[low] = { pair, before: tops[low - 1] };
  }
  const rising: (readonly [number, number])[] = [];
  for (let link = tops.at(-1); link !== undefined; link = link.before) rising.push(link.pair);
  return rising.reverse();
}

function hunks(all: readonly Edit[]): string[] {
  let [oldLine, newLine, done] = [1, 1, 0];
  return ranges(all).flatMap(([start, end]) => {
    // every line between two hunks is in both texts
    oldLine += start - done;
    newLine += start - done;
    done = end;
    const hunk = all.slice(start, end);
    const oldCount = hunk.filter(({ sign }) => sign !== '+').length;
    const newCount = hunk.filter(({ sign }) => sign !== '-').length;
    const header = `@@ -${range(oldLine, oldCount)} +${range(newLine, newCount)} @@`;
    oldLine += oldCount;
    newLine += newCount;
    return [header, ...hunk.map(({ sign, line }) => `${sign}${line}`)];
  });
}

/** A part without lines is named by the line before it. */
function range(start: number, count: number): string {
  return `${count === 0 ? start - 1 : start},${count}`;
}

/** The parts, start and end, that have the changes with their context; parts that touch are one. */
function ranges(all: readonly Edit[]): [number, number][] {
  const found: [number, number][] = [];
  for (const [index, { sign }] of all.entries()) {
    if (sign === ' ') continue;
    const [start, end] = [Math.max(0, index - CONTEXT), Math.min(all.length, index + CONTEXT + 1)];
    const last = found.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = end;
    else found.push([start, end]);
  }
  return found;
}
