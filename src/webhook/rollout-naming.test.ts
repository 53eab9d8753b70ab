import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Unavailable } from '../admission/inventory.ts';
import { BETA, type Changes, changed } from '../api/rollouts.testing.ts';
import { MemoryApi } from '../kube/memory-api.testing.ts';
import { RESOURCES } from '../kube/resource.ts';
import { askRolloutNaming } from './rollout-naming.ts';

const WEB = { namespace: 'shop', group: 'apps', kind: 'Deployment', name: 'web' };

let api: MemoryApi;
/** The query of every list. */
const queries: URLSearchParams[] = [];

beforeEach(() => {
  api = new MemoryApi();
  queries.length = 0;
  api.answer = ({ path }) => {
    queries.push(new URL(path, api.server).searchParams);
    return undefined;
  };
});
afterEach(() => api.close());

function put(name: string, changes: Changes = {}): void {
  api.put(RESOURCES.rollout, changed(BETA, { 'metadata.name': name, ...changes }));
}

const ask = async () => (await askRolloutNaming(api.client(), WEB))?.metadata.name;

/** What an API server before 1.31 says of a selector that only the CRD declares. */
function refuseSelectors(): void {
  const { answer } = api;
  api.answer = (call, what) => {
    const own = answer(call, what);
    const isSelected = queries.at(-1)?.has('fieldSelector') === true;
    return isSelected ? { status: 400, reason: 'BadRequest' } : own;
  };
}

describe('the Rollout that names a workload', () => {
  test('is asked for by one list of its namespace, selected by the name of the workload, and never from a cache', async () => {
    put('other', { 'spec.workloadRef.name': 'api' });
    put('mine');
    expect(await ask()).toBe('mine');
    expect(api.calls).toEqual(['GET /apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts']);
    expect(queries.map((query) => [query.get('fieldSelector'), query.has('resourceVersion')])).toEqual([
      ['spec.workloadRef.name=web', false],
    ]);
  });

  test('is found among all of the namespace, page by page, where the API server refuses the selector', async () => {
    for (let i = 0; i < 20; i++) put(`other-${i}`, { 'spec.workloadRef.name': `api-${i}` });
    put('mine');
    refuseSelectors();
    expect(await ask()).toBe('mine');
    expect(queries.map((query) => query.get('fieldSelector'))).toEqual(['spec.workloadRef.name=web', null]);
  });

  test('is none where there is none, and where the CRD is not installed', async () => {
    expect(await ask()).toBeUndefined();
    api.answer = () => ({ status: 404, reason: 'NotFound' });
    expect(await ask()).toBeUndefined();
  });
});

describe('what is not answered is never taken for "none"', () => {
  test.each([
    ['a busy API server', { status: 503, reason: 'ServiceUnavailable' } as const, '503'],
    ['a missing right', { status: 403, reason: 'Forbidden' } as const, '403'],
    ['no connection', 'nothing' as const, 'no answer'],
    ['a list that is refused without a selector, too', { status: 400, reason: 'BadRequest' } as const, '400'],
  ])('%s', async (_, answer, reason) => {
    api.answer = () => answer;
    await expect(ask()).rejects.toThrow(Unavailable);
    await expect(ask()).rejects.toThrow(reason);
  });

  test('an API server that takes longer than the admission may', async () => {
    const { send } = api;
    api.send = (call) =>
      new Promise((resolve, reject) => {
        call.signal?.addEventListener('abort', () => reject(call.signal?.reason));
        if (call.signal === undefined) resolve(send.call(api, call));
      });
    const asked = askRolloutNaming(api.client(), WEB, 20);
    await expect(asked).rejects.toThrow(Unavailable);
    await expect(asked).rejects.toThrow('whether a Rollout names Deployment web cannot be found out now');
  });

  test('a fault of ours stays one', async () => {
    api.answer = () => {
      throw new TypeError('ours');
    };
    await expect(ask()).rejects.toThrow(TypeError);
  });
});
