import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { environment } from '../../test/cluster/settings.ts';
import { until } from '../../test/cluster/until.ts';
import type { Observation } from './observer.ts';

/** What is started as Sluice. */
export type SluiceProgram = { readonly path: string; readonly nodeFlags: readonly string[] };

export type Half = 'controller' | 'webhook';

/** Addresses of the pods' range, which is local: each half listens on one of its own. */
export const ADDRESSES: Readonly<Record<Half, string>> = { controller: '10.244.9.1', webhook: '10.244.9.2' };

export const NAMESPACE = 'sluice-system';

/**
 * What Node makes of the memory limits of the chart, 512 MiB and 1 GiB, and of the flag in the image. Without them it
 * would take the machine's memory for its own and collect garbage late.
 */
const HEAPS: Readonly<Record<Half, readonly string[]>> = {
  controller: ['--max-old-space-size=256', '--max-semi-space-size=16'],
  webhook: ['--max-old-space-size=512', '--max-semi-space-size=16'],
};

/** Sizes in MiB. */
export type Memory = { readonly rss: number; readonly mostRss: number };

/** One half of Sluice as a process outside of pods, with the rights of its service account. */
export type SluiceProcess = {
  /** Of `performance.now()`. */
  readonly started: number;
  /** CPU time of all its threads so far, in milliseconds. */
  cpu(): number;
  memory(): Memory;
  observe(): Promise<Observation>;
  /** The Prometheus text. */
  metrics(): Promise<string>;
  isReady(): Promise<boolean>;
  log(): string;
  /** Ends it as a node would. @throws when it ended badly */
  stop(): Promise<void>;
};

export type StartOptions = {
  readonly program: SluiceProgram;
  readonly half: Half;
  /** Of its service account. */
  readonly kubeconfig: string;
  /** Takes both outputs. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
};

export function startSluice({ program, half, kubeconfig, log, env = {} }: StartOptions): SluiceProcess {
  const output = openSync(log, 'w');
  const address = ADDRESSES[half];
  const observer = fileURLToPath(new URL('observer.ts', import.meta.url));
  const flags = [...HEAPS[half], ...program.nodeFlags, '--import', observer];
  const started = performance.now();
  const child = spawn(process.execPath, [...flags, program.path, half], {
    stdio: ['ignore', output, output, 'ipc'],
    env: {
      ...environment,
      NODE_ENV: 'production',
      NODE_DISABLE_COMPILE_CACHE: '1',
      KUBECONFIG: kubeconfig,
      SLUICE_NAMESPACE: NAMESPACE,
      SLUICE_POD_NAME: `sluice-${half}`,
      SLUICE_METRICS_HOST: address,
      ...(half === 'webhook' ? { SLUICE_HOST: address } : {}),
      ...env,
    },
  });
  closeSync(output);
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const pid = child.pid ?? 0;
  return {
    started,
    cpu: () => cpuOf(pid),
    memory: () => memoryOf(pid),
    observe: () => observationOf(child),
    metrics: async () => (await plainly(address, '/metrics')).body,
    isReady: async () => (await plainly(address, '/readyz')).status === 200,
    log: () => readFileSync(log, 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      const code = await ended;
      if (code !== 0) throw new Error(`${half} ended with code ${code}: ${readFileSync(log, 'utf8').slice(-2000)}`);
    },
  };
}

/** Waits until the log says something. @returns milliseconds since the start of the process */
export async function untilLogged({ started, log }: SluiceProcess, words: string, seconds: number): Promise<number> {
  await until(`the log to say "${words}"`, () => log().includes(words), seconds);
  return performance.now() - started;
}

function observationOf(child: ChildProcess): Promise<Observation> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Observation)); // observer.ts sends nothing else
    child.send('observe', (error) => error && reject(error));
  });
}

function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN);
  return { rss: kibibytes('VmRSS') / 1024, mostRss: kibibytes('VmHWM') / 1024 };
}

/** utime and stime of proc(5), counted after the name in parentheses; Linux has 100 ticks a second. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function plainly(host: string, path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port: 8080, path, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}
