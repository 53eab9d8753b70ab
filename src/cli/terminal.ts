import { styleText } from 'node:util';

/** The part of a process's standard output or error that commands use. */
export type Stream = {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  /** Lines of a terminal. */
  readonly rows?: number | undefined;
};

/** Everything that a command has of the process it runs in. Tests give their own. */
export type Surroundings = {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly readStdin: () => Promise<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How the user called it: `sluice`, or `kubectl sluice` as a plugin. */
  readonly programName: string;
  readonly signals: { on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown };
  /** Ends the process at once, whatever runs. */
  readonly exit: (code: number) => void;
};

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** One of the two streams: the only place where commands write. */
export class Channel {
  readonly #stream: Stream;
  /** Whether escape sequences for colours go out. */
  readonly colors: boolean;
  readonly isTerminal: boolean;

  constructor(stream: Stream, env: Surroundings['env']) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
    this.colors = wantsColors(this.isTerminal, env);
  }

  /** Writes a text as it is. */
  write(text: string): void {
    this.#stream.write(text);
  }

  line(text = ''): void {
    this.write(`${text}\n`);
  }

  /** The text in a style where colours are wanted, else as it is. */
  paint(style: Style, text: string): string {
    return this.colors ? styleText(style, text, { validateStream: false }) : text;
  }
}

/**
 * Colours are for terminals; `FORCE_COLOR` (anything but `0` and `false`) asks for them anywhere and wins over
 * `NO_COLOR` (anything but empty, no-color.org), as in Node itself.
 */
function wantsColors(isTerminal: boolean, env: Surroundings['env']): boolean {
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  return isTerminal && env['TERM'] !== 'dumb';
}

/** What a command writes to: results on `out`, everything about the work itself on `err`. */
export type Terminal = { readonly out: Channel; readonly err: Channel };

export function openTerminal({ stdout, stderr, env }: Surroundings): Terminal {
  return { out: new Channel(stdout, env), err: new Channel(stderr, env) };
}
