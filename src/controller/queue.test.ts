import fc from 'fast-check';
import { expect, test } from 'vitest';
import { virtualClock } from '../kube/virtual-clock.testing.ts';
import { type Again, createQueue, type QueueOptions } from './queue.ts';

function setUp(work: QueueOptions['work'], options: Partial<QueueOptions> = {}) {
  const clock = virtualClock();
  const seen: { key: string; at: number }[] = [];
  const failures: string[] = [];
  const queue = createQueue({
    clock,
    random: () => 1,
    onFailure: (key) => failures.push(key),
    ...options,
    work: (key, attempt) => {
      seen.push({ key, at: clock.monotonic() });
      return work(key, attempt);
    },
  });
  return { clock, queue, seen, failures, keys: () => seen.map(({ key }) => key) };
}

const done = () => Promise.resolve<Again>({});

test('a key that is added many times before its turn is worked on once', async () => {
  const { clock, queue, keys } = setUp(done, { workers: 1 });
  for (const key of ['a', 'b', 'b', 'c', 'b', 'c']) queue.add(key);
  await clock.pass(0);
  expect(keys()).toEqual(['a', 'b', 'c']);
});

test('a key that is added while it is worked on is worked on again, and never twice at a time', async () => {
  const running = new Map<string, number>();
  const finish: (() => void)[] = [];
  const { clock, queue, keys } = setUp(
    async (key) => {
      const count = (running.get(key) ?? 0) + 1;
      running.set(key, count);
      expect(count).toBe(1);
      await new Promise<void>((resolve) => finish.push(resolve));
      running.delete(key);
      return {};
    },
    { workers: 3 },
  );
  queue.add('a');
  await clock.pass(0);
  queue.add('a');
  queue.add('a');
  await clock.pass(0);
  expect(keys()).toEqual(['a']);
  finish.shift()?.();
  await clock.pass(0);
  expect(keys()).toEqual(['a', 'a']);
  finish.shift()?.();
  await clock.pass(10_000);
  expect(keys()).toEqual(['a', 'a']);
});

test('a key that always fails waits longer each time, up to the cap, and never keeps others from their turn', async () => {
  const work = (key: string) => (key === 'bad' ? Promise.reject(new Error('no')) : done());
  const { clock, queue, seen } = setUp(work, { workers: 1, backOff: { first: 100, most: 1_000 } });
  queue.add('bad');
  queue.add('good');
  await clock.pass(3_500);
  expect(seen.filter(({ key }) => key === 'bad').map(({ at }) => at)).toEqual([0, 100, 300, 700, 1_500, 2_500, 3_500]);
  expect(seen.filter(({ key }) => key === 'good').map(({ at }) => at)).toEqual([0]);
});

test('a synchronous failure of the work is a failure like any other', async () => {
  const { clock, queue, failures } = setUp(() => {
    throw new Error('ours');
  });
  queue.add('a');
  await clock.pass(0);
  expect(failures).toEqual(['a']);
});

test('the work is told for how long its key has been failing; success ends it', async () => {
  const attempts: [number, number][] = [];
  let failing = true;
  const { clock, queue } = setUp(
    (_, { failures, failingFor }) => {
      attempts.push([failures, failingFor]);
      return failing ? Promise.reject(new Error('no')) : done();
    },
    { backOff: { first: 100, most: 100 } },
  );
  queue.add('a');
  await clock.pass(200);
  failing = false;
  await clock.pass(100);
  queue.add('a');
  await clock.pass(0);
  expect(attempts).toEqual([
    [0, 0],
    [1, 100],
    [2, 200],
    [3, 300],
    [0, 0],
  ]);
});

test('events make a failing key come at once, and its waits no longer', async () => {
  const { clock, queue, seen } = setUp(() => Promise.reject(new Error('no')), {
    backOff: { first: 100, most: 10_000 },
  });
  for (let i = 0; i < 10; i++) {
    queue.add('a');
    await clock.pass(1);
  }
  await clock.pass(400);
  // the tenth event at 9 ms; then waits of 100 and 200 ms
  expect(seen.map(({ at }) => at)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 109, 309]);
});

