import { beforeEach, expect, test } from 'vitest';
import { type VirtualClock, virtualClock } from '../kube/virtual-clock.testing.ts';
import type { Answer } from './ask-routes.ts';
import { createDamping } from './damping.ts';
import { type Endpoint, readyEndpoints } from './endpoints.ts';
import { followWebhooks, type Webhooks } from './webhooks.ts';

const A: Endpoint = { id: 'a', name: 'pod-a', address: '10.0.0.1', port: 9443 };
const B: Endpoint = { id: 'b', name: 'pod-b', address: '10.0.0.2', port: 9443 };
const SOUND: Answer = { certificate: 'one', paths: new Set(['/a']), format: 1, problem: undefined };
const FAILED: Answer = { certificate: undefined, paths: undefined, format: undefined, problem: 'refused' };

let clock: VirtualClock;
let asked: { id: string; bundle: string; answer: (answer: Answer) => void }[];
let changes: number;
let webhooks: Webhooks;

beforeEach(() => {
  clock = virtualClock();
  [asked, changes] = [[], 0];
  webhooks = followWebhooks({
    servername: 'sluice-webhook.delivery.svc',
    interval: 30_000,
    onChange: () => changes++,
    clock,
    ask: ({ id }, { bundle }) => new Promise((answer) => asked.push({ id, bundle, answer })),
  });
});

/** Answers the oldest question that is open. */
async function answer(given: Answer): Promise<void> {
  asked.shift()?.answer(given);
  await new Promise((resolve) => setImmediate(resolve));
}

const pathsOf = (id: string) => webhooks.known().find(({ endpoint }) => endpoint.id === id)?.answer?.paths;

test('nobody is asked before there is a bundle to trust, and all are asked again with a new one', async () => {
  webhooks.follow([A, B]);
  expect(asked).toEqual([]);
  webhooks.trust('CA');
  expect(asked.map(({ id }) => id)).toEqual(['a', 'b']);
  await answer(SOUND);
  await answer(SOUND);
  webhooks.trust('CA and next');
  expect(asked.map(({ bundle }) => bundle)).toEqual(['CA and next', 'CA and next']);
});

test('an answer that is lost does not make a webhook serve nothing, and is asked for again, ever more seldom', async () => {
  webhooks.trust('CA');
  webhooks.follow([A]);
  await answer(SOUND);
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    const before = clock.monotonic();
    await clock.step();
    waits.push(clock.monotonic() - before);
    await answer(FAILED);
    expect(pathsOf('a')).toEqual(new Set(['/a']));
  }
  expect(waits).toEqual([30_000, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000]);
});

test('an answer that comes after the pod is gone, or to an earlier question, counts for nothing', async () => {
  webhooks.trust('CA');
  webhooks.follow([A]);
  webhooks.follow([]);
  await answer(SOUND);
  expect(webhooks.known()).toEqual([]);
  expect(clock.waiting()).toBe(0);
  webhooks.follow([A]);
  webhooks.trust('next');
  await answer(SOUND);
  expect(pathsOf('a')).toBeUndefined();
  await answer({ ...SOUND, paths: new Set(['/b']) });
  expect(pathsOf('a')).toEqual(new Set(['/b']));
});

test('a change is told once: the same answer again is none', async () => {
  webhooks.trust('CA');
  webhooks.follow([A]);
  await answer(SOUND);
  expect(changes).toBe(1);
  await clock.step();
  await answer({ ...SOUND, paths: new Set(['/a']) });
  expect(changes).toBe(1);
  await clock.step();
  await answer({ ...SOUND, certificate: 'two' });
  expect(changes).toBe(2);
});

test('a pod that is followed already is not asked anew because another one came', async () => {
  webhooks.trust('CA');
  webhooks.follow([A]);
  await answer(SOUND);
  webhooks.follow([A, B]);
  expect(asked.map(({ id }) => id)).toEqual(['b']);
});

test('endpoints are ready unless it says otherwise, each pod counts once, and only the port https is asked', () => {
  const slice = (endpoints: object[], port = 'https') =>
    JSON.parse(JSON.stringify({ ports: [{ name: port, port: 9443 }], endpoints }));
  const pod = (uid: string, address: string, conditions?: object) => ({
    addresses: [address],
    conditions,
    targetRef: { kind: 'Pod', name: `pod-${uid}`, uid },
  });
  expect(
    readyEndpoints([
      slice([pod('b', '10.0.0.2'), pod('a', '10.0.0.1', { ready: true }), pod('c', '10.0.0.3', { ready: false })]),
      slice([pod('a', '10.0.0.1'), { addresses: ['10.0.0.9'] }]),
      slice([pod('d', '10.0.0.4')], 'metrics'),
      slice([]),
      {},
    ]),
  ).toEqual([{ id: '10.0.0.9', name: '10.0.0.9', address: '10.0.0.9', port: 9443 }, A, B]);
});

test('corrections are made at once, but ever more seldom when somebody undoes them each time', () => {
  let time = 0;
  const damping = createDamping(() => time);
  const waits = Array.from({ length: 13 }, () => {
    const wait = damping.delayFor('x');
    time += wait;
    damping.corrected('x');
    return wait;
  });
  expect(waits).toEqual([0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  expect(damping.delayFor('another')).toBe(0);
  time += 120_001;
  expect(damping.delayFor('x')).toBe(0);
});
