import type { Channel } from './terminal.ts';

/** A line of a unified diff in its colour; other lines as they are. */
export function diffLine(line: string, channel: Channel): string {
  if (line.startsWith('+')) return channel.paint('green', line);
  if (line.startsWith('-')) return channel.paint('red', line);
  return line.startsWith('@@') ? channel.paint('cyan', line) : line;
}
