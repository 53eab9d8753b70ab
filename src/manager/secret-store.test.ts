import { beforeEach, expect, test } from 'vitest';
import { at } from '../json/value.ts';
import { NotLeading } from '../kube/api-error.ts';
import { MemoryApi } from '../kube/memory-api.testing.ts';
import { RESOURCES } from '../kube/resource.ts';
import type { SecretStore } from '../tls/secrets.ts';
import { secretStore } from './secret-store.ts';

const NAME = { namespace: 'home', name: 'keys' };
const DATA = { 'ca.crt': '-----BEGIN ümläut-----\n', 'ca.key': '' };

let api: MemoryApi;
let store: SecretStore;

beforeEach(() => {
  api = new MemoryApi();
  store = secretStore(api.client(), NAME.namespace);
});

async function version(): Promise<string> {
  return (await store.read(NAME.name))?.resourceVersion ?? 'absent';
}

test('a Secret that is not there reads as undefined', async () => {
  expect(await store.read(NAME.name)).toBeUndefined();
});

test('what is written is read again to the letter, and is stored as base64', async () => {
  expect(await store.write(NAME.name, DATA, 'absent')).toBe('written');
  expect((await store.read(NAME.name))?.data).toEqual(DATA);
  const stored = api.get(RESOURCES.secret, NAME);
  expect(at(stored, ['data', 'ca.crt'])).toBe(Buffer.from(DATA['ca.crt']).toString('base64'));
  expect(at(stored, ['metadata', 'labels'])).toEqual({ 'app.kubernetes.io/part-of': 'sluice' });
});

test('a write replaces all data: a key that is not named is gone', async () => {
  await store.write(NAME.name, DATA, 'absent');
  expect(await store.write(NAME.name, { 'ca.crt': 'new' }, await version())).toBe('written');
  expect((await store.read(NAME.name))?.data).toEqual({ 'ca.crt': 'new' });
});

test('a Secret keeps its type, which cannot be changed: cert-manager leaves one of another behind', async () => {
  const left = { apiVersion: 'v1', kind: 'Secret', metadata: NAME, type: 'kubernetes.io/tls', data: {} };
  api.put(RESOURCES.secret, left);
  expect(await store.write(NAME.name, DATA, await version())).toBe('written');
  expect(at(api.get(RESOURCES.secret, NAME), ['type'])).toBe('kubernetes.io/tls');
});

test.each<[string, () => Promise<string>]>([
  [
    'was made by somebody else in between',
    async () => {
      await store.write(NAME.name, DATA, 'absent');
      return 'absent';
    },
  ],
  [
    'was changed by somebody else in between',
    async () => {
      await store.write(NAME.name, DATA, 'absent');
      const before = await version();
      await store.write(NAME.name, { other: 'text' }, before);
      return before;
    },
  ],
  [
    'was deleted by somebody else in between',
    async () => {
      await store.write(NAME.name, DATA, 'absent');
      const before = await version();
      api.remove(RESOURCES.secret, NAME);
      return before;
    },
  ],
])('a Secret that %s is a conflict, and stays as it is', async (_, before) => {
  const seen = await before();
  const stored = api.get(RESOURCES.secret, NAME);
  expect(await store.write(NAME.name, { mine: 'text' }, seen)).toBe('conflict');
  expect(api.get(RESOURCES.secret, NAME)).toEqual(stored);
});

test.each([
  ['no right to', { status: 403, reason: 'Forbidden' } as const],
  ['an API server that is busy', { status: 503 } as const],
  ['no answer', 'nothing' as const],
])('%s is an error of reading and of writing, never "there is none" or "conflict"', async (_, answer) => {
  api.answer = () => answer;
  await expect(store.read(NAME.name)).rejects.toThrow('/api/v1/namespaces/home/secrets/keys');
  await expect(store.write(NAME.name, DATA, 'absent')).rejects.toThrow('/api/v1/namespaces/home/secrets');
  await expect(store.write(NAME.name, DATA, '7')).rejects.toThrow('/api/v1/namespaces/home/secrets/keys');
});

test('without the Lease nothing is written', async () => {
  const beforeWrite = () => {
    throw new NotLeading('the Lease is lost');
  };
  store = secretStore(api.client({ beforeWrite }), NAME.namespace);
  await expect(store.write(NAME.name, DATA, 'absent')).rejects.toThrow('the Lease is lost');
  expect(api.calls).toEqual([]);
});
