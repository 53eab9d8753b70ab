import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Unavailable } from '../admission/inventory.ts';
import { ANNOTATIONS, LABELS } from '../api/names.ts';
import { at, type JsonMap, stringAt } from '../json/value.ts';
import { MemoryApi } from '../kube/memory-api.testing.ts';
import { RESOURCES } from '../kube/resource.ts';
import { makeScript } from '../lua/script.ts';
import { pinnedName, pinnedScript } from '../rollout/pinned-script.ts';
import { encodePodMetadata } from '../rollout/pod-metadata.ts';
import { type WatchedInventory, watchInventory } from './inventory.ts';

const HOME = 'home';
const SCRIPT = makeScript('example.com/Waf', 'return obj.data', new Map());
const LATE = makeScript('example.com/Waf', 'return {}', new Map());

let api: MemoryApi;
let inventory: WatchedInventory | undefined;
const problems: string[] = [];
const reasons: string[] = [];

beforeEach(() => {
  api = new MemoryApi();
  problems.length = 0;
  reasons.length = 0;
});
afterEach(() => {
  inventory?.close();
  api.close();
});

function watch(): WatchedInventory {
  inventory = watchInventory({
    client: api.client(),
    namespace: HOME,
    onProblem: ({ message }) => problems.push(message),
    onUnwatched: (reason) => reasons.push(reason),
  });
  return inventory;
}

async function ready(): Promise<WatchedInventory> {
  const watched = watch();
  await vi.waitFor(() => expect(watched.notReady()).toBeUndefined());
  return watched;
}

function rollout(namespace: string, name: string): JsonMap {
  const spec = { workloadRef: { name } };
  return { metadata: { namespace, name, labels: { team: 'a' } }, spec, status: { phase: 'Healthy' } };
}

const reads = () => api.calls.filter((call) => call.includes('/configmaps/'));

describe('Rollouts', () => {
  test('are known by their namespace, as they are now', async () => {
    api.put(RESOURCES.rollout, rollout('a', 'one'));
    const watched = await ready();
    expect(watched.rolloutsIn('a').map((each) => stringAt(each, 'metadata', 'name'))).toEqual(['one']);
    expect(watched.rolloutsIn('b')).toEqual([]);
    api.put(RESOURCES.rollout, rollout('b', 'two'));
    api.remove(RESOURCES.rollout, { namespace: 'a', name: 'one' });
    await vi.waitFor(() => expect([watched.rolloutsIn('a').length, watched.rolloutsIn('b').length]).toEqual([0, 1]));
  });

  test('keep what they are judged by, kind and version included, and nothing else', async () => {
    api.put(RESOURCES.rollout, rollout('a', 'one'));
    const [kept] = (await ready()).rolloutsIn('a');
    expect(kept).toEqual({
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata: { namespace: 'a', name: 'one', uid: expect.any(String) },
      spec: { workloadRef: { name: 'one' } },
    });
  });

  test('keep numbers that JSON.parse would bend', async () => {
    const big = JSON.rawJSON('9007199254740993');
    api.put(RESOURCES.rollout, { ...rollout('a', 'one'), spec: { big } });
    const [kept] = (await ready()).rolloutsIn('a');
    expect(JSON.stringify(at(kept, ['spec', 'big']))).toBe('9007199254740993');
  });
});

describe('until everything has been seen once', () => {
  test('it is not ready, and says what is not known', async () => {
    const watched = watch();
    expect(watched.notReady()).toBe('the Rollouts are not known yet');
    await vi.waitFor(() => expect(watched.notReady()).toBeUndefined());
  });

  test.each([
    ['Rollouts', '/rollouts'],
    ['pinned scripts', '/configmaps'],
    ['ReplicaSets in a release', '/replicasets'],
  ])('a missing right to read %s is told, and keeps it from getting ready', async (what, path) => {
    api.answer = (_, call) => (call.endsWith(path) ? { status: 403, reason: 'Forbidden' } : undefined);
    const watched = watch();
    await vi.waitFor(() => expect(watched.notReady()).toContain(`the ${what} are not known yet: `));
    expect(reasons).toContainEqual(expect.stringContaining('403'));
  });

  test('a cluster without the CRD has no Rollouts, and is served', async () => {
    api.answer = (_, call) => (call.endsWith('/rollouts') ? { status: 404, reason: 'NotFound' } : undefined);
    expect((await ready()).rolloutsIn('a')).toEqual([]);
  });
});

