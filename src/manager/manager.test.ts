import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type JsonMap, stringAt } from '../json/value.ts';
import { MemoryApi } from '../kube/memory-api.testing.ts';
import { RESOURCES } from '../kube/resource.ts';
import { loadLibrary } from '../lua/library.ts';
import { issueAuthority, validFor } from '../tls/generate.ts';
import { type Manager, openManager } from './manager.ts';

const LEASE = { namespace: 'home', name: 'sluice-controller' };
const folder = mkdtempSync(join(tmpdir(), 'sluice-manager-'));
const authorityFile = join(folder, 'ca.crt');

let api: MemoryApi;
let manager: Manager | undefined;
const ends: string[] = [];
const said: string[] = [];

beforeAll(async () => {
  writeFileSync(authorityFile, (await issueAuthority(validFor(1, new Date()))).certificate);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  api = new MemoryApi();
  ends.length = 0;
  said.length = 0;
});
afterEach(async () => {
  await manager?.close();
  api.close();
});

function open(settings: { authorityFile: string } = { authorityFile }): Manager {
  const say = (_: unknown, message: string) => void said.push(message);
  manager = openManager({
    connection: api,
    leaseConnection: api,
    settings: {
      namespace: LEASE.namespace,
      podName: 'pod-0',
      failurePolicies: { gateways: 'Fail', workloads: 'Fail', pods: 'Ignore' },
      excludedNamespaces: [],
      certificateLifetime: 3_600_000,
      ...settings,
    },
    library: loadLibrary(),
    log: { info: say, warn: say, error: say },
    onEnd: (reason) => ends.push(reason),
  });
  return manager;
}

/** Another process takes the Lease, whoever has it. */
function takeLease(): void {
  const times = { acquireTime: now(), renewTime: now() };
  const spec: JsonMap = { holderIdentity: 'other', leaseDurationSeconds: 15, leaseTransitions: 1, ...times };
  api.put(RESOURCES.lease, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: LEASE, spec });
}

const now = () => new Date().toISOString().replace('Z', '000Z');
const holder = () => stringAt(api.get(RESOURCES.lease, LEASE), 'spec', 'holderIdentity');
const isLeading = (opened: Manager) => vi.waitFor(() => expect(opened.isLeading()).toBe(true));

test('while another process leads it is ready, and runs nothing', async () => {
  takeLease();
  const opened = open();
  expect(opened.notReady()).toBe('nobody leads yet');
  await vi.waitFor(() => expect(opened.notReady()).toBeUndefined());
  expect([opened.isLeading(), opened.term()]).toEqual([false, undefined]);
  expect(new Set(api.calls)).toEqual(
    new Set(['GET /apis/coordination.k8s.io/v1/namespaces/home/leases/sluice-controller']),
  );
});

test('with nobody there it leads, under the name of its pod, and opens a term', async () => {
  const opened = open();
  await isLeading(opened);
  expect(holder()).toMatch(/^pod-0_/);
  expect(opened.term()).toBeDefined();
  await opened.term()?.controller.ready;
  expect([opened.notReady(), ends, said.includes('leading')]).toEqual([undefined, [], true]);
});

test('a Lease that is lost ends the process, with who has it', async () => {
  await isLeading(open());
  takeLease();
  await vi.waitFor(
    () => expect(ends).toEqual(['the Lease sluice-controller is lost: the Lease is held by other']),
    5_000,
  );
  expect(holder()).toBe('other');
});

test('after it has lost the Lease its term writes nothing, whatever happens in the cluster', async () => {
  await isLeading(open());
  takeLease();
  await vi.waitFor(() => expect(ends).toHaveLength(1), 5_000);
  const before = api.calls.length;
  said.length = 0;
  const rollout = { metadata: { namespace: 'shop', name: 'web' }, spec: { workloadRef: {}, strategy: {} } };
  api.put(RESOURCES.rollout, { ...rollout, apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout' });
  await vi.waitFor(() => expect(said).toContain('will be tried again'));
  expect(api.calls.slice(before).filter((call) => !call.startsWith('GET'))).toEqual([]);
});

test('a fault at the beginning of a term ends the process', async () => {
  open({ authorityFile: join(folder, 'none.crt') });
  await vi.waitFor(() => expect(ends).toEqual(['a fault of Sluice itself']));
  expect(said).toContain('a fault of Sluice itself');
});

test('while the API server is away it waits, and ends nothing', async () => {
  api.answer = () => 'nothing';
  const opened = open();
  await vi.waitFor(() => expect(said).toContain('the Lease cannot be read or renewed'));
  expect([opened.notReady(), ends]).toEqual(['nobody leads yet', []]);
});

test('closed, it gives the Lease back, watches nothing any more, and is no end of its own', async () => {
  const opened = open();
  await isLeading(opened);
  await vi.waitFor(() => expect(api.watches(RESOURCES.rollout)).toBe(1));
  await opened.close();
  expect([holder(), ends]).toEqual(['', []]);
  for (const resource of Object.values(RESOURCES))
    expect([resource.kind, api.watches(resource)]).toEqual([resource.kind, 0]);
});
