import { Worker } from 'node:worker_threads';
import { ScriptError } from '../lua/script.ts';
import type { FromWorker, ToWorker, WorkerData } from './messages.ts';

/** How much an isolate may use. */
export type IsolateOptions = {
  /** Threads at most, hence jobs at a time; they are started when they are needed. 2 or more, or one job stops all. */
  readonly workers?: number;
  /** A job that computes longer (CPU time of its thread) is stopped, whatever it does. Waiting does not count. */
  readonly milliseconds?: number;
  /** A job that has not ended after so long is stopped, even where the machine gave it no time to compute. */
  readonly wallMilliseconds?: number;
  /**
   * Heap of one thread, in MiB. Strings, tables and code of scripts all live there. It is the last resort, several times
   * what a script's own limits let it use: V8 ends a thread in good order there, but cannot promise to.
   */
  readonly memoryMb?: number;
  /** Jobs that may wait. */
  readonly queue?: number;
};

/** Threads that run jobs which might never end, apart from everything else. */
export type Isolate = {
  /**
   * Runs a job of {@link JOBS} by its name: text in, text out.
   * @throws ScriptError for a script that failed or was stopped, {@link IsolateBusy} when too many jobs wait already.
   */
  run(job: string, input: string): Promise<string>;
  /** Resolves when at least one thread is ready to work. */
  ready(): Promise<void>;
  /** Stops all threads; jobs that run or wait are refused. */
  close(): Promise<void>;
};

/** So many jobs wait that another would wait for too long. It passes: ask again. */
export class IsolateBusy extends Error {
  override readonly name = 'IsolateBusy';
}

/** Our own failure inside a job, with the other thread's stack. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed';
}

type Task = {
  readonly job: string;
  readonly input: string;
  readonly resolve: (output: string) => void;
  readonly reject: (error: Error) => void;
};

/** One thread and what it does. `line` and `cpuAtStart` are shared memory: they can be read while the thread is stuck. */
type Thread = {
  readonly worker: Worker;
  readonly line: Int32Array;
  readonly cpuAtStart: Float64Array;
  state: 'starting' | 'idle' | 'busy' | 'gone';
  task: Task | undefined;
  script: string | undefined;
  timer: NodeJS.Timeout | undefined;
};

const WORKER = new URL('./worker.ts', import.meta.url);

/**
 * Threads are started one ahead of need, as long as there may be more: while one job is stuck, the next does not even
 * wait for a thread to start. node:worker_threads is used directly, since a pool library hides what is needed here: the
 * one thread that a job is stuck in, its shared memory, and the reason why it ended.
 */
