import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerLog } from './container-log.ts';
import { ContainerRun, type RunOptions } from './container-run.ts';
import { NotAvailable } from './downward.ts';
import { imageOf } from './images.ts';
import type { Container, ContainerState } from './pod-object.ts';

/** Waits between restarts: shorter than a kubelet's (10 s to 5 min), so that tests can see some of them. */
const BACKOFF_SECONDS = { first: 1, most: 16 } as const;
/** A run that lasted this long starts the waits anew (a kubelet: 10 min). */
const STEADY_MILLISECONDS = 60_000;
const RETRY_MILLISECONDS = 500;

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

/** What has to be known to start a container; asked for again before each start. */
export type Prepared = Pick<RunOptions, 'command' | 'env' | 'podIP'>;

export type RunnerOptions = {
  readonly container: Container;
  readonly restartPolicy: RestartPolicy;
  /** @throws NotAvailable while something is missing */
  readonly prepare: () => Prepared;
  /** The file for the log of the run with this number. */
  readonly logFile: (run: number) => string;
  /** The state has changed. */
  readonly onChange: () => void;
};

/** Keeps one container of a pod going, as its restart policy says. Its fields are what the pod's status shows. */
export class ContainerRunner {
  readonly container: Container;
  state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  lastState: ContainerState | undefined;
  restartCount = 0;
  started = false;
  ready = false;
  containerID = '';
  log: ContainerLog | undefined;
  previousLog: ContainerLog | undefined;
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  #run: ContainerRun | undefined;
  #graceSeconds = 30;

  constructor(options: RunnerOptions) {
    this.container = options.container;
    this.#options = options;
  }

  /** Resolves when the container has ended for good. */
  async run(): Promise<void> {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      const prepared = await this.#prepared();
      if (prepared === undefined) return;
      const start = performance.now();
      const exitCode = await this.#once(prepared);
      if (this.#stopping.signal.aborted || !this.#shouldRestart(exitCode)) return;
      failures = performance.now() - start > STEADY_MILLISECONDS ? 1 : failures + 1;
      await this.#backOff(failures);
      if (!this.#stopping.signal.aborted) this.restartCount += 1;
    }
  }

  /** Ends the container; it does not start again. */
  async stop(graceSeconds: number): Promise<void> {
    this.#graceSeconds = graceSeconds;
    this.#stopping.abort();
    await this.#run?.stop(graceSeconds);
  }

  /** How long its process may take when a probe has failed. */
  setGrace(seconds: number): void {
    this.#graceSeconds = seconds;
  }

  #shouldRestart(exitCode: number): boolean {
    const { restartPolicy } = this.#options;
    return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exitCode !== 0);
  }

  async #prepared(): Promise<Prepared | undefined> {
    while (!this.#stopping.signal.aborted) {
      if (imageOf(this.container.image) === undefined) {
        const message = `there is no image ${this.container.image} in the test cluster`;
        this.#set({ waiting: { reason: 'ErrImagePull', message } });
      } else {
        try {
          return this.#options.prepare();
        } catch (error) {
          if (!(error instanceof NotAvailable)) throw error;
          this.#set({ waiting: { reason: 'CreateContainerConfigError', message: error.message } });
        }
      }
      await sleep(RETRY_MILLISECONDS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
    return undefined;
  }

  async #once(prepared: Prepared): Promise<number> {
    this.previousLog = this.log;
    this.log = new ContainerLog(this.#options.logFile(this.restartCount));
    this.containerID = `process://${randomUUID()}`;
    const startedAt = seconds(new Date());
    let message: string | undefined;
    const run = new ContainerRun({
      ...prepared,
      container: this.container,
      log: this.log,
      listener: {
        started: () => this.#mark('started', true),
        ready: (isReady) => this.#mark('ready', isReady),
        failed: (why) => {
          message = why;
          void run.stop(this.#graceSeconds);
        },
      },
    });
    this.#run = run;
    this.#set({ running: { startedAt } });
    run.begin();
    const exitCode = await run.ended;
    this.#run = undefined;
    this.started = false;
    this.ready = false;
    const reason = exitCode === 0 ? 'Completed' : 'Error';
    const finishedAt = seconds(new Date());
    const { containerID } = this;
    const end = { exitCode, reason, startedAt, finishedAt, containerID };
    this.#set({ terminated: message === undefined ? end : { ...end, message } });
    return exitCode;
  }

  /** The first restart comes at once. */
  async #backOff(failures: number): Promise<void> {
    this.lastState = this.state;
    const wait = failures <= 1 ? 0 : Math.min(BACKOFF_SECONDS.first * 2 ** (failures - 2), BACKOFF_SECONDS.most);
    if (wait === 0) return;
    const message = `back-off ${wait}s restarting failed container=${this.container.name}`;
    this.#set({ waiting: { reason: 'CrashLoopBackOff', message } });
    await sleep(wait * 1000, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  #mark(field: 'started' | 'ready', value: boolean): void {
    if (this[field] === value || this.#run === undefined) return;
    this[field] = value;
    this.#options.onChange();
  }

  #set(state: ContainerState): void {
    this.state = state;
    this.#options.onChange();
  }
}

/** A moment as the API writes it, without fractions of a second. */
export function seconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
