import type { ScriptErrorReason } from '../lua/script.ts';

/**
 * What a thread is started with, shared memory: the line that its script is running, 0 for unknown; and the CPU time that
 * it had used when its job began, in milliseconds.
 */
export type WorkerData = { readonly line: Int32Array; readonly cpuAtStart: Float64Array };

/** One job for a thread. The next one is sent when this one has been answered. */
export type ToWorker = { readonly job: string; readonly input: string };

/** What a thread tells: it is ready for jobs, it begins to run a script, a job is done or has failed. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'script'; readonly name: string }
  | { readonly type: 'done'; readonly output: string }
  | { readonly type: 'failed'; readonly error: JobError };

/** An error as it travels: the user's, with all that a ScriptError holds, or ours, with its stack as text. */
export type JobError =
  | {
      readonly kind: 'script';
      readonly script: string;
      readonly line: number | undefined;
      readonly reason: ScriptErrorReason;
      readonly message: string;
    }
  | { readonly kind: 'ours'; readonly message: string };
