import type { Stream, Surroundings } from '../terminal.ts';

/** The alternate screen (xterm): what stood on the terminal before comes back when it is left. Long lines are cut, not wrapped. */
const ENTER = '\x1b[?1049h\x1b[?7l\x1b[?25l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_TO_LINE_END = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** Terminals without a size are taken to be of the size that terminals had. */
const ROWS = 24;

/** A terminal that lines are drawn on, over and over. */
export type Screen = { draw(lines: readonly string[]): void; leave(): void };

export function openScreen({ stdout }: Surroundings): Screen {
  stdout.write(ENTER);
  return {
    draw(lines) {
      const shown = fitting(lines, rowsOf(stdout)).map((line) => `${line}${CLEAR_TO_LINE_END}`);
      stdout.write(`${HOME}${shown.join('\r\n')}${CLEAR_BELOW}`);
    },
    leave: () => stdout.write(LEAVE),
  };
}

/** As many lines as there are rows; what is left out is counted in the last one. */
export function fitting(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines: make the window higher`];
}

function rowsOf(stream: Stream): number {
  return stream.rows === undefined || stream.rows < 2 ? ROWS : stream.rows;
}
