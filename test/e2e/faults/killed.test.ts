import { afterAll, beforeAll, expect, test } from 'vitest';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { virtualService } from '../drift/objects.ts';
import { type Installed, installSluice } from '../installed.ts';
import type { Shop } from '../release/shop.ts';
import { leader, leaseTransitions, podsOfHalf, signalPods } from './processes.ts';
import { admits, applyTo, edited, GATEWAYS, live, openShop, renamed } from './shop.ts';

const server = cluster();
const { kubectl } = server;
let sluice: Installed;
let shop: Shop;

beforeAll(async () => {
  sluice = await installSluice(server, GATEWAYS);
  shop = await openShop(server);
});
afterAll(() => sluice?.uninstall());

/** The user's write. */
const edit = edited(virtualService, virtualService.source);
const pods = (half: 'webhook' | 'controller') => podsOfHalf(server, sluice.namespace, half);
const names = async (half: 'webhook' | 'controller') => (await pods(half)).map(({ name }) => name);
const since = (start: number) => Math.round(performance.now() - start);

test('all processes killed at once come back by themselves, and the write that failed passes', async () => {
  const all = [...(await names('webhook')), ...(await names('controller'))];
  signalPods(all, 'SIGKILL');
  const start = performance.now();
  const refused = await applyTo(server, shop, edit);
  process.stderr.write(`after SIGKILL: exit code ${refused.exitCode} after ${since(start)} ms: ${refused.stderr}`);
  expect(refused.exitCode).toBe(1);
  succeeded(await applyTo(server, shop, renamed(edit, 'other')));
  await until('the same write to pass', async () => (await applyTo(server, shop, edit)).exitCode === 0);
  process.stderr.write(`the same write passes ${since(start)} ms after SIGKILL of everything\n`);
  expect(JSON.stringify((await live(server, virtualService, shop))['spec'])).toContain('"timeout":"5s"');
  await until('all pods to be ready', async () =>
    [...(await pods('webhook')), ...(await pods('controller'))].every((pod) => pod.isReady),
  );
});

test('webhooks that hang let everything else pass, and a write in a release fail within its timeout', async () => {
  const hanging = await names('webhook');
  signalPods(hanging, 'SIGSTOP');
  try {
    const start = performance.now();
    succeeded(await applyTo(server, shop, renamed(virtualService.source, 'other')));
    expect(since(start)).toBeLessThan(5_000);
    const begin = performance.now();
    const { exitCode, stderr } = await applyTo(server, shop, virtualService.source);
    process.stderr.write(`hanging: refused after ${since(begin)} ms: ${stderr}`);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('failed calling webhook "gateways.sluice.dev"');
    expect(since(begin)).toBeLessThan(15_000);
  } finally {
    signalPods(hanging, 'SIGCONT');
  }
  await until('writes to pass', () => admits(server, shop));
});

test('one webhook that hangs is left out after its probes have failed', async () => {
  const [one = ''] = await names('webhook');
  await until('both to be ready', async () => (await pods('webhook')).every(({ isReady }) => isReady));
  signalPods([one], 'SIGSTOP');
  try {
    const start = performance.now();
    await until('its endpoint to go', async () => (await pods('webhook')).some(({ isReady }) => !isReady), 60);
    process.stderr.write(`left out after ${since(start)} ms\n`);
    // An API server keeps connections open: one that leads to the hanging process fails one more write, after its timeout.
    let [passed, failed] = [0, 0];
    while (passed < 5) {
      const words = ['label', 'virtualservice', 'web', '-n', shop.namespace, `seen=${passed}-${failed}`, '--overwrite'];
      const { exitCode, stderr } = await kubectl(words);
      if (exitCode === 0) passed++;
      else [passed, failed] = [0, failed + 1];
      if (exitCode !== 0) expect(stderr).toContain('gateways.sluice.dev');
      expect(failed).toBeLessThan(5);
    }
    process.stderr.write(`writes that failed by a connection from before: ${failed}\n`);
  } finally {
    signalPods([one], 'SIGCONT');
  }
});

test('another process leads when the leader is killed', async () => {
  await until('all pods to be ready', async () => (await pods('controller')).every(({ isReady }) => isReady), 60);
  const transitions = await leaseTransitions(server, sluice.namespace);
  const old = await leader(server, sluice.namespace);
  signalPods([old], 'SIGKILL');
  const start = performance.now();
  await until(
    'another to hold the Lease',
    async () => (await leaseTransitions(server, sluice.namespace)) > transitions,
    60,
  );
  process.stderr.write(`the Lease is taken ${since(start)} ms after the leader's end\n`);
  const configurations = ['mutatingwebhookconfiguration/zz-sluice-mutating'];
  succeeded(await kubectl(['delete', ...configurations]));
  await until('it to do what a leader does', async () => (await kubectl(['get', ...configurations])).exitCode === 0);
});

test('a leader that slept for longer than its Lease writes nothing any more, and ends itself', async () => {
  const asleep = await leader(server, sluice.namespace);
  const transitions = await leaseTransitions(server, sluice.namespace);
  signalPods([asleep], 'SIGSTOP');
  const remove = ['delete', 'mutatingwebhookconfiguration', 'zz-sluice-mutating'];
  succeeded(await kubectl(remove)); // the sleeper finds its watch's news when it wakes
  await until('the Lease to go on', async () => (await leaseTransitions(server, sluice.namespace)) > transitions, 60);
  const whole = ['get', 'mutatingwebhookconfiguration', 'zz-sluice-mutating', '-o', 'jsonpath={.metadata.uid}'];
  const uid = await until('the configuration', async () => (await kubectl(whole)).stdout || undefined);
  signalPods([asleep], 'SIGCONT');
  const start = performance.now();
  // The log of the process that slept: the pod's earlier ones, which other tests ended, do not say this.
  const log = await until(
    'it to end itself',
    async () => {
      const { stdout } = await kubectl(['logs', '--previous', asleep, '-n', sluice.namespace]);
      return stdout.includes('the Lease sluice-controller is lost') && stdout;
    },
    60,
  );
  process.stderr.write(`it has ended itself ${since(start)} ms after it woke\n`);
  const pod = (await pods('controller')).find(({ name }) => name === asleep);
  expect(pod?.lastExitCode).toBe(1);
  const woken = log.split('\n').slice(log.split('\n').findLastIndex((line) => line.includes('"leading"')));
  process.stderr.write(`${woken.slice(-8).join('\n')}\n`);
  expect((await kubectl(whole)).stdout).toBe(uid);
  expect(await leader(server, sluice.namespace)).not.toBe(asleep);
});
