import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerLog } from './container-log.ts';
import { handle } from './handler.ts';
import type { Container } from './pod-object.ts';
import { type ProbeListener, runProbes } from './probes.ts';

export type RunOptions = {
  readonly container: Container;
  readonly podIP: string;
  /** Program and arguments. */
  readonly command: readonly [string, readonly string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly log: ContainerLog;
  readonly listener: ProbeListener;
};

/** One run of a container's process, with its probes. */
export class ContainerRun {
  /** The exit code, as a shell counts: 128 and the signal's number for a signal. */
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;
  readonly #options: RunOptions;
  readonly #probes = new AbortController();
  #stopping: Promise<void> | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    const { command, env, log } = options;
    // A process group of its own, so that what it leaves behind can be ended too.
    this.#child = spawn(command[0], command[1], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => log.add(line));
    }
    this.ended = this.#end();
  }

  /** Begins with the postStart hook and the probes; to be called once. */
  begin(): void {
    this.#begin().catch((error: unknown) => this.#options.listener.failed(String(error)));
  }

  async #begin(): Promise<void> {
    const { container, podIP, listener } = this.#options;
    const target = { container, podIP, pid: this.#child.pid ?? 0 };
    const { postStart } = container.lifecycle ?? {};
    if (postStart !== undefined) await handle(postStart, target, 60_000);
    await runProbes(target, listener, this.#probes.signal);
  }

  async #end(): Promise<number> {
    const code = await new Promise<number>((resolve) => {
      this.#child.on('error', (error) => {
        this.#options.log.add(error.message);
        resolve(128);
      });
      this.#child.on('exit', (exitCode, signal) => {
        resolve(exitCode ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
    this.#probes.abort();
    this.#kill();
    await Promise.all([this.#child.stdout, this.#child.stderr].map(closed));
    this.#options.log.end();
    return code;
  }

  /** Ends the process: preStop, SIGTERM, and SIGKILL when `graceSeconds` have passed since the call. */
  stop(graceSeconds: number): Promise<void> {
    if (graceSeconds === 0) this.#kill();
    this.#stopping ??= this.#stop(graceSeconds);
    return this.#stopping;
  }

  /** Ends the process at once. */
  #kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The group is gone already.
    }
  }

  async #stop(graceSeconds: number): Promise<void> {
    const done = new AbortController();
    const deadline = sleep(graceSeconds * 1000, undefined, { signal: done.signal }).then(
      () => this.#kill(),
      () => undefined,
    );
    const { container, podIP, log } = this.#options;
    const { preStop } = container.lifecycle ?? {};
    if (preStop !== undefined && graceSeconds > 0) {
      const hook = handle(preStop, { container, podIP, pid: this.#child.pid ?? 0 }, graceSeconds * 1000);
      await Promise.race([hook, deadline, this.ended]).catch((error: unknown) => log.add(`preStop: ${error}`));
    }
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    await this.ended;
    done.abort();
    await deadline;
  }
}

function closed(stream: ChildProcess['stdout']): Promise<void> | undefined {
  if (stream === null || stream.closed) return undefined;
  return new Promise((resolve) => stream.once('close', resolve));
}