export function createIsolate({
  workers = 4,
  milliseconds = 900,
  wallMilliseconds = 5_000,
  memoryMb = 256,
  queue = 256,
}: IsolateOptions = {}): Isolate {
  const threads = new Set<Thread>();
  const waiting: Task[] = [];
  const onReady: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  let closed = false;

  function start(): void {
    const line = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const cpuAtStart = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
    const workerData: WorkerData = { line, cpuAtStart };
    const worker = new Worker(WORKER, {
      workerData,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: Math.min(32, memoryMb) },
    });
    const thread: Thread = {
      worker,
      line,
      cpuAtStart,
      state: 'starting',
      task: undefined,
      script: undefined,
      timer: undefined,
    };
    threads.add(thread);
    worker.on('message', (message: FromWorker) => receive(thread, message));
    worker.on('error', (error) => end(thread, failureOf(thread, error, memoryMb)));
    worker.on('exit', (code) => end(thread, new JobFailed(`a thread ended by itself with code ${code}`)));
    worker.unref();
  }

  function receive(thread: Thread, message: FromWorker): void {
    if (message.type === 'script') {
      thread.script = message.name;
      return;
    }
    if (thread.state === 'gone') return;
    const { task } = thread;
    clearTimeout(thread.timer);
    thread.state = 'idle';
    thread.task = undefined;
    thread.worker.unref();
    if (message.type === 'done') task?.resolve(message.output);
    if (message.type === 'failed') task?.reject(errorOf(message.error));
    for (const { resolve } of onReady.splice(0)) resolve();
    assign();
  }

  /** Gives waiting jobs to idle threads, and sees to it that another thread stands by. */
  function assign(): void {
    for (const thread of threads) {
      if (thread.state !== 'idle') continue;
      const task = waiting.shift();
      if (task === undefined) break;
      give(thread, task);
    }
    const standingBy = [...threads].filter(({ state }) => state === 'idle' || state === 'starting').length;
    if (standingBy === 0 && threads.size < workers && !closed) start();
  }

  function give(thread: Thread, task: Task): void {
    const message: ToWorker = { job: task.job, input: task.input };
    thread.state = 'busy';
    thread.task = task;
    thread.script = undefined;
    Atomics.store(thread.line, 0, 0);
    thread.worker.ref();
    thread.worker.postMessage(message);
    // A thread that ends by itself cannot be asked: its end tells whoever waits.
    watchTime(thread, task).catch((error: unknown) => end(thread, new JobFailed(String(error))));
  }

  /** Ends the thread when its task has used its time up. No job can have before the first look. */
  async function watchTime(thread: Thread, task: Task): Promise<void> {
    const deadline = performance.now() + wallMilliseconds;
    let left = milliseconds;
    while (left > 0) {
      await later(thread, Math.min(left, Math.max(0, deadline - performance.now())));
      if (thread.task !== task) return;
      // A thread that is deep in one step of V8's own does not answer: at its end it is taken to have computed.
      const computed = await Promise.race([computedBy(thread), unanswered(deadline - performance.now())]);
      if (thread.task !== task) return;
      left = performance.now() < deadline ? milliseconds - computed : 0;
    }
    stop(thread);
  }

  function stop(thread: Thread): void {
    end(thread, stopped(thread, 'time', `stopped after ${milliseconds} ms: is there a loop that never ends?`));
  }

  /** Takes a thread out of service; its job fails with the given error. */
  function end(thread: Thread, error: Error): void {
    if (thread.state === 'gone') return;
    // A thread that cannot even start would fail again: whoever waits is told instead.
    if (thread.state === 'starting')
      for (const { reject } of [...onReady.splice(0), ...waiting.splice(0)]) reject(error);
    thread.state = 'gone';
    threads.delete(thread);
    clearTimeout(thread.timer);
    thread.worker.terminate().catch((reason: unknown) => thread.task?.reject(new JobFailed(String(reason))));
    thread.task?.reject(error);
    if (waiting.length > 0) assign();
  }

  return {
    run(job, input) {
      if (closed) return Promise.reject(new JobFailed('the isolate is closed'));
      if (waiting.length >= queue) return Promise.reject(new IsolateBusy(`${waiting.length} jobs wait already`));
      return new Promise((resolve, reject) => {
        waiting.push({ job, input, resolve, reject });
        assign();
      });
    },
    ready() {
      if ([...threads].some(({ state }) => state === 'idle')) return Promise.resolve();
      const ready = new Promise<void>((resolve, reject) => onReady.push({ resolve, reject }));
      assign();
      for (const { worker } of threads) worker.ref();
      return ready;
    },
    async close() {
      closed = true;
      for (const task of waiting.splice(0)) task.reject(new JobFailed('the isolate is closed'));
      const all = [...threads];
      for (const thread of all) end(thread, new JobFailed('the isolate is closed'));
      await Promise.all(all.map(({ worker }) => worker.terminate()));
    },
  };
}

/** Waits, so that whoever ends the thread's task can call the wait off. */
function later(thread: Thread, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    thread.timer = setTimeout(resolve, milliseconds);
  });
}

/** The CPU time that a thread's job has used, in milliseconds; asked by an interrupt, which a loop of JavaScript lets in. */
async function computedBy({ worker, cpuAtStart }: Thread): Promise<number> {
  const { user, system } = await worker.cpuUsage();
  return (user + system) / 1000 - (cpuAtStart[0] ?? 0);
}

/** A thread that does not answer in time. */
function unanswered(milliseconds: number): Promise<number> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(Number.POSITIVE_INFINITY), Math.max(0, milliseconds)).unref();
  });
}

function errorOf(error: Extract<FromWorker, { type: 'failed' }>['error']): Error {
  if (error.kind === 'script') return new ScriptError(error.script, error.line, error.reason, error.message);
  return new JobFailed(error.message);
}

function failureOf(thread: Thread, error: unknown, memoryMb: number): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return stopped(thread, 'limit', `stopped: it takes more than ${memoryMb} MiB`);
  }
  return new JobFailed(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** Names the script and the line, as far as the stopped thread had told them. */
function stopped(thread: Thread, reason: 'limit' | 'time', message: string): ScriptError {
  const script = thread.script ?? thread.task?.job ?? 'a script';
  const line = Atomics.load(thread.line, 0) || undefined;
  return new ScriptError(script, line, reason, `${script}:${line === undefined ? '' : `${line}:`} ${message}`);
}
