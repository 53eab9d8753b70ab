import { isMet, type Measurement, ratioOf } from './measurement.ts';

const HEAD = ['measured', 'ours', 'other', 'unit', 'ratio', 'goal', 'met', 'details (ours | other)'];
/** Columns of figures, which are aligned to the right. */
const FIGURES: ReadonlySet<number> = new Set([1, 2, 4, 5]);

const GREEN = '\u001b[32m';
const RED = '\u001b[31m';
const PLAIN = '\u001b[39m';

/**
 * The table of all measurements, ended by a line feed. Two spaces stand between columns.
 * @param colour marks met and missed goals in green and red.
 */
export function renderTable(measurements: readonly Measurement[], colour: boolean): string {
  const rows = [HEAD, ...measurements.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const rule = widths.map((width) => '-'.repeat(width));
  return [HEAD, rule, ...rows.slice(1)]
    .map((row) => {
      const line = row.map((cell, column) => aligned(cell, column, widths[column] ?? 0)).join('  ');
      return `${painted(line.trimEnd(), row, colour)}\n`;
    })
    .join('');
}

function cellsOf(measurement: Measurement): string[] {
  const { name, ours, other, unit, goal, details = [] } = measurement;
  const met = isMet(measurement);
  return [
    name,
    figure(ours),
    figure(other),
    unit,
    figure(ratioOf(measurement)),
    goal === undefined ? '' : `${goal.bound === 'at most' ? '≤' : '≥'} ${goal.ratio}`,
    met === undefined ? '' : met ? 'yes' : 'MISSED',
    details.map((detail) => detailText(detail, name)).join('; '),
  ];
}

/** `p50 0.31 | 0.12 ms`: a detail's name goes on from its measurement's. */
function detailText({ name, ours, other, unit }: Measurement, of: string): string {
  return `${name.startsWith(of) ? name.slice(of.length).replace(/^[\s,:]+/, '') : name} ${figure(ours)} | ${figure(other)} ${unit}`;
}

function aligned(cell: string, column: number, width: number): string {
  return FIGURES.has(column) ? cell.padStart(width) : cell.padEnd(width);
}

function painted(line: string, row: readonly string[], colour: boolean): string {
  const met = row[6];
  if (!colour || (met !== 'yes' && met !== 'MISSED')) return line;
  return `${met === 'yes' ? GREEN : RED}${line}${PLAIN}`;
}

/** Three significant digits, and thousands set apart: 43,210; 6.52; 0.0451. */
function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
