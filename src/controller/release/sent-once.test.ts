import { expect, test } from 'vitest';
import { ApiError } from '../../kube/api-error.ts';
import { RESOURCES } from '../../kube/resource.ts';
import { virtualClock } from '../../kube/virtual-clock.testing.ts';
import { type Api, TryAgain } from '../api.ts';
import { sentOnce } from './sent-once.ts';

const WEB = { namespace: 'shop', name: 'web' };

function setUp(answer: () => Promise<never> | undefined = () => undefined) {
  const clock = virtualClock();
  let count = 0;
  const send = async () => {
    count += 1;
    return (await answer()) ?? {};
  };
  const listAll = () => {
    throw new Error('not asked for');
  };
  const api: Api = { get: send, listAll, create: send, patch: send, delete: async () => void (await send()) };
  const once = sentOnce(api, clock);
  const patch = (resourceVersion: string, replicas = 1) =>
    once.patch(RESOURCES.replicaSet, WEB, 'merge', { metadata: { resourceVersion }, spec: { replicas } });
  return { clock, once, patch, count: () => count };
}

test('a write that was carried out is not sent again from the same version of the object', async () => {
  const { patch, count } = setUp();
  await patch('1');
  await expect(patch('1')).rejects.toThrow(new TryAgain('ReplicaSet shop/web has been written, and is not seen yet'));
  expect(count()).toBe(1);
  await patch('2');
  await patch('2', 5);
  expect(count()).toBe(3);
});

test('creations and deletions are sent once, too; reading is not held back', async () => {
  const { once, count } = setUp();
  const object = { metadata: WEB };
  await once.create(RESOURCES.service, object);
  await expect(once.create(RESOURCES.service, object)).rejects.toBeInstanceOf(TryAgain);
  await once.delete(RESOURCES.service, WEB, { uid: 'a' });
  await expect(once.delete(RESOURCES.service, WEB, { uid: 'a' })).rejects.toBeInstanceOf(TryAgain);
  await once.delete(RESOURCES.service, WEB, { uid: 'b' });
  await once.get(RESOURCES.service, WEB);
  await once.get(RESOURCES.service, WEB);
  expect(count()).toBe(5);
});

test('what was refused may be sent again, and after five seconds everything may', async () => {
  let isRefused = true;
  const { clock, patch, count } = setUp(() =>
    isRefused ? Promise.reject(new ApiError(500, 'InternalError', 'not now')) : undefined,
  );
  await expect(patch('1')).rejects.toThrow('not now');
  isRefused = false;
  await patch('1');
  await expect(patch('1')).rejects.toBeInstanceOf(TryAgain);
  await clock.pass(5_000);
  await patch('1');
  expect(count()).toBe(3);
});

test('a dry run writes nothing: it may be asked for again, and the write itself is sent after it', async () => {
  const { once, patch, count } = setUp();
  const body = { metadata: { resourceVersion: '1' }, spec: { replicas: 1 } };
  const imagine = () => once.patch(RESOURCES.replicaSet, WEB, 'merge', body, { dryRun: true });
  await imagine();
  await imagine();
  await patch('1');
  expect(count()).toBe(3);
});
