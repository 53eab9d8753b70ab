import { describe, expect, test } from 'vitest';
import { at, type JsonMap } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { leftovers } from './invariants.ts';
import { opened, pausedAtStep1 } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** The canary Service follows its stable one for as long as it is there (compat §4.3, W15). */

const STEPS: JsonMap[] = [{ traffic: '20%', replicas: '20%', pause: {} }, { replicas: '100%' }];
const strategy: JsonMap = { canary: { steps: STEPS, trafficRoutings: [ROUTING] } };
const STABLE = { namespace: 'shop', name: 'web' };
const CANARY = { namespace: 'shop', name: 'web-canary' };
const HTTP: JsonMap = { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' };
const ADMIN: JsonMap = { name: 'admin', port: 90, targetPort: 9090, protocol: 'TCP' };

const spec = (world: World, name = CANARY): JsonMap => world.cluster.read(RESOURCES.service, name)['spec'] as JsonMap;

/** An edit of the stable Service by its owner; undefined takes a field out. */
function edited(world: World, fields: { readonly [key: string]: JsonMap[string] | undefined }): void {
  world.cluster.edit(RESOURCES.service, STABLE, (live) => {
    const merged = Object.entries({ ...(live['spec'] as JsonMap), ...fields });
    const set = merged.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
    return { ...live, spec: Object.fromEntries(set) };
  });
}

/** A release that waits in step 1, of a Service with these fields. */
async function withService(fields: JsonMap): Promise<World> {
  const world = await opened({ strategy });
  edited(world, fields);
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  return world;
}

describe('an edit of the stable Service in the middle of a release is in the canary Service at once', () => {
  type Fields = { readonly [key: string]: JsonMap[string] | undefined };
  test.each<[string, JsonMap, Fields]>([
    ['a port more', { ports: [HTTP] }, { ports: [HTTP, ADMIN] }],
    ['a port less', { ports: [HTTP, ADMIN] }, { ports: [ADMIN] }],
    ['ports in another order', { ports: [{ ...HTTP, appProtocol: 'http' }, ADMIN] }, { ports: [ADMIN, HTTP] }],
    ['another targetPort', { ports: [HTTP] }, { ports: [{ ...HTTP, targetPort: 8081 }] }],
    ['an appProtocol', { ports: [HTTP] }, { ports: [{ ...HTTP, appProtocol: 'kubernetes.io/h2c' }] }],
    ['an appProtocol that goes', { ports: [{ ...HTTP, appProtocol: 'kubernetes.io/h2c' }] }, { ports: [HTTP] }],
    ['sessions', {}, { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }],
    [
      'sessions that end',
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } },
      { sessionAffinity: 'None', sessionAffinityConfig: undefined },
    ],
    ['pods nearby', {}, { trafficDistribution: 'PreferClose' }],
    ['pods nearby no more', { trafficDistribution: 'PreferClose' }, { trafficDistribution: undefined }],
    ['pods that are not ready, no more', { publishNotReadyAddresses: true }, { publishNotReadyAddresses: undefined }],
  ])('%s', async (_, before, after) => {
    const world = await withService(before);
    expect(spec(world)).toMatchObject(before);
    edited(world, after);
    await world.pass(1);
    const { selector: _1, ...stable } = spec(world, STABLE);
    const { selector: _2, ...canary } = spec(world);
    expect(canary).toEqual(stable);
    const writes = () => world.cluster.writes.filter((what) => what.includes('Service shop/web-canary'));
    const settled = writes();
    await world.pass(60);
    expect(writes()).toEqual(settled);
    expect(world.stands()).toBe('1 StepPaused');
  });

  test.each<[string, JsonMap, JsonMap]>([
    ['a label more in its selector', { app: 'web' }, { app: 'web', tier: 'front' }],
    ['a label less in its selector', { app: 'web', tier: 'front' }, { app: 'web' }],
  ])('%s', async (_, before, after) => {
    const world = await opened({ strategy, labels: { app: 'web', tier: 'front' } });
    edited(world, { selector: before });
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    const revisions = [spec(world, STABLE), spec(world)].map((each) => at(each, ['selector', 'pod-template-hash']));
    // Its owner's source says nothing of the label that Sluice adds.
    edited(world, { selector: after });
    await world.pass(2);
    const selectors = [spec(world, STABLE), spec(world)].map((each) => each['selector']);
    expect(selectors).toEqual(revisions.map((revision) => ({ ...after, 'pod-template-hash': revision })));
    expect(world.endpoints('web')).toEqual({ v1: 8 });
    expect(world.endpoints('web-canary')).toEqual({ v2: 2 });
  });
});

const OUTSIDE: JsonMap = {
  ...{ type: 'LoadBalancer', loadBalancerIP: '192.0.2.1', externalTrafficPolicy: 'Local' },
  ...{ healthCheckNodePort: 31000, clusterIP: '10.0.0.7', clusterIPs: ['10.0.0.7'] },
  ports: [{ ...HTTP, nodePort: 30080 }],
};

test.each<[string, JsonMap]>([
  ['LoadBalancer', OUTSIDE],
  ['NodePort', { type: 'NodePort', clusterIP: '10.0.0.7', ports: [{ ...HTTP, nodePort: 30080 }] }],
])('a release of a Service of type %s makes none beside it that is reachable from outside', async (_, fields) => {
  const world = await withService(fields);
  expect(spec(world)).toEqual({
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ports: [HTTP],
    selector: expect.objectContaining({ app: 'web' }),
  });
  expect(spec(world, STABLE)).toMatchObject(fields);
  world.approve();
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(spec(world, STABLE)).toMatchObject(fields);
  expect(leftovers(world)).toEqual([]);
});

test('a Service that becomes reachable from outside in the middle of a release leaves the canary Service as it is', async () => {
  const world = await pausedAtStep1({ strategy });
  const before = world.cluster.read(RESOURCES.service, CANARY);
  edited(world, {
    type: 'NodePort',
    ports: [{ ...(at(spec(world, STABLE), ['ports', 0]) as JsonMap), nodePort: 30080 }],
  });
  await world.pass(5);
  expect(world.cluster.read(RESOURCES.service, CANARY)).toEqual(before);
});

test('a canary Service that somebody changes is put right, and what the API server gave it stays', async () => {
  const world = await pausedAtStep1({ strategy });
  world.cluster.edit(RESOURCES.service, CANARY, (live) => ({
    ...live,
    spec: { ...(live['spec'] as JsonMap), clusterIP: '10.0.0.9', ports: [ADMIN], publishNotReadyAddresses: true },
  }));
  await world.pass(1);
  const { clusterIP, ...rest } = spec(world);
  expect(clusterIP).toBe('10.0.0.9');
  const { selector: _1, ...stable } = spec(world, STABLE);
  const { selector: _2, ...canary } = rest;
  expect(canary).toEqual(stable);
});
