import type { Terminal } from '../terminal.ts';
import type { Invocation } from './invocation.ts';
import { pictureLines } from './lines.ts';
import type { Picture } from './picture.ts';

export function print(picture: Picture, output: 'text' | 'json', { terminal, surroundings }: Invocation): void {
  if (output === 'json') terminal.out.line(JSON.stringify(picture, undefined, 2));
  else for (const line of linesOf(picture, terminal, surroundings.programName)) terminal.out.line(line);
}

/** The picture as it is shown on standard output. */
export function linesOf(picture: Picture, { out }: Terminal, programName: string): string[] {
  return pictureLines(picture, { programName, paint: (style, text) => out.paint(style, text) });
}
