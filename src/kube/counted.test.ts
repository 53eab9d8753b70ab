import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { NoAnswer } from './api-error.ts';
import type { Call, Connection } from './connection.ts';
import { type Counted, counted, targetOf } from './counted.ts';

test.each<[Call['method'], string, string, string]>([
  ['GET', '/api/v1/namespaces/shop/services/web', 'get', 'services'],
  ['GET', '/apis/apps/v1/deployments?limit=500', 'list', 'deployments'],
  ['GET', '/api/v1/namespaces/shop/pods?watch=true', 'watch', 'pods'],
  ['GET', '/api/v1/namespaces/shop', 'get', 'namespaces'],
  ['GET', '/version', 'get', ''],
  ['GET', '/apis/apps/v1', 'get', ''],
  ['POST', '/apis/events.k8s.io/v1/namespaces/shop/events', 'create', 'events'],
  ['PUT', '/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases/x', 'update', 'leases'],
  ['PATCH', '/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts/web/status', 'patch', 'rollouts/status'],
  ['DELETE', '/apis/apps/v1/namespaces/namespaces/replicasets/web', 'delete', 'replicasets'],
])('%s %s is %s of %s', (method, path, verb, resource) => {
  expect(targetOf({ method, path })).toEqual({ verb, resource });
});

test('calls are told of with the status of their answer and the time until its head, and `none` where there is none', async () => {
  let now = 0;
  const answers = [200, 409, undefined];
  const inner: Connection = {
    server: 'https://example.com',
    send() {
      now += 5;
      const statusCode = answers.shift();
      return statusCode === undefined
        ? Promise.reject(new NoAnswer('cut'))
        : Promise.resolve({ statusCode } as IncomingMessage);
    },
    close: () => undefined,
  };
  const told: Counted[] = [];
  const connection = counted(
    inner,
    (call) => told.push(call),
    () => now,
  );
  const call: Call = { method: 'GET', path: '/version' };
  expect(await connection.send(call)).toMatchObject({ statusCode: 200 });
  expect(await connection.send(call)).toMatchObject({ statusCode: 409 });
  await expect(connection.send(call)).rejects.toThrow('cut');
  expect(told.map(({ code, milliseconds }) => [code, milliseconds])).toEqual([
    ['200', 5],
    ['409', 5],
    ['none', 5],
  ]);
});
