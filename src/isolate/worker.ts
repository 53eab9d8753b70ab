import { parentPort, workerData } from 'node:worker_threads';
import { watchRuns } from '../lua/run.ts';
import { ScriptError } from '../lua/script.ts';
import { JOBS } from './jobs.ts';
import type { FromWorker, JobError, ToWorker, WorkerData } from './messages.ts';

/** The entry of a thread of an isolate: one job after the other, each answered before the next is sent. */
function serve(port: NonNullable<typeof parentPort>, { line, cpuAtStart }: WorkerData): void {
  const send = (message: FromWorker) => port.postMessage(message);
  watchRuns({
    script: (name) => send({ type: 'script', name }),
    line: (number) => {
      Atomics.store(line, 0, number);
    },
  });
  port.on('message', ({ job, input }: ToWorker) => {
    const { user, system } = process.threadCpuUsage();
    cpuAtStart[0] = (user + system) / 1000;
    try {
      const run = Object.hasOwn(JOBS, job) ? JOBS[job] : undefined;
      if (run === undefined) throw new Error(`there is no job '${job}'`);
      send({ type: 'done', output: run(input) });
    } catch (error) {
      send({ type: 'failed', error: jobError(error) });
    }
  });
  send({ type: 'ready' });
}

function jobError(error: unknown): JobError {
  if (error instanceof ScriptError) {
    const { script, line, reason, message } = error;
    return { kind: 'script', script, line, reason, message };
  }
  return { kind: 'ours', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

if (parentPort !== null) serve(parentPort, workerData as WorkerData);
