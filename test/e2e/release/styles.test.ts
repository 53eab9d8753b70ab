import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, isList, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { openShop, routing, type Shop, VIRTUAL_SERVICE } from './shop.ts';

const server = cluster();
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(async () => {
  await sluice?.uninstall();
});

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '25%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: { duration: 1 } },
  { replicas: '100%' },
];
const STRATEGIES: Record<string, JsonMap> = {
  partition: { canary: { steps: STEPS, trafficRoutings: [routing] } },
  canary: { canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [routing] } },
  'blue-green': {
    blueGreen: {
      steps: [
        { replicas: '25%', traffic: '20%', pause: {} },
        { replicas: '100%', traffic: '100%', pause: { duration: 1 } },
      ],
      trafficRoutings: [routing],
      scaleDownDelaySeconds: 2,
    },
  },
};

/** Pods of v1 and v2 in the pause of step 1. */
const IN_STEP_1: Record<string, Record<string, { desired: number; ready: number }>> = {
  partition: { v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } },
  canary: { v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } },
  'blue-green': { v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } },
};

/** What `echoDeployment` writes for another version. */
function inVersion(spec: Json | undefined, version: string): string {
  return JSON.stringify(spec)
    .replace('"version":"v1"', `"version":"${version}"`)
    .replace('"value":"v1"', `"value":"${version}"`);
}

/** What nobody but the user may own: the fields of a manager, without annotations and labels of Sluice. */
async function ownedBySluice(shop: Shop): Promise<string[]> {
  const name = { namespace: shop.namespace, name: 'web' };
  const kinds = [RESOURCES.deployment, RESOURCES.service, VIRTUAL_SERVICE];
  const objects = await Promise.all(kinds.map((resource) => server.client.get(resource, name)));
  return objects.flatMap((object) => {
    const entries = member(object['metadata'], 'managedFields');
    const ours = (isList(entries) ? entries : []).filter((entry) => stringAt(entry, 'manager') === 'sluice-controller');
    return ours.flatMap((entry) => paths(at(entry, ['fieldsV1']), '')).filter((path) => !/sluice|kruise/.test(path));
  });
}

function paths(fields: Json | undefined, prefix: string): string[] {
  if (typeof fields !== 'object' || fields === null) return [];
  const entries = Object.entries(fields).filter(([key]) => key.startsWith('f:'));
  if (entries.length === 0) return [prefix];
  return entries.flatMap(([key, value]) => paths(value, `${prefix}.${key.slice(2)}`));
}

async function backToNormal(shop: Shop, version: string, before: Json | undefined): Promise<void> {
  const others = ['v1', 'v2', 'v3'].filter((each) => each !== version);
  await until('the pods of the other versions to go', async () => {
    const pods = await shop.pods();
    return others.every((each) => (pods[each]?.desired ?? 0) === 0) && pods[version]?.ready === 4;
  });
  expect(await shop.weights()).toEqual({ web: 100 });
  expect(JSON.stringify((await shop.deployment())['spec'])).toBe(inVersion(before, version));
  expect(await ownedBySluice(shop)).toEqual([]);
  await until('the canary Service to go', async () => {
    const { items } = await server.client.list(RESOURCES.service, { namespace: shop.namespace });
    return items.length === 1;
  });
}

describe.each(Object.entries(STRATEGIES))('%s', (style, strategy) => {
  test('a new version is held, released step by step with its traffic, and the objects are their owner’s again', async () => {
    const shop = await openShop(server, { strategy });
    const before = (await shop.deployment())['spec'];
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused');
    expect(await shop.pods()).toEqual(IN_STEP_1[style]);
    expect(await shop.weights()).toEqual({ web: 80, 'web-canary': 20 });
    await shop.approve();
    await shop.ends('Success', 90);
    await backToNormal(shop, 'v2', before);
  });

  test('the old version, applied again, takes traffic and pods back; a third version takes the place of a second', async () => {
    const shop = await openShop(server, { strategy });
    const before = (await shop.deployment())['spec'];
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused');
    await shop.release('v3');
    await until('the second version to be gone', async () => ((await shop.pods())['v2']?.desired ?? 0) === 0, 60);
    await shop.reaches(1, 'StepPaused');
    expect((await shop.pods())['v3']).toEqual({ desired: 1, ready: 1 });
    await shop.release('v1');
    await shop.ends('Rollback', 60);
    await backToNormal(shop, 'v1', before);
  });
});