describe('pinned scripts', () => {
  test('that the watch has brought are given without a question to the API server', async () => {
    api.put(RESOURCES.configMap, pinnedScript(SCRIPT, HOME));
    expect(await (await ready()).script(SCRIPT.hash)).toEqual(SCRIPT);
    expect(reads()).toEqual([]);
  });

  test('that it has not brought yet are read once for each question', async () => {
    const watched = await ready();
    const body = pinnedScript(LATE, HOME);
    api.answer = (_, call) =>
      call.endsWith(`/configmaps/${pinnedName(LATE.hash)}`) ? { status: 200, body } : undefined;
    expect(await watched.script(LATE.hash)).toEqual(LATE);
    expect(reads()).toHaveLength(1);
  });

  test('that do not exist are undefined: that is certain', async () => {
    expect(await (await ready()).script(LATE.hash)).toBeUndefined();
  });

  test.each([
    ['no answer', 'nothing' as const],
    ['a busy API server', { status: 503 } as const],
    ['a missing right', { status: 403, reason: 'Forbidden' } as const],
  ])('that cannot be read now, by %s, are unavailable, and never taken for missing', async (_, answer) => {
    const watched = await ready();
    api.answer = (__, call) => (call.includes('/configmaps/') ? answer : undefined);
    const asked = watched.script(LATE.hash);
    await expect(asked).rejects.toThrow(Unavailable);
    await expect(asked).rejects.toThrow(`${pinnedName(LATE.hash)} cannot be read now; try again`);
  });

  test('whose text is not what the name promises are told, and never given out', async () => {
    const forged = { ...pinnedScript(SCRIPT, HOME), data: { name: SCRIPT.name, text: 'return {}' } };
    api.put(RESOURCES.configMap, forged);
    expect(await (await ready()).script(SCRIPT.hash)).toBeUndefined();
    expect(problems).toContainEqual(expect.stringContaining('its content is not what its name says'));
  });

  test('that are deleted are gone', async () => {
    api.put(RESOURCES.configMap, pinnedScript(SCRIPT, HOME));
    const watched = await ready();
    api.remove(RESOURCES.configMap, { namespace: HOME, name: pinnedName(SCRIPT.hash) });
    await vi.waitFor(async () => expect(await watched.script(SCRIPT.hash)).toBeUndefined());
  });
});

describe('what pods of a ReplicaSet get', () => {
  const SET = { namespace: 'shop', name: 'web-1', uid: 'set' };
  const labels = { 'rollouts.kruise.io/rollout-id': '5' };
  const replicaSet = (text = encodePodMetadata({ labels, annotations: {} })): JsonMap => ({
    metadata: { ...SET, labels: { [LABELS.podMetadata]: 'true' }, annotations: { [ANNOTATIONS.podMetadata]: text } },
    spec: { selector: { matchLabels: { app: 'web' } } },
  });

  test('is known of those that the watch brings, by label, and costs no question', async () => {
    const selectors: (string | null)[] = [];
    api.answer = ({ path }, call) => {
      if (call.endsWith('/replicasets')) selectors.push(new URL(path, api.server).searchParams.get('labelSelector'));
      return undefined;
    };
    api.put(RESOURCES.replicaSet, replicaSet());
    const watched = await ready();
    const asked = api.calls.length;
    expect(watched.podMetadata(SET)).toEqual({ labels, annotations: {} });
    expect([new Set(selectors), api.calls.length]).toEqual([new Set(['sluice.dev/pod-metadata=true']), asked]);
  });

  test('is as it is now, and gone with the set', async () => {
    api.put(RESOURCES.replicaSet, replicaSet());
    const watched = await ready();
    api.put(RESOURCES.replicaSet, replicaSet('{"labels":{"a":"b"}}'));
    await vi.waitFor(() => expect(watched.podMetadata(SET)).toEqual({ labels: { a: 'b' }, annotations: {} }));
    api.remove(RESOURCES.replicaSet, SET);
    await vi.waitFor(() => expect(watched.podMetadata(SET)).toBeUndefined());
  });

  test('is never that of another set of the same name', async () => {
    api.put(RESOURCES.replicaSet, replicaSet());
    const watched = await ready();
    expect(watched.podMetadata({ ...SET, uid: 'made anew' })).toBeUndefined();
    expect(watched.podMetadata({ ...SET, namespace: 'other' })).toBeUndefined();
  });
});

test('what was seen stays known while the API server is away', async () => {
  api.put(RESOURCES.configMap, pinnedScript(SCRIPT, HOME));
  api.put(RESOURCES.rollout, rollout('a', 'one'));
  const watched = await ready();
  api.answer = () => 'nothing';
  api.close();
  await vi.waitFor(() => expect(reasons.length).toBeGreaterThan(0));
  expect(await watched.script(SCRIPT.hash)).toEqual(SCRIPT);
  expect([watched.rolloutsIn('a').length, watched.notReady()]).toEqual([1, undefined]);
});

test('closed, it watches nothing any more', async () => {
  const watched = await ready();
  const kinds = [RESOURCES.rollout, RESOURCES.configMap, RESOURCES.replicaSet];
  const watches = () => kinds.map((kind) => api.watches(kind));
  expect(watches()).toEqual([1, 1, 1]);
  watched.close();
  await vi.waitFor(() => expect(watches()).toEqual([0, 0, 0]));
});
