import { EventEmitter } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Which lines of a log; as the parameters of `/containerLogs` name them. */
export type LogSelection = {
  readonly tailLines?: number;
  /** Lines from this moment on. */
  readonly since?: Date;
  readonly timestamps?: boolean;
};

/** The log of one run of a container: a file of lines, each behind the time at which it came. */
export class ContainerLog {
  readonly #path: string;
  readonly #lines = new EventEmitter<{ line: [string]; end: [] }>();
  #ended = false;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#path = path;
    this.#lines.setMaxListeners(0);
  }

  /** Adds one line, without its line feed. */
  add(text: string): void {
    const line = `${new Date().toISOString()} ${text}\n`;
    appendFileSync(this.#path, line);
    this.#lines.emit('line', line);
  }

  /** The run is over: readers that follow are let go. */
  end(): void {
    this.#ended = true;
    this.#lines.emit('end');
  }

  read(selection: LogSelection = {}): string {
    const all = existsSync(this.#path) ? readFileSync(this.#path, 'utf8').split(/(?<=\n)/) : [];
    const { since, tailLines } = selection;
    const recent = since === undefined ? all : all.filter((line) => timeOf(line) >= since.getTime());
    const last = tailLines === undefined ? recent : recent.slice(Math.max(0, recent.length - tailLines));
    return last.map((line) => shown(line, selection)).join('');
  }

  /** Writes what is there and then each new line, until the run is over or `signal` aborts. */
  async follow(selection: LogSelection, write: (text: string) => void, signal: AbortSignal): Promise<void> {
    const onLine = (line: string): void => write(shown(line, selection));
    write(this.read(selection));
    if (this.#ended || signal.aborted) return;
    this.#lines.on('line', onLine);
    await new Promise<void>((resolve) => {
      this.#lines.once('end', resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#lines.off('line', onLine);
  }
}

function timeOf(line: string): number {
  return Date.parse(line.slice(0, line.indexOf(' ')));
}

function shown(line: string, { timestamps = false }: LogSelection): string {
  return timestamps ? line : line.slice(line.indexOf(' ') + 1);
}
