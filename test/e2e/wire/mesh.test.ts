import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonMap } from '../../../src/json/value.ts';
import { cluster } from '../../cluster/cluster.ts';
import { type Mesh, startMesh } from '../../cluster/mesh/mesh.ts';
import { until } from '../../cluster/until.ts';
import { echoDeployment, echoService } from '../echo.ts';
import { echoVersion } from './answers.ts';
import { sendAll } from './load.ts';

const server = cluster();
let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh(server);
});
afterAll(() => mesh?.stop());

const WEIGHTS = { old: 75, new: 25 };

test('Istio’s Envoy in front sends requests to echo pods by the weights of a VirtualService, and all of them are answered', async () => {
  const namespace = await server.namespace();
  const route = Object.entries(WEIGHTS).map(([host, weight]) => ({ destination: { host }, weight }));
  const virtualService: JsonMap = {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { name: 'web' },
    spec: { hosts: [`${namespace}.example`], gateways: ['web'], http: [{ route }] },
  };
  const pods = Object.keys(WEIGHTS).flatMap((name) => [
    echoDeployment({ name, version: name, replicas: 1 }),
    echoService(name),
  ]);
  await server.apply(namespace, mesh.gateway('web'), virtualService, ...pods);
  const target = { address: mesh.host, port: mesh.port, host: `${namespace}.example` };
  await until('both versions to answer', async () => {
    const { versions, failures } = await sendAll(20, target, 200, echoVersion);
    return failures.length === 0 && Object.keys(versions).length === 2;
  });
  const { versions, failures, sent } = await sendAll(400, target, 200, echoVersion);
  expect(failures).toEqual([]);
  expect(sent).toBe(400);
  // Three standard deviations of 400 draws with p = 0.25 are 26.
  expect(versions['new']).toBeGreaterThan(100 - 26);
  expect(versions['new']).toBeLessThan(100 + 26);
  expect(await mesh.restarts()).toBe(0);
});
