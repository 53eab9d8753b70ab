import { afterAll, beforeAll, expect, test } from 'vitest';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { openShop, routing, type Shop } from '../release/shop.ts';
import { plugin } from './plugin.ts';

const server = cluster();
const { run, start } = plugin(server);

const STEPS = [
  { traffic: '25%', replicas: '25%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
  { replicas: '100%' },
];

let sluice: Installed;
let shop: Shop;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
  shop = await openShop(server, { strategy: { canary: { steps: STEPS, trafficRoutings: [routing] } } });
});
afterAll(async () => {
  await sluice?.uninstall();
});
afterAll(() => expectNoTakenFields(server.client));

const sluiceSays = async (...args: string[]): Promise<string> => succeeded(await run([...args, '-n', shop.namespace]));
const waited = (...args: string[]) =>
  run(['status', 'web', '--wait', '--timeout', '90s', '-n', shop.namespace, ...args]);

test('a pipeline applies a version and waits; somebody approves it by name; the pipeline sees every step and ends with 0', async () => {
  await shop.release('v2');
  const { lines, ended } = start(['status', 'web', '--watch', '--wait', '--timeout', '2m', '-n', shop.namespace]);
  await shop.reaches(1, 'StepPaused');
  expect(await sluiceSays('get')).toMatch(/web +partition +Progressing +1\/3 ◐○○ +StepPaused +25%/);
  const text = await sluiceSays('status', 'web');
  expect(text).toMatch(/VirtualService web +to the new version: 25% +step 1/);
  expect(text).toMatch(/ReplicaSet \S+ +canary .* 1\/1 ready/);
  expect(await sluiceSays('approve', 'web', '--step', '1')).toBe(`Rollout ${shop.namespace}/web: step 1 is approved\n`);
  await shop.reaches(2, 'StepPaused');
  expect(await sluiceSays('promote', 'web')).toBe(`Rollout ${shop.namespace}/web: step 2 is approved\n`);
  const { exitCode, stderr } = await ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: `Rollout ${shop.namespace}/web: released\n` });
  const told = lines.join('\n');
  for (const part of [
    'step 1/3 StepPaused',
    'step 2/3 StepPaused',
    'to the new version: 25%',
    'to the new version: 50%',
  ])
    expect(told).toContain(part);
  expect(await sluiceSays('history', 'web')).toContain('the last release ended with Success');
  expect(await waited()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('there is nothing to release') });
});

test('abort goes back and keeps the version held, retry releases it again, undo takes it back', async () => {
  await shop.release('v3');
  await shop.reaches(1, 'StepPaused');
  await sluiceSays('abort', 'web');
  expect(await waited()).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('has ended with Abort') });
  expect(await shop.weights()).toEqual({ web: 100 });
  expect(await shop.pods()).toMatchObject({ v2: { desired: 4, ready: 4 } });
  expect(await sluiceSays('status', 'web')).toContain('the old version serves again (Abort)');
  await sluiceSays('retry', 'web');
  await shop.reaches(1, 'StepPaused');
  expect((await run(['undo', 'web', '-n', shop.namespace, '--dry-run'])).exitCode).toBe(0);
  const undone = await run(['undo', 'web', '-n', shop.namespace]);
  expect(undone).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('traffic first, then the pods') });
  expect(await waited()).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('has ended with Rollback') });
  expect(await shop.pods()).toMatchObject({ v2: { desired: 4, ready: 4 } });
});

test('a release is held by pause; a jump to the next step approves it, and one back moves the traffic only', async () => {
  await shop.release('v4');
  await shop.reaches(1, 'StepPaused');
  const waitsFor = (text: string) => until(text, async () => (await sluiceSays('status', 'web')).includes(text));
  await sluiceSays('pause', 'web');
  await waitsFor('the release is paused');
  await sluiceSays('resume', 'web');
  await waitsFor('step 1 waits for approval');
  expect(await sluiceSays('jump', 'web', '2')).toContain('step 1 is approved, and step 2 comes next');
  await shop.reaches(2, 'StepPaused');
  expect(await shop.weights()).toEqual({ web: 50, 'web-canary': 50 });
  const pods = async () => (await shop.pods())['v4']?.ready;
  expect(await pods()).toBe(2);
  expect(await sluiceSays('jump', 'web', '1')).toContain('back moves the traffic only');
  await shop.reaches(1, 'StepPaused');
  expect(await shop.weights()).toEqual({ web: 75, 'web-canary': 25 });
  expect(await pods()).toBeGreaterThanOrEqual(2);
  await sluiceSays('promote', 'web', '--full');
  expect(await waited()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('released') });
  expect(await shop.pods()).toMatchObject({ v4: { desired: 4, ready: 4 } });
});
