import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseJson } from '../src/json/text.ts';
import { type Json, type JsonMap, member } from '../src/json/value.ts';
import type { Script } from '../src/lua/script.ts';

const SOURCE = fileURLToPath(new URL('./gopher-lua/', import.meta.url));
const BINARY = fileURLToPath(new URL('./bin/gopher-lua', import.meta.url));

/** The Go program of `bench/gopher-lua`, running. */
export type GopherLua = {
  /** Gives it a script and the `obj` to run it on, and gives back what the script returned. */
  load(script: Script, object: JsonMap): Promise<Json | undefined>;
  /** Nanoseconds for so many calls of what was loaded; with `compiled` the script is compiled before, not in each call. */
  measure(iterations: number, compiled: boolean): Promise<number>;
  close(): void;
};

/**
 * Builds the program.
 * @returns why that is impossible when there is no Go here, `built` otherwise.
 * @throws when there is Go and the program does not build.
 */
export function buildGopherLua(): 'built' | 'no Go' {
  try {
    execFileSync('go', ['build', '-trimpath', '-o', BINARY, '.'], {
      cwd: SOURCE,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return 'built';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'no Go';
    throw error;
  }
}

/** Starts the program that {@link buildGopherLua} made. */
export function startGopherLua(): GopherLua {
  const child = spawn(BINARY, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (command: object): Promise<Json> => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error(`the Go program ended ${ending(child)}`);
    return parseJson(line.value);
  };
  return {
    async load({ text, modules }, object) {
      return member(await ask({ text, modules, object }), 'result');
    },
    async measure(iterations, compiled) {
      const nanoseconds = member(await ask({ iterations, compiled }), 'nanoseconds');
      if (typeof nanoseconds !== 'number') throw new Error('the Go program answered without a time');
      return nanoseconds;
    },
    close: () => child.stdin.end(),
  };
}

function ending({ exitCode, signalCode }: ChildProcess): string {
  return exitCode === null ? `by ${signalCode ?? 'itself'}` : `with code ${exitCode}`;
}
