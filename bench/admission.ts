import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseJson } from '../src/json/text.ts';
import { at, type Json } from '../src/json/value.ts';
import { writeCertificates } from '../src/tls/folder.ts';
import { issueLocal, validFor } from '../src/tls/generate.ts';
import type { CpuTime, LoadAnswer, LoadRequest, ServerReady } from './admission/messages.ts';
import { PATH, reviewText, VERDICTS, type WriteName } from './admission/reviews.ts';
import type { Goal, Measurement } from './measurement.ts';
import { median } from './statistics.ts';
import { shippedScript } from './virtual-service.ts';

const ROUNDS = 9;
const MILLISECONDS = 200;
const WARM_UP_MILLISECONDS = 500;
/** What each server answers before anything counts: compilers are still at work after thousands of requests. */
const FIRST_REQUESTS = { requests: 5000, milliseconds: 6000 };
const REQUESTS = 20_000;

/** Different objects that requests name in turn: a server meets many, and remembers them one by one. */
const OBJECTS = 16;

const GOALS = { remembered: 0.6, cold: 0.2 };

type Scenario = { readonly write: WriteName; readonly routes: number; readonly connections: number };

const TITLES: Record<WriteName, string> = {
  step: "controller's step",
  touch: 'metadata only',
  apply: "owner's re-apply",
};

const SCENARIOS: readonly Scenario[] = [
  ...[1, 10, 100].flatMap((routes) => [1, 8].map((connections) => ({ write: 'step' as const, routes, connections }))),
  { write: 'touch', routes: 10, connections: 8 },
  { write: 'apply', routes: 10, connections: 8 },
];

type Sides<T> = { readonly remembered: T; readonly cold: T; readonly bare: T };
const SIDES = ['remembered', 'cold', 'bare'] as const;

/** Part (b): the webhook over HTTPS against a bare Node server that parses the same bytes and allows everything. */
export async function measureAdmission(progress: (line: string) => void): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const children: ChildProcess[] = [];
  const start = (file: string, ...args: string[]) => {
    const child = fork(fileURLToPath(new URL(`./admission/${file}`, import.meta.url)), args);
    children.push(child);
    return child;
  };
  try {
    // Not beside the logs: the webhook looks at its certificates again whenever something in their folder changes.
    const certificates = join(folder, 'certificates');
    writeCertificates(certificates, await issueLocal(['127.0.0.1'], validFor(1, new Date(Date.now() - 60_000))));
    const servers: Sides<Server> = {
      remembered: await serverOf(start('sluice-server.ts', certificates, join(folder, 'remembered.log'))),
      cold: await serverOf(start('sluice-server.ts', certificates, join(folder, 'cold.log'), '0')),
      bare: await serverOf(start('bare-server.ts', certificates)),
    };
    const load = loadGenerator(start('load.ts'));
    progress('(b) warming up');
    for (const side of SIDES) {
      const { port } = servers[side];
      await load({ ...FIRST_REQUESTS, port, path: PATH, bodies: bodiesOf('step', 10), connections: 8 });
    }
    const measurements: Measurement[] = [];
    for (const scenario of SCENARIOS) {
      progress(`(b) ${titleOf(scenario)}`);
      measurements.push(...(await measureScenario(load, servers, scenario)));
    }
    return measurements;
  } finally {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true });
  }
}

type Server = { readonly port: number; readonly process: ChildProcess };

async function serverOf(process: ChildProcess): Promise<Server> {
  const { port } = await messageOf<ServerReady>(process);
  return { port, process };
}

/** CPU time of a server so far, in milliseconds. */
async function cpuOf({ process }: Server): Promise<number> {
  process.send('cpu');
  return (await messageOf<CpuTime>(process)).microseconds / 1000;
}

/** The next message of a process of ours, which is of the type that it was asked for. @throws when it ends instead. */
function messageOf<T>(process: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`${process.spawnargs[1]} ended with code ${code}`));
    process.once('exit', ended);
    process.once('message', (message) => {
      process.off('exit', ended);
      resolve(message as T);
    });
  });
}

async function measureScenario(load: Load, servers: Sides<Server>, scenario: Scenario): Promise<Measurement[]> {
  const { write, routes, connections } = scenario;
  const bodies = bodiesOf(write, routes);
  for (const side of ['remembered', 'cold'] as const) await checkAnswer(servers[side].port, bodies[0] ?? '', write);

  const request = { path: PATH, bodies, connections, requests: REQUESTS };
  const ask = async (side: keyof Sides<Server>, milliseconds: number): Promise<Answers> => {
    const before = await cpuOf(servers[side]);
    const answer = await load({ ...request, port: servers[side].port, milliseconds });
    return { ...answer, cpu: ((await cpuOf(servers[side])) - before) / answer.requests };
  };
  const answers: Record<keyof Sides<Server>, Answers[]> = { remembered: [], cold: [], bare: [] };
  for (const side of SIDES) await ask(side, WARM_UP_MILLISECONDS);
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) answers[side].push(await ask(side, MILLISECONDS));
  }
  return (['remembered', 'cold'] as const).map((side) => {
    const goal: Goal | undefined =
      write === 'step' && routes === 10 ? { bound: 'at least', ratio: GOALS[side] } : undefined;
    return measurementOf(`(b) ${titleOf(scenario)}, ${side}`, answers[side], answers.bare, goal);
  });
}

function bodiesOf(write: WriteName, routes: number): string[] {
  const script = shippedScript();
  return Array.from({ length: OBJECTS }, (_, i) => reviewText(write, routes, `checkout-${i}`, script));
}

/** What one round of load gave, and the CPU time of the server for each request, in milliseconds. */
type Answers = LoadAnswer & { readonly cpu: number };

type Load = (request: LoadRequest) => Promise<LoadAnswer>;

function loadGenerator(process: ChildProcess): Load {
  return (request) => {
    process.send(request);
    return messageOf<LoadAnswer>(process);
  };
}

function measurementOf(
  name: string,
  ours: readonly Answers[],
  other: readonly Answers[],
  goal: Goal | undefined,
): Measurement {
  const of = (answers: readonly Answers[], key: 'perSecond' | 'p50' | 'p99' | 'cpu') =>
    median(answers.map((answer) => answer[key]));
  return {
    name,
    ours: of(ours, 'perSecond'),
    other: of(other, 'perSecond'),
    unit: 'req/s',
    ...(goal === undefined ? {} : { goal }),
    details: (['p50', 'p99', 'cpu'] as const).map((key) => ({
      name: `${name}, ${key}`,
      ours: of(ours, key),
      other: of(other, key),
      unit: 'ms',
    })),
  };
}

function titleOf({ write, routes, connections }: Scenario): string {
  const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
  return `${TITLES[write]}, ${plural(routes, 'route')}, ${plural(connections, 'connection')}`;
}

/** Holds that our server really does what is measured. @throws with its answer when it does not. */
async function checkAnswer(port: number, body: string, write: WriteName): Promise<void> {
  const response = at(await posted(port, body), ['response']);
  const isPatched = at(response, ['patch']) !== undefined;
  if (at(response, ['allowed']) === true && isPatched === (VERDICTS[write] === 'patched')) return;
  throw new Error(`the webhook should have ${VERDICTS[write]} the write, but answered ${JSON.stringify(response)}`);
}

function posted(port: number, body: string): Promise<Json> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const options = { port, host: '127.0.0.1', path: PATH, method: 'POST', headers, rejectUnauthorized: false };
    const request = httpsRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(parseJson(Buffer.concat(chunks).toString())));
    });
    request.on('error', reject);
    request.end(body);
  });
}
