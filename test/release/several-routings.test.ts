import { expect, test } from 'vitest';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, isList, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { leftovers } from './invariants.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** A Rollout with two `trafficRoutings` (compat W3): its pods stand behind the Services `web` and `api`, each with a gateway object. */

const steps: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
  { replicas: '100%' },
];
const GRACE_SECONDS = { web: 3, api: 10 };
const API = { namespace: 'shop', name: 'api' };
const routings: JsonMap[] = [
  ROUTING,
  {
    service: 'api',
    gracePeriodSeconds: GRACE_SECONDS.api,
    customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'api' }],
  },
];
const styles: [string, JsonMap][] = [
  ['partition', { canary: { steps, trafficRoutings: routings } }],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps, trafficRoutings: routings } }],
  ['blue-green', { blueGreen: { steps, trafficRoutings: routings, scaleDownDelaySeconds: 5 } }],
];

const service: JsonMap = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: API,
  spec: { selector: { app: 'web' }, ports: [{ port: 90, targetPort: 9090, protocol: 'TCP' }] },
};
const objects: JsonMap[] = [
  service,
  {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: API,
    spec: { hosts: ['api'], http: [{ route: [{ destination: { host: 'api' } }] }] },
  },
];

/** Of the two pods that 20 % of the traffic need, its owner allows two to be missing; but not all. */
const LEAST = 1;

/** What looks like left behind is the user's own second Service. */
const OWN = ['Service api is left', 'the Service selects {"app":"web"}'];

/** Percent of the traffic that the new version gets of each. */
function shares(world: World): { web: number; api: number } {
  const share = (name: string): number => {
    const object = world.cluster.read(VIRTUAL_SERVICE, { namespace: 'shop', name });
    const route = at(object, ['spec', 'http', 0, 'route']);
    const canary = (isList(route) ? route : []).find(
      (each) => stringAt(each, 'destination', 'host') === `${name}-canary`,
    );
    return Number(member(canary, 'weight') ?? 0);
  };
  return { web: share('web'), api: share('api') };
}

/** When both were seen to lead the same to the new version, and when the step was seen to wait, in milliseconds. */
type Moments = { together: number; paused: number };

/** Writes of the gateway object of `api` are refused until the test says so. */
async function withLateApi(strategy: JsonMap): Promise<{ world: World; moments: Moments; release(): void }> {
  const moments: Moments = { together: 0, paused: 0 };
  let isRefused = true;
  const world = await opened({
    strategy,
    objects,
    onRest: (seen) => {
      const { web, api } = shares(seen);
      if (web === 20 && api === 20) moments.together ||= seen.milliseconds();
      if (seen.stands() === '1 StepPaused') moments.paused ||= seen.milliseconds();
    },
  });
  world.cluster.onWrite = (what) => {
    if (isRefused && what === 'patch VirtualService shop/api') throw new ApiError(403, 'Forbidden', 'not now');
  };
  const release = () => {
    isRefused = false;
  };
  return { world, moments, release };
}

test.each(styles)(
  '%s: a step is there when both gateway objects are; the longest grace period counts once, from the later one on',
  async (_, strategy) => {
    const { world, moments, release } = await withLateApi(strategy);
    world.release('v2');
    await world.until('the first gateway object', () => shares(world).web === 20);
    await world.pass(40);
    expect(world.stands()).toBe('1 StepTrafficRouting');
    expect(shares(world)).toEqual({ web: 20, api: 0 });
    release();
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    expect(shares(world)).toEqual({ web: 20, api: 20 });
    expect(world.endpoints('web-canary')).toEqual({ v2: 2 });
    expect(world.endpoints('api-canary')).toEqual({ v2: 2 });
    const grace = Math.round(moments.paused - moments.together) / 1000;
    expect(grace).toBeGreaterThanOrEqual(GRACE_SECONDS.api);
    expect(grace).toBeLessThan(GRACE_SECONDS.api + GRACE_SECONDS.web);
  },
);

test.each(styles)('%s: the old version, applied again, takes both back, and then its pods', async (_, strategy) => {
  const seen: string[] = [];
  const world = await opened({
    strategy,
    objects,
    onRest: (now) => {
      const { web, api } = shares(now);
      if (web + api > 0 && (now.ready()['v2'] ?? 0) < LEAST) seen.push(JSON.stringify([web, api, now.ready()]));
    },
  });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.release('v1');
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(seen).toEqual([]);
  expect(shares(world)).toEqual({ web: 0, api: 0 });
  expect(world.desired()).toEqual({ v1: 10 });
  expect(world.endpoints('api')).toEqual(world.ready());
  expect(leftovers(world)).toEqual(OWN);
});

test.each(styles)(
  '%s: on the way back pods wait for the later gateway object, and its grace period',
  async (_, strategy) => {
    let isRefused = false;
    const world = await opened({ strategy, objects });
    world.cluster.onWrite = (what) => {
      if (isRefused && what === 'patch VirtualService shop/api') throw new ApiError(403, 'Forbidden', 'not now');
    };
    world.release('v2');
    await world.until('step 1', () => world.stands() === '1 StepPaused');
    isRefused = true;
    world.release('v1');
    await world.until('the first gateway object', () => shares(world).web === 0);
    await world.pass(40);
    expect(shares(world)).toEqual({ web: 0, api: 20 });
    expect(world.endpoints('api-canary')['v2']).toBeGreaterThanOrEqual(LEAST);
    isRefused = false;
    await world.until('the second one', () => shares(world).api === 0);
    await world.pass(GRACE_SECONDS.api - 1);
    expect(world.ready()['v2']).toBeGreaterThanOrEqual(LEAST);
    await world.until('the end', () => world.stands() === 'Healthy');
    expect(world.desired()).toEqual({ v1: 10 });
    expect(leftovers(world)).toEqual(OWN);
  },
);

test.each(styles)('%s: one Service that is missing keeps all of it from beginning', async (_, strategy) => {
  const world = await opened({ strategy, objects });
  world.cluster.erase(RESOURCES.service, API);
  world.release('v2');
  await world.pass(60);
  expect(world.ready()).toEqual({ v1: 10 });
  expect(shares(world)).toEqual({ web: 0, api: 0 });
  const names = world.cluster.list(RESOURCES.service, 'shop').map((each) => stringAt(each, 'metadata', 'name'));
  expect(names).toEqual(['web']);
  expect(at(world.cluster.read(RESOURCES.service, { ...API, name: 'web' }), ['spec', 'selector'])).toEqual({
    app: 'web',
  });
  expect(JSON.stringify(world.status()['conditions'])).toContain('there is no Service api in namespace shop');
  world.cluster.apply(service);
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(shares(world)).toEqual({ web: 20, api: 20 });
});

test.each(styles)('%s: one Service that goes in the middle keeps both from the next step', async (_, strategy) => {
  const world = await opened({ strategy, objects });
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  world.cluster.erase(RESOURCES.service, API);
  await world.pass(5);
  world.approve();
  await world.pass(60);
  expect(world.stands()).toBe('2 BeforeStepUpgrade');
  expect(shares(world)).toEqual({ web: 20, api: 20 });
  world.cluster.apply(service);
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  expect(shares(world)).toEqual({ web: 50, api: 50 });
  world.request({}, { request: 'promote' });
  await world.until('the end', () => world.stands() === 'Healthy');
  expect(world.desired()).toEqual({ v2: 10 });
  expect(leftovers(world)).toEqual(OWN);
});
