import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { stringAt } from '../../src/json/value.ts';
import { readLease } from '../../src/kube/lease-record.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { cluster } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';

const { client, kubeconfig, namespace } = cluster();
const CANDIDATE = fileURLToPath(new URL('lease/candidate.ts', import.meta.url));
const TIMES = { leaseDuration: 4_000, renewDeadline: 2_500, retryPeriod: 500 };

type Told = { readonly what: string; readonly reason?: string; readonly error?: string; readonly outcome?: string };
type Candidate = { readonly identity: string; readonly process: ChildProcess; readonly told: Told[] };

/** Two candidates in processes of their own, and the names of those who wrote, in order, without repetition. */
async function election() {
  const ns = await namespace();
  const metadata = { namespace: ns, name: 'written' };
  await client.create(RESOURCES.configMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
  const writers: string[] = [];
  const selection = { namespace: ns, fieldSelector: 'metadata.name=written' };
  const trim = (object: object) => stringAt({ ...object }, 'data', 'writer') ?? '';
  const reflector = new Reflector({ client, resource: RESOURCES.configMap, selection, trim });
  reflector.store.onChange(({ after }) => after && after !== writers.at(-1) && writers.push(after));
  await reflector.synced();
  const candidates = [candidate(ns, 'first'), candidate(ns, 'second')];
  onTestFinished(() => reflector.close());
  const leader = await until('a leader that writes', () => candidates.find(({ told }) => wrote(told)));
  const other = candidates.find((one) => one !== leader) as Candidate;
  const lease = async () => readLease(await client.get(RESOURCES.lease, { namespace: ns, name: 'election' }));
  return { leader, other, writers, lease };
}

function candidate(ns: string, identity: string): Candidate {
  const args = [CANDIDATE, kubeconfig, ns, identity, JSON.stringify(TIMES)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: Told[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line)));
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { identity, process: child, told };
}

const wrote = (told: readonly Told[]) => told.some(({ what }) => what === 'wrote');

test('a leader that is killed is replaced when its Lease has run out', async () => {
  const { leader, other, writers, lease } = await election();
  const { transitions } = await lease();
  leader.process.kill('SIGKILL');
  const killed = performance.now();
  await until('the other to write', () => wrote(other.told));
  expect(performance.now() - killed).toBeLessThan(TIMES.leaseDuration + 2 * TIMES.retryPeriod + 2_000);
  expect(performance.now() - killed).toBeGreaterThan(TIMES.renewDeadline);
  expect(await lease()).toMatchObject({ holder: other.identity, transitions: transitions + 1 });
  expect(writers).toEqual([leader.identity, other.identity]);
});

test('a leader that was stopped for too long wakes, writes nothing, and learns that it leads no more', async () => {
  const { leader, other, writers } = await election();
  leader.process.kill('SIGSTOP');
  await until('the other to write', () => wrote(other.told));
  const before = leader.told.length;
  leader.process.kill('SIGCONT');
  await until('the first to learn of it', () => leader.told.some(({ what }) => what === 'stopped'));
  const since = leader.told.slice(before);
  expect(since.filter(({ what }) => what === 'refused').length).toBeGreaterThan(0);
  // A write that was under way when the process stopped fails on its resourceVersion, every other on the fence.
  for (const { error } of since.filter(({ what }) => what === 'refused'))
    expect(error).toMatch(/NotLeading|ApiError|NoAnswer/);
  expect(since.some(({ error }) => error === 'NotLeading')).toBe(true);
  expect(writers).toEqual([leader.identity, other.identity]);
});

test('a leader that ends gives way at once', async () => {
  const { leader, other, writers } = await election();
  leader.process.kill('SIGTERM');
  const ended = performance.now();
  await until('the other to write', () => wrote(other.told));
  expect(performance.now() - ended).toBeLessThan(TIMES.leaseDuration);
  if (leader.process.exitCode === null) await once(leader.process, 'exit');
  expect(leader.process.exitCode).toBe(0);
  expect(writers).toEqual([leader.identity, other.identity]);
});
