import { Worker } from 'node:worker_threads';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { makeScript, ScriptError } from '../lua/script.ts';
import { createIsolate, type Isolate, IsolateBusy, type IsolateOptions, JobFailed } from './isolate.ts';

let isolate: Isolate | undefined;
afterEach(() => isolate?.close());

function started(options: IsolateOptions): Isolate {
  isolate = createIsolate(options);
  return isolate;
}

const input = (text: string) =>
  JSON.stringify({
    script: makeScript('ingress/nginx', text, new Map()),
    obj: { annotations: { a: 'b' }, weight: '20' },
  });

/** Costs few steps and much time: only the clock ends it. */
const STUCK = 'local s = ("a"):rep(4e6)\nlocal t = ("a"):rep(4e6)\nwhile s == t do end';

test('a job gets text and gives text, digits of large numbers included', async () => {
  const request = `{"script":${JSON.stringify(makeScript('x', 'return {n = obj.n}', new Map()))},"obj":{"n":9007199254740993}}`;
  expect(await started({ workers: 1 }).run('runScript', request)).toBe('{"n":9007199254740993}');
});

test('a script that fails in another thread fails here with the same name, line and reason', async () => {
  const failed = started({ workers: 1 }).run('runScript', input('\nreturn obj.data.spec'));
  await expect(failed).rejects.toBeInstanceOf(ScriptError);
  await expect(failed).rejects.toMatchObject({
    script: 'ingress/nginx',
    line: 2,
    reason: 'runtime',
    message: "ingress/nginx:2: attempt to index a nil value (field 'data')",
  });
});

test('the job compile runs nothing, and names script and line of what is no Lua', async () => {
  const compile = (text: string) =>
    isolate?.run('compile', JSON.stringify(makeScript('ingress/nginx', text, new Map())));
  started({ workers: 1 });
  expect(await compile('while true do end')).toBe('');
  await expect(compile('\nreturn = 1')).rejects.toMatchObject({
    reason: 'syntax',
    line: 2,
    message: "ingress/nginx:2: unexpected symbol near '='",
  });
});

test('a job that does not exist is our own failure, never the author’s', async () => {
  await expect(started({ workers: 1 }).run('nonsense', '')).rejects.toBeInstanceOf(JobFailed);
});

test('input that is no JSON is our own failure', async () => {
  await expect(started({ workers: 1 }).run('runScript', '{')).rejects.toBeInstanceOf(JobFailed);
});

test('a thread that is stuck is stopped, and the error names script and line', async () => {
  const stopped = started({ workers: 1, milliseconds: 400 }).run('runScript', input(`\n${STUCK}`));
  await expect(stopped).rejects.toMatchObject({ script: 'ingress/nginx', reason: 'time' });
  await expect(stopped).rejects.toThrow(/^ingress\/nginx:\d: stopped after 400 ms/);
});

test('a job on a busy machine is not stopped: only the time that it computes counts', async () => {
  const pool = started({ workers: 1, milliseconds: 500, wallMilliseconds: 60_000 });
  await pool.ready();
  const busy = Array.from({ length: 8 }, () => new Worker('for (;;);', { eval: true }));
  onTestFinished(async () => void (await Promise.all(busy.map((worker) => worker.terminate()))));
  const begun = performance.now();
  // A fifth of a second of computing.
  const text = 'local n = 0 for i = 1, 5000000 do n = n + 1 end return {n = n > 0}';
  expect(await pool.run('runScript', input(text))).toBe('{"n":true}');
  expect(performance.now() - begun, 'the machine was busy').toBeGreaterThan(500);
});

test('a thread that takes too much memory is stopped, and the next job is served', async () => {
  const pool = started({ workers: 1, memoryMb: 24 });
  const bomb = pool.run('runScript', input('local t = {} while true do t[#t + 1] = {{}, {}} end'));
  await expect(bomb).rejects.toMatchObject({ script: 'ingress/nginx', reason: 'limit' });
  expect(await pool.run('runScript', input('return obj.annotations'))).toBe('{"a":"b"}');
});

test('stuck jobs in all threads but one delay nobody', async () => {
  const pool = started({ workers: 3, milliseconds: 5_000 });
  // All three threads are started by a first round: on a busy machine that takes longer than the jobs are stuck.
  const round = [STUCK, STUCK, 'return obj.annotations'].map((text) => pool.run('runScript', input(text)));
  await Promise.allSettled(round);
  const stuck = [pool.run('runScript', input(STUCK)), pool.run('runScript', input(STUCK))];
  const ends = Promise.all(stuck.map((job) => job.catch((error: Error) => error.message)));
  const first = await Promise.race([ends, pool.run('runScript', input('return obj.annotations'))]);
  expect(first).toBe('{"a":"b"}');
  expect((await ends).every((message) => String(message).includes('stopped after'))).toBe(true);
});

test('this thread goes on while others are stuck', async () => {
  const pool = started({ workers: 1, milliseconds: 400 });
  await pool.ready();
  const stuck = pool.run('runScript', input(STUCK)).catch((error: Error) => error);
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  await stuck;
  clearInterval(timer);
  expect(turns).toBeGreaterThan(10);
});

test('more jobs than may wait are refused at once, and the refusal says that it passes', async () => {
  const pool = started({ workers: 1, milliseconds: 300, queue: 2 });
  const jobs = Array.from({ length: 4 }, () => pool.run('runScript', input('return obj.annotations')));
  const outcomes = await Promise.allSettled(jobs);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
  expect(outcomes[3]).toMatchObject({ reason: expect.any(IsolateBusy) });
});

test('jobs that wait are served in the order in which they came', async () => {
  const pool = started({ workers: 1 });
  const order: number[] = [];
  const jobs = [1, 2, 3, 4].map((n) => pool.run('runScript', input(`return {n = ${n}}`)).then(() => order.push(n)));
  await Promise.all(jobs);
  expect(order).toEqual([1, 2, 3, 4]);
});

test('closing refuses what runs and what waits', async () => {
  const pool = started({ workers: 1 });
  const jobs = [pool.run('runScript', input(STUCK)), pool.run('runScript', input('return {}'))];
  const outcomes = Promise.allSettled(jobs);
  await pool.close();
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(pool.run('runScript', input('return {}'))).rejects.toThrow('closed');
});
