/** What was seen in many runs, for a table in the documentation: each cell says what, and of whom when not all are alike. */
export class Measured {
  readonly #columns: readonly string[];
  readonly #rows = new Map<string, Map<string, Map<string, Set<string>>>>();

  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  /** @param who in the runs of a row, one kind or tool among several */
  saw(row: string, column: string, seen: string, who: string): void {
    if (!this.#columns.includes(column)) throw new Error(`there is no column ${column}`);
    const cells = this.#rows.get(row) ?? new Map<string, Map<string, Set<string>>>();
    const cell = cells.get(column) ?? new Map<string, Set<string>>();
    this.#rows.set(row, cells.set(column, cell.set(seen, (cell.get(seen) ?? new Set()).add(who))));
  }

  /**
   * @param corner what the rows are
   * @param rows their names in order; what has none of a column says `missing`
   * @param order of those that the cells tell apart
   */
  table(corner: string, rows: readonly string[], order: readonly string[], missing: string): string {
    const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
    const body = rows.map((row) => {
      const cells = this.#rows.get(row);
      return line([row, ...this.#columns.map((column) => cellText(cells?.get(column), order) ?? missing)]);
    });
    return [line([corner, ...this.#columns]), `|${' --- |'.repeat(this.#columns.length + 1)}`, ...body].join('\n');
  }
}

function cellText(cell: ReadonlyMap<string, ReadonlySet<string>> | undefined, order: readonly string[]) {
  if (cell === undefined) return undefined;
  const first = (who: ReadonlySet<string>) => order.findIndex((each) => who.has(each));
  const sorted = [...cell].sort(([a, inA], [b, inB]) => first(inA) - first(inB) || (a < b ? -1 : 1));
  const [only] = sorted;
  if (sorted.length === 1) return only?.[0];
  return sorted.map(([seen, who]) => `${seen} (${order.filter((each) => who.has(each)).join(', ')})`).join('; ');
}
