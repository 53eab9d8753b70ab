import type { Style } from '../terminal.ts';

/** Puts a text in a style, or leaves it as it is where no colours are wanted. */
export type Paint = (style: Style, text: string) => string;

/** A field of a table; the width is that of `text`, whatever its style. */
export type Cell = string | { readonly text: string; readonly style: Style | undefined };

/** For texts that are told in no style. */
export const UNPAINTED: Paint = (_, text) => text;

/** Rows with aligned columns, three spaces apart; nothing trails the last field that is not empty. */
export function table(rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, textOf(cell).length);
  return rows.map((row) => {
    const last = row.findLastIndex((cell) => textOf(cell) !== '');
    const fields = row.slice(0, last + 1).map((cell, i) => {
      const padding = i === last ? '' : ' '.repeat((widths[i] ?? 0) - textOf(cell).length);
      return painted(cell, paint) + padding;
    });
    return fields.join('   ');
  });
}

export function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}

function painted(cell: Cell, paint: Paint): string {
  if (typeof cell === 'string') return cell;
  return cell.style === undefined || cell.text === '' ? cell.text : paint(cell.style, cell.text);
}

/** A text and what belongs to it. */
export type Branch = { readonly text: string; readonly branches?: readonly Branch[] };

/** A tree as lines, with guides from each text to what belongs to it. A text may have several lines. */
export function treeLines({ text, branches = [] }: Branch): string[] {
  const [first = '', ...more] = text.split('\n');
  const below = branches.flatMap((branch, i) => {
    const isLast = i === branches.length - 1;
    return treeLines(branch).map((line, j) => `${guide(j === 0, isLast)}${line}`);
  });
  return [first, ...more.map((line) => `${branches.length === 0 ? '' : '│  '}${line}`), ...below];
}

function guide(isFirstLine: boolean, isLastBranch: boolean): string {
  if (isFirstLine) return isLastBranch ? '└─ ' : '├─ ';
  return isLastBranch ? '   ' : '│  ';
}
