import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { at, isMap, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { plugin } from '../commands/plugin.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { type History, type Moment, momentsOf, record } from './history.ts';
import { openShopInStep1, type Shop, type ShopOptions, VIRTUAL_SERVICE } from './shop.ts';

const server = cluster();
const { client, kubectl } = server;
const { run: sluiceCommand } = plugin(server);
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(() => sluice.uninstall());
afterAll(() => expectNoTakenFields(server.client));

type Size = { readonly version: string; readonly desired: number };

/** A shop in step 1, and what its gateway object and its sets of pods go through from there. */
type Watched = { readonly shop: Shop; readonly history: History };

async function open(options: Partial<ShopOptions> = {}): Promise<Watched> {
  const shop = await openShopInStep1(server, options);
  const history = await record(client, shop.namespace, [VIRTUAL_SERVICE, RESOURCES.replicaSet]);
  onTestFinished(async () => void (await history.stop()));
  return { shop, history };
}

function traffic({ history }: Watched): Moment<'to both' | 'to one'>[] {
  return momentsOf(history.changes(), VIRTUAL_SERVICE, ({ spec }) =>
    JSON.stringify(spec).includes('web-canary') ? 'to both' : 'to one',
  );
}

function sizes({ history }: Watched): Moment<Size>[] {
  return momentsOf(history.changes(), RESOURCES.replicaSet, ({ spec }) => ({
    version: stringAt(spec, 'template', 'metadata', 'labels', 'version') ?? '',
    desired: Number(member(spec, 'replicas')),
  }));
}

const IN_STEP_1: Record<string, number> = { v1: 4, v2: 1 };

/** Pods of no version became more or fewer before the new one was without traffic. */
function expectTrafficFirst(watched: Watched): void {
  const [first, ...later] = traffic(watched);
  const back = later.find(({ value }) => value === 'to one');
  const resized = sizes(watched).find(({ value: { version, desired } }) => desired !== IN_STEP_1[version]);
  expect(first?.value).toBe('to both');
  expect(back?.revision).toBeDefined();
  expect(back?.revision).toBeLessThan(resized?.revision ?? Number.POSITIVE_INFINITY);
}

async function remove({ namespace }: Shop): Promise<void> {
  succeeded(await kubectl(['delete', 'rollout', 'web', '-n', namespace]));
}

/** The Rollout is there again, from the user's folder. */
function create(shop: Shop): Promise<void> {
  return server.apply(shop.namespace, shop.source('Rollout'));
}

function ownKeys(object: JsonMap, part: 'annotations' | 'labels'): string[] {
  const map = member(object['metadata'], part);
  return Object.keys(isMap(map) ? map : {}).filter((key) => /sluice\.dev|kruise\.io/.test(key));
}

/** What is left of Sluice in the shop: annotations and labels by their objects, and objects that are not the user's. */
async function left({ namespace }: Shop): Promise<string[]> {
  const kinds = [RESOURCES.deployment, RESOURCES.service, VIRTUAL_SERVICE];
  const all = await Promise.all(kinds.map(async (kind) => ({ kind, ...(await client.list(kind, { namespace })) })));
  const objects = all.flatMap(({ kind, items }) =>
    items.flatMap((object) => {
      const name = stringAt(object, 'metadata', 'name') ?? '';
      const keys = [...ownKeys(object, 'annotations'), ...ownKeys(object, 'labels')];
      return [...(name === 'web' ? [] : [`${kind.kind} ${name}`]), ...keys.map((key) => `${key} on ${kind.kind}`)];
    }),
  );
  const sets = (await client.list(RESOURCES.replicaSet, { namespace })).items;
  // The native controller copies annotations of the Deployment to its sets, and leaves them there.
  const written = ['sluice.dev/floor', 'sluice.dev/pod-metadata'];
  const marks = sets.flatMap((set) => ownKeys(set, 'annotations').filter((key) => written.includes(key)));
  return [...new Set([...objects, ...marks.map((key) => `${key} on ReplicaSet`)])].sort();
}

const on = (kind: string, ...keys: string[]) => keys.map((key) => `${key} on ${kind}`);

const STEERED = ['directive.sluice.dev/web', 'rollouts.kruise.io/original-spec-configuration'];
/** What is there as long as the Deployment is held. */
const HELD = [
  ...on('Deployment', ...STEERED, 'rollouts.kruise.io/in-progressing', 'rollouts.kruise.io/workload-type'),
  ...on('ReplicaSet', 'sluice.dev/floor'),
];

async function becomes({ shop }: Watched, pods: Record<string, number>, remains: readonly string[]): Promise<void> {
  let seen: unknown;
  const wanted = { pods, ready: pods, remains: [...remains].sort() };
  await until(
    `the shop to have ${JSON.stringify(wanted)}`,
    async () => {
      const versions = Object.entries(await shop.pods()).filter(([version]) => version in pods);
      const count = (key: 'desired' | 'ready') =>
        Object.fromEntries(versions.map(([name, counts]) => [name, counts[key]]));
      seen = { pods: count('desired'), ready: count('ready'), remains: await left(shop) };
      expect(seen).toEqual(wanted);
      return true;
    },
    60,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}, but it has ${JSON.stringify(seen)}`, { cause: error });
  });
  expect(await shop.weights()).toEqual({ web: 100 });
}

async function selector({ namespace }: Shop): Promise<JsonMap> {
  const service = await client.get(RESOURCES.service, { namespace, name: 'web' });
  return at(service, ['spec', 'selector']) as JsonMap;
}

/** Somebody is asked to decide, by an Event of the workload. */
async function isTold({ namespace }: Shop): Promise<void> {
  await until('the Event', async () => {
    const words = ['get', 'events', '-n', namespace, '--field-selector=reason=RolloutGone,type=Warning', '-o', 'name'];
    return succeeded(await kubectl(words)).trim() !== '';
  });
}

const onDelete = (value: string) => ({ annotations: { 'sluice.dev/on-delete': value } });

test.each([
  ['without the annotation', {}],
  ['hold', onDelete('hold')],
])(
  '%s: traffic goes back, pods stay, and the old version alone is served; applied again, it is free',
  async (_, options) => {
    const watched = await open(options);
    const { shop } = watched;
    await remove(shop);
    const kept = [...HELD, ...on('Service', ...STEERED), ...on('ReplicaSet', 'sluice.dev/pod-metadata')];
    await becomes(watched, { v1: 4, v2: 1 }, kept);
    expectTrafficFirst(watched);
    expect(await selector(shop)).toHaveProperty('pod-template-hash');
    await isTold(shop);
    await shop.release('v1');
    await becomes(watched, { v1: 4, v2: 0 }, []);
    expect(await selector(shop)).toEqual({ app: 'web' });
  },
);

test('rollback: traffic goes back, then the new pods; what is stored is held, another version too, and released where the Rollout is there again', async () => {
  const watched = await open(onDelete('rollback'));
  const { shop } = watched;
  await remove(shop);
  await becomes(watched, { v1: 4, v2: 0 }, HELD);
  expectTrafficFirst(watched);
  expect(await selector(shop)).toEqual({ app: 'web' });
  expect(at(await shop.deployment(), ['spec', 'paused'])).toBe(true);
  await isTold(shop);
  await shop.release('v3');
  expect(at(await shop.deployment(), ['spec', 'paused'])).toBe(true);
  await create(shop);
  await shop.reaches(1, 'StepPaused');
  expect(await shop.pods()).toMatchObject({
    v1: { desired: 4, ready: 4 },
    v2: { desired: 0 },
    v3: { desired: 1, ready: 1 },
  });
});

test('complete: traffic goes to both versions as one, then the new one comes out natively, and nothing is left', async () => {
  const watched = await open(onDelete('complete'));
  const { shop } = watched;
  await remove(shop);
  await becomes(watched, { v1: 0, v2: 4 }, []);
  expectTrafficFirst(watched);
  expect(await selector(shop)).toEqual({ app: 'web' });
  expect(at(await shop.deployment(), ['spec'])).not.toHaveProperty('paused');
});

test('held, and resumed: the version that is held comes out natively, and nothing is left', async () => {
  const watched = await open();
  const { shop } = watched;
  await remove(shop);
  await isTold(shop);
  const words = succeeded(await sluiceCommand(['resume', 'web', '-n', shop.namespace]));
  expect(words).toContain('its Rollout is gone: Deployment web comes out with ');
  await becomes(watched, { v1: 0, v2: 4 }, []);
  expect(await selector(shop)).toEqual({ app: 'web' });
  expect(at(await shop.deployment(), ['spec'])).not.toHaveProperty('paused');
});

test('deleted and created again, the release goes on: no further pod of the new version comes before it is approved', async () => {
  const watched = await open();
  const { shop } = watched;
  await remove(shop);
  await create(shop);
  await shop.reaches(1, 'StepPaused');
  expect(await shop.weights()).toEqual({ web: 80, 'web-canary': 20 });
  expect(await shop.pods()).toEqual({ v1: { desired: 4, ready: 4 }, v2: { desired: 1, ready: 1 } });
  const all = sizes(watched).map(({ value }) => value);
  expect(all.filter(({ version, desired }) => version === 'v1' && desired < 4)).toEqual([]);
  expect(all.filter(({ version, desired }) => version === 'v2' && desired > 1)).toEqual([]);
  await shop.approve();
  await shop.ends('Success', 60);
  expect(await shop.pods()).toMatchObject({ v1: { desired: 0 }, v2: { desired: 4, ready: 4 } });
});
