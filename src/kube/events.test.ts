import { expect, test } from 'vitest';
import { at, stringAt } from '../json/value.ts';
import { ApiError } from './api-error.ts';
import type { Client, KubeObject } from './client.ts';
import { CLOSING_MILLISECONDS, type EventText, eventRecorder, SERIES_MILLISECONDS } from './events.ts';
import { SimulatedProcess, VirtualTime } from './simulated-process.testing.ts';

const ROLLOUT: KubeObject = {
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { namespace: 'shop', name: 'web', uid: 'u-1' },
};
const TEXT: EventText = { type: 'Warning', reason: 'ScriptBroken', action: 'CheckScripts', note: 'line 3: nil' };

/** A recorder, and what it stored: events by name, as patched. */
function recorder() {
  const time = new VirtualTime();
  const stored = new Map<string, KubeObject>();
  const failures: string[] = [];
  const state = { error: undefined as Error | undefined, writes: 0, delay: () => Promise.resolve() };
  const client: Pick<Client, 'create' | 'patch'> = {
    create: async (_resource, object) => {
      state.writes += 1;
      if (state.error) throw state.error;
      await state.delay();
      stored.set(stringAt(object, 'metadata', 'name') ?? '', object);
      return object;
    },
    patch: (_resource, { name }, _form, body) => {
      state.writes += 1;
      const before = stored.get(name);
      if (before === undefined) return Promise.reject(new ApiError(404, 'NotFound', 'gone'));
      const after = { ...before, ...(body as KubeObject) };
      stored.set(name, after);
      return Promise.resolve(after);
    },
  };
  const events = eventRecorder(client, {
    reportingController: 'sluice.dev/controller',
    reportingInstance: 'sluice-controller-0',
    onFailure: ({ message }) => failures.push(message),
    clock: new SimulatedProcess(time, { booted: 0, wallOffset: 0 }),
  });
  return { time, stored, failures, state, events };
}

const counts = (stored: ReadonlyMap<string, KubeObject>) =>
  [...stored.values()].map((event) => at(event, ['series', 'count']));

test('an event names the object, the program and the time', async () => {
  const { events, stored } = recorder();
  events.record(ROLLOUT, TEXT);
  await events.close();
  expect([...stored.values()]).toEqual([
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace: 'shop', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'sluice.dev/controller',
      reportingInstance: 'sluice-controller-0',
      ...TEXT,
      regarding: {
        apiVersion: 'rollouts.kruise.io/v1beta1',
        kind: 'Rollout',
        namespace: 'shop',
        name: 'web',
        uid: 'u-1',
      },
    },
  ]);
});

test('an object without a namespace has its events in default', async () => {
  const { events, stored } = recorder();
  events.record({ ...ROLLOUT, metadata: { name: 'node', uid: 'u' } }, TEXT);
  await events.close();
  expect([...stored.values()].map((event) => stringAt(event, 'metadata', 'namespace'))).toEqual(['default']);
});

test('a loop that says the same a thousand times makes one event and a few counts', async () => {
  const { events, stored, state, time } = recorder();
  for (let i = 0; i < 1000; i++) {
    events.record(ROLLOUT, TEXT);
    await time.pass(100);
  }
  await events.close();
  expect(counts(stored)).toEqual([1000]);
  expect(state.writes).toBeLessThan(8);
});

test.each<[string, KubeObject, EventText]>([
  ['object', { ...ROLLOUT, metadata: { namespace: 'shop', name: 'other', uid: 'u-2' } }, TEXT],
  ['reason', ROLLOUT, { ...TEXT, reason: 'ScriptNotFound' }],
  ['note', ROLLOUT, { ...TEXT, note: 'line 4: nil' }],
])('another %s is another event', async (_name, regarding, text) => {
  const { events, stored } = recorder();
  events.record(ROLLOUT, TEXT);
  events.record(regarding, text);
  await events.close();
  expect(counts(stored)).toEqual([undefined, undefined]);
});

test('what happens again after the series is over is a new event', async () => {
  const { events, stored, time } = recorder();
  events.record(ROLLOUT, TEXT);
  await time.pass(SERIES_MILLISECONDS);
  events.record(ROLLOUT, TEXT);
  await events.close();
  expect(counts(stored)).toEqual([undefined, undefined]);
});

test('an event that the API server has forgotten is made again, with its count', async () => {
  const { events, stored } = recorder();
  events.record(ROLLOUT, TEXT);
  await new Promise((resolve) => setImmediate(resolve));
  stored.clear();
  events.record(ROLLOUT, TEXT);
  await events.close();
  expect(counts(stored)).toEqual([2]);
});

test.each([
  ['é'.repeat(600), 'é'.repeat(510)],
  ['a'.repeat(1024), 'a'.repeat(1024)],
  ['a'.repeat(1025), `${'a'.repeat(1021)}…`],
  ['😀'.repeat(300), '😀'.repeat(255)],
])('a note has 1024 bytes at most, and no character is torn apart', async (note, start) => {
  const { events, stored } = recorder();
  events.record(ROLLOUT, { ...TEXT, note });
  await events.close();
  const written = [...stored.values()].map((event) => stringAt(event, 'note') ?? '').join();
  expect(written.startsWith(start)).toBe(true);
  expect(Buffer.byteLength(written)).toBeLessThanOrEqual(1024);
});

test('an outage is told once, and again only after something was written', async () => {
  const { events, stored, failures, state } = recorder();
  const next = async (): Promise<void> => {
    events.record(ROLLOUT, { ...TEXT, note: `${state.writes}` });
    await new Promise((resolve) => setImmediate(resolve));
  };
  state.error = new ApiError(500, '', 'first');
  await next();
  await next();
  state.error = undefined;
  await next();
  state.error = new ApiError(500, '', 'second');
  await next();
  expect(failures).toEqual(['first', 'second']);
  expect(stored.size).toBe(1);
});

test('the end of the process waits three seconds for events, and drops what is left', async () => {
  const { events, time, state } = recorder();
  const answers: (() => void)[] = [];
  state.delay = () => new Promise<void>((resolve) => answers.push(resolve));
  for (let i = 0; i < 3; i++) events.record(ROLLOUT, { ...TEXT, note: String(i) });
  let closed = false;
  const closing = events.close().then(() => {
    closed = true;
  });
  await time.pass(CLOSING_MILLISECONDS - 1);
  expect(closed).toBe(false);
  await time.pass(1);
  await closing;
  for (const answer of answers) answer();
  await new Promise((resolve) => setImmediate(resolve));
  expect(state.writes).toBe(1);
});

test('a storm is cut: what cannot be written soon is dropped, and that is told', async () => {
  const { events, stored, failures } = recorder();
  for (let i = 0; i < 5000; i++) events.record(ROLLOUT, { ...TEXT, note: String(i) });
  await events.close();
  expect(stored.size).toBe(1000);
  expect(failures).toEqual(['more than 1000 events wait to be written: the newest are dropped']);
});
