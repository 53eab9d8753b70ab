import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../cluster/until.ts';

export type LoadOptions = {
  /** Writes once; `worker` counts the connections from 0. */
  readonly write: (worker: number) => Promise<unknown>;
  readonly workers: number;
  /** Milliseconds from the begin of a write to that of the next, for each worker. */
  readonly interval: number;
};

/** A write that failed: when it began, in milliseconds since the load's start, and what was said. */
export type LoadFailure = { readonly at: number; readonly message: string };

export type LoadResult = {
  readonly done: number;
  readonly failures: readonly LoadFailure[];
  readonly perSecond: number;
};

export type Load = {
  /** Waits until no write has failed for three seconds. */
  quiet(): Promise<unknown>;
  stop(): Promise<LoadResult>;
};

/** Writes at a steady pace until it is stopped; a write that fails is noted. */
export function startLoad({ write, workers, interval }: LoadOptions): Load {
  const failures: LoadFailure[] = [];
  let done = 0;
  let stopped = false;
  const start = performance.now();

  async function work(worker: number): Promise<void> {
    while (!stopped) {
      const begin = performance.now();
      try {
        await write(worker);
        done++;
      } catch (error) {
        failures.push({
          at: Math.round(begin - start),
          message: error instanceof Error ? error.message : String(error),
        });
      }
      await sleep(Math.max(0, begin + interval - performance.now()));
    }
  }

  const running = Array.from({ length: workers }, (_, worker) => work(worker));
  return {
    quiet() {
      let [last, still] = [-1, 0];
      return until('three seconds without a failure', () => {
        still = failures.length === last ? still + 1 : 0;
        last = failures.length;
        return still >= 30;
      });
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
      return { done, failures, perSecond: done / ((performance.now() - start) / 1000) };
    },
  };
}
