import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './until.ts';

/** How long a program may take to end by itself before it is killed. */
const GRACE_MILLISECONDS = 5_000;
const TAIL_CHARACTERS = 3_000;

export type DaemonOptions = {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  /** Takes both outputs; is appended to. */
  readonly log: string;
  /** Called when it ends without having been asked to, with what happened and the end of its log. */
  readonly onDeath: (message: string) => void;
};

/** A program that runs as long as the cluster does. */
export type Daemon = {
  /**
   * Waits until `isReady` says so.
   * @throws at once when the program has ended
   */
  ready(isReady: () => boolean | Promise<boolean>, timeoutSeconds?: number): Promise<void>;
  /** Ends it: SIGTERM, and SIGKILL where that does not help in time. */
  stop(): Promise<void>;
};

export function startDaemon({ name, path, args, log, onDeath }: DaemonOptions): Daemon {
  const output = openSync(log, 'a');
  const child = spawn(path, args, { stdio: ['ignore', output, output], cwd: '/' });
  closeSync(output);
  let stopping = false;
  let death: string | undefined;
  const ended = new Promise<void>((resolve) => {
    const end = (how: string): void => {
      resolve();
      if (stopping) return;
      death = `${name} ended: ${how}\n${readFileSync(log, 'utf8').slice(-TAIL_CHARACTERS)}`;
      onDeath(death);
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(`code ${code ?? signal}`));
  });
  return {
    async ready(isReady, timeoutSeconds = 60) {
      await until(`${name} to be ready`, async () => death !== undefined || (await isReady()), timeoutSeconds);
      if (death !== undefined) throw new Error(death);
    },
    async stop() {
      stopping = true;
      child.kill('SIGTERM');
      const late = new AbortController();
      await Promise.race([ended, sleep(GRACE_MILLISECONDS, undefined, { signal: late.signal }).catch(() => undefined)]);
      late.abort();
      child.kill('SIGKILL');
      await ended;
    },
  };
}