test('jitter takes up to half of a wait away', async () => {
  const { clock, queue, seen } = setUp(() => Promise.reject(new Error('no')), {
    random: () => 0,
    backOff: { first: 100, most: 100 },
  });
  queue.add('a');
  await clock.pass(50);
  expect(seen.map(({ at }) => at)).toEqual([0, 50]);
});

test('the latest look at a key decides when the next one is due; of two times that are set the earlier counts', async () => {
  const again = [1_000, undefined, undefined];
  const { clock, queue, seen } = setUp(() => {
    const afterMilliseconds = again.shift();
    return Promise.resolve(afterMilliseconds === undefined ? {} : { afterMilliseconds });
  });
  queue.add('a'); // wants to be looked at in 1,000 ms
  await clock.pass(100);
  queue.add('a'); // does not want it any more
  await clock.pass(5_000);
  queue.addAfter('a', 300);
  queue.addAfter('a', 200);
  queue.addAfter('a', 400);
  await clock.pass(5_000);
  expect(seen.map(({ at }) => at)).toEqual([0, 100, 5_300]);
});

test('workers that wait for a turn of the event loop share one stretch of work', async () => {
  const stretches: number[] = [];
  let begun = performance.now();
  let isOver = false;
  const look = () => {
    const now = performance.now();
    stretches.push(now - begun);
    begun = now;
    if (!isOver) setImmediate(look);
  };
  const work = () => {
    const end = performance.now() + 2;
    while (performance.now() < end); // CPU time, as a plan takes it
    return done();
  };
  const { queue } = setUp(work, { workers: 8 });
  setImmediate(look);
  for (let i = 0; i < 200; i++) queue.add(`shop/r${i}`);
  while (queue.size().ready + queue.size().working > 0) await new Promise((resolve) => setImmediate(resolve));
  isOver = true;
  // 10 ms and the work that is under way then; each of the eight with a stretch of its own would be 80. The median, as
  // the machine may be busy.
  expect(stretches.length).toBeGreaterThan(15);
  expect(stretches.sort((a, b) => a - b)[Math.floor(stretches.length / 2)]).toBeLessThan(60);
});

test('a wall clock that jumps changes nothing', async () => {
  const { clock, queue, seen } = setUp(done);
  queue.addAfter('a', 1_000);
  clock.jump(-86_400_000);
  await clock.pass(1_000);
  expect(seen).toHaveLength(1);
});

test('closing waits for the work that runs, and starts no other', async () => {
  let finish: () => void = () => undefined;
  const { clock, queue, keys } = setUp(
    async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { afterMilliseconds: 1 };
    },
    { workers: 1 },
  );
  queue.add('a');
  queue.add('b');
  await clock.pass(0);
  let closed = false;
  const closing = queue.close().then(() => {
    closed = true;
  });
  await clock.pass(0);
  expect(closed).toBe(false);
  finish();
  await closing;
  await clock.pass(10_000);
  expect(keys()).toEqual(['a']);
});

test('for any order of events, durations and failures: never twice at a time, and the last event of a key is always seen', async () => {
  const event = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), wait: fc.nat(50) });
  const run = fc.record({ takes: fc.nat(30), fails: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 40 }),
      fc.array(run, { minLength: 1, maxLength: 20 }),
      async (events, runs) => {
        const clock = virtualClock();
        const changed = new Map<string, number>();
        const seen = new Map<string, number>();
        const running = new Set<string>();
        let count = 0;
        const queue = createQueue({
          clock,
          workers: 2,
          backOff: { first: 10, most: 100 },
          onFailure: () => undefined,
          work: async (key) => {
            expect(running.has(key)).toBe(false);
            running.add(key);
            const sees = changed.get(key) ?? 0;
            const { takes, fails } = runs[count++ % runs.length] ?? { takes: 0, fails: false };
            await new Promise<void>((resolve) => clock.after(takes, resolve));
            running.delete(key);
            if (fails && count < 200) throw new Error('no');
            seen.set(key, sees);
            return {};
          },
        });
        for (const { key, wait } of events) {
          changed.set(key, (changed.get(key) ?? 0) + 1);
          queue.add(key);
          await clock.pass(wait);
        }
        await clock.pass(60_000);
        expect(seen).toEqual(changed);
        expect(queue.size()).toEqual({ ready: 0, working: 0, waiting: 0 });
        await queue.close();
      },
    ),
  );
});
