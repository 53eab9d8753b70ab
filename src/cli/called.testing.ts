import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { run } from './main.ts';
import type { Surroundings } from './terminal.ts';

/** What a command did; `all` is what a terminal shows: both streams in the order of writing. */
export type Called = { readonly code: number; readonly out: string; readonly err: string; readonly all: string };

type Given = {
  readonly stdin?: string;
  readonly env?: Surroundings['env'];
  readonly isTTY?: boolean;
  readonly programName?: string;
  /** Told of each text as it is written, to either stream. */
  readonly onWrite?: (text: string) => void;
  /** Gets what the command does on a signal. */
  readonly onSignal?: (signal: 'SIGTERM' | 'SIGINT', listener: () => void) => void;
};

/** Runs a command in this process, as `bin/sluice.js` does in its own. */
export async function called(argv: readonly string[], given: Given = {}): Promise<Called> {
  const written = { out: '', err: '', all: '' };
  const stream = (name: 'out' | 'err') => ({
    isTTY: given.isTTY,
    write: (text: string) => {
      written[name] += text;
      written.all += text;
      given.onWrite?.(text);
    },
  });
  const code = await run(argv, {
    stdout: stream('out'),
    stderr: stream('err'),
    readStdin: () => Promise.resolve(Buffer.from(given.stdin ?? '')),
    env: given.env ?? {},
    programName: given.programName ?? 'sluice',
    signals: { on: (signal, listener) => given.onSignal?.(signal, listener) },
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  });
  return { code, ...written };
}

/** A folder with these files, gone when the test is over. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

export const SEED = 'test/fixtures/seed-000';

/** Given to `node --import`, makes a Node of any version look like an old one. */
export const OLD_NODE = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.10.0' } })`;
