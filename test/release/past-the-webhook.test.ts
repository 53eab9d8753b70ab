import { expect, onTestFinished, test } from 'vitest';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, type JsonMap, stringAt } from '../../src/json/value.ts';
import { ApiError, NotLeading } from '../../src/kube/api-error.ts';
import type { WriteOptions } from '../../src/kube/client.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { leftovers } from './invariants.ts';
import { openWorld, ROUTING, type World } from './world.ts';

const WEB = { namespace: 'shop', name: 'web' };
const pause = {};
const STEPS = [
  { traffic: '20%', replicas: '20%', pause },
  { traffic: '50%', replicas: '50%', pause },
];
const partition: JsonMap = { canary: { steps: STEPS, trafficRoutings: [ROUTING] } };
const KINDS = ['VirtualService', 'Service', 'Deployment'] as const;

/** A write of the controller's on its way: what stands in its way is thrown. */
type OnPatch = (sent: { readonly kind: string; readonly form: string; readonly isDryRun: boolean }) => void;

function watchPatches({ cluster }: World, onPatch: OnPatch): void {
  const patch = cluster.patch.bind(cluster);
  cluster.patch = (resource: Resource, name, form, body, options: WriteOptions = {}) =>
    Promise.resolve().then(() => {
      const isUsers = name.name === 'web' && options.subresource === undefined;
      if (isUsers) onPatch({ kind: resource.kind, form, isDryRun: options.dryRun === true });
      return patch(resource, name, form, body, options);
    });
}

/** Lets the first so many writes of a kind through; the one after them meets a conflict. */
function conflictAfter(world: World, kind: string, passing: number): { hits(): number } {
  let [sent, hits] = [0, 0];
  watchPatches(world, (each) => {
    if (each.kind !== kind || hits > 0 || sent++ < passing) return;
    hits++;
    throw new ApiError(409, 'Conflict', 'the object has been modified');
  });
  return { hits: () => hits };
}

/** The controller writes nothing more after so many writes of a kind, until that is lifted. */
function stopAfter(world: World, kind: string, passing: number): { lift(): void } {
  let sent = 0;
  let state: 'on its way' | 'stopped' | 'lifted' = 'on its way';
  watchPatches(world, (each) => {
    if (each.kind === kind && state === 'on its way' && sent++ === passing) state = 'stopped';
  });
  world.cluster.onWrite = () => {
    if (state === 'stopped') throw new NotLeading('another one leads');
  };
  return {
    lift() {
      state = 'lifted';
    },
  };
}

async function inStep1(annotations: JsonMap = {}): Promise<World> {
  const world = await openWorld({ strategy: partition, annotations });
  onTestFinished(() => world.close());
  world.release('v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  return world;
}

/** What the owner wrote, and nothing else: of the workload only where it is not held. */
function expectOwners({ cluster, weights }: World, workload: 'free' | 'held' = 'free'): void {
  if (workload === 'free')
    expect(ownSettings(cluster.read(RESOURCES.deployment, WEB))).toEqual({
      paused: undefined,
      minReadySeconds: undefined,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    });
  expect({
    selector: at(cluster.read(RESOURCES.service, WEB), ['spec', 'selector']),
    gateway: at(cluster.read(VIRTUAL_SERVICE, WEB), ['spec']),
    weights: weights(),
    services: cluster.list(RESOURCES.service, 'shop').map((object) => stringAt(object, 'metadata', 'name')),
  }).toEqual({
    selector: { app: 'web' },
    gateway: { hosts: ['web'], http: [{ route: [{ destination: { host: 'web' } }] }] },
    weights: { web: 100 },
    services: ['web'],
  });
}

function ownSettings(deployment: JsonMap): JsonMap {
  const { paused, minReadySeconds, strategy } = deployment['spec'] as Record<string, JsonMap>;
  return { paused, minReadySeconds, strategy } as JsonMap;
}

/** How a release may end while the webhook is away. */
const WAYS_OUT = {
  'the version of before is applied': {
    take: (world: World) => world.release('v1'),
    onDelete: 'hold',
    workload: 'free',
  },
  'the Rollout goes, and its workload is held': { take: forget, onDelete: 'rollback', workload: 'held' },
  'the Rollout goes, and the new version comes out': { take: forget, onDelete: 'complete', workload: 'free' },
} as const;
const EACH_WAY = Object.entries(WAYS_OUT).map(([way, its]) => ({ way, ...its }));

function forget(world: World): void {
  world.forget();
}

/** Whether it is held or not, with the version of before everything is its owner's again. */
async function expectEnd(world: World, workload: 'free' | 'held'): Promise<void> {
  expectOwners(world, workload);
  world.cluster.webhook = 'answers';
  await world.pass(30);
  expectOwners(world, workload);
  if (workload === 'held') world.release('v1');
  await world.pass(60);
  expectOwners(world);
  expect(leftovers(world)).toEqual([]);
}

test.each(EACH_WAY.flatMap((way) => KINDS.flatMap((kind) => [0, 1].map((passing) => ({ ...way, kind, passing })))))(
  'the webhook is away, $way, and after $passing writes of the $kind one meets a conflict: its owner gets all back',
  async ({ take, onDelete, workload, kind, passing }) => {
    const world = await inStep1({ 'sluice.dev/on-delete': onDelete });
    world.cluster.webhook = 'fails open';
    const conflict = conflictAfter(world, kind, passing);
    take(world);
    await world.pass(90);
    expect(conflict.hits()).toBe(1);
    await expectEnd(world, workload);
  },
);

test.each(KINDS.flatMap((kind) => [0, 1].map((passing) => ({ kind, passing }))))(
  'the webhook is away in a step, and after $passing writes of the $kind one meets a conflict: in the end its owner gets all back',
  async ({ kind, passing }) => {
    const world = await inStep1();
    world.cluster.webhook = 'fails open';
    const conflict = conflictAfter(world, kind, passing);
    // The Service is written at the beginning of a release, and at its end.
    if (kind === 'Service') world.release('v1');
    else world.approve();
    await world.pass(30);
    world.cluster.webhook = 'answers';
    await world.pass(10);
    expect(conflict.hits()).toBe(1);
    if (kind !== 'Service') expect(world.weights()).toEqual({ web: 50, 'web-canary': 50 });
    world.release('v1');
    await world.until('the end', () => world.stands() === 'Healthy', 300);
    expectOwners(world);
    expect(leftovers(world)).toEqual([]);
  },
);

test.each(
  KINDS.flatMap((kind) =>
    ['approve', 'release v1'].flatMap((what) => [0, 1, 2, 3].map((passing) => ({ what, kind, passing }))),
  ),
)(
  'the webhook is away, users $what, and the controller stops after $passing writes of the $kind: the next one goes on',
  async ({ what, kind, passing }) => {
    const world = await inStep1();
    world.cluster.webhook = 'fails open';
    const stop = stopAfter(world, kind, passing);
    if (what === 'approve') world.approve();
    else world.release('v1');
    await world.pass(60);
    await world.restart();
    stop.lift();
    await world.pass(60);
    if (what === 'approve') world.release('v1');
    await world.pass(90);
    await expectEnd(world, 'free');
  },
);

test.each(
  EACH_WAY.slice(1).flatMap((way) => KINDS.flatMap((kind) => [0, 1, 2].map((passing) => ({ ...way, kind, passing })))),
)(
  'the webhook is away, $way, and the controller stops after $passing writes of the $kind: the next one goes on',
  async ({ take, onDelete, workload, kind, passing }) => {
    const world = await inStep1({ 'sluice.dev/on-delete': onDelete });
    world.cluster.webhook = 'fails open';
    const stop = stopAfter(world, kind, passing);
    take(world);
    await world.pass(60);
    await world.restart();
    stop.lift();
    await world.pass(90);
    await expectEnd(world, workload);
  },
);

test.each(EACH_WAY.flatMap((way) => KINDS.map((kind) => ({ ...way, kind }))))(
  'the webhook answers dry runs only, $way, and the write after that meets a conflict at the $kind: its owner gets all back',
  async ({ take, onDelete, workload, kind }) => {
    const world = await inStep1({ 'sluice.dev/on-delete': onDelete });
    let [isFlapping, hits] = [true, 0];
    watchPatches(world, (each) => {
      if (!isFlapping) return;
      world.cluster.webhook = each.isDryRun ? 'answers' : 'fails open';
      if (each.kind !== kind || each.form !== 'json' || hits > 0) return;
      hits++;
      throw new ApiError(409, 'Conflict', 'the object has been modified');
    });
    take(world);
    await world.pass(90);
    expect(hits).toBe(1);
    isFlapping = false;
    await expectEnd(world, workload);
  },
);

test.each(EACH_WAY.flatMap((way) => KINDS.map((kind) => ({ ...way, kind }))))(
  'a webhook of somebody else takes no dry runs, ours is away, $way, and a write of the $kind meets a conflict: its owner gets all back',
  async ({ take, onDelete, workload, kind }) => {
    const world = await inStep1({ 'sluice.dev/on-delete': onDelete });
    world.cluster.webhook = 'fails open';
    let hits = 0;
    watchPatches(world, (each) => {
      if (each.isDryRun) throw new ApiError(400, 'BadRequest', 'admission webhook "stranger" does not support dry run');
      if (each.kind !== kind || each.form !== 'json' || hits > 0) return;
      hits++;
      throw new ApiError(409, 'Conflict', 'the object has been modified');
    });
    take(world);
    await world.pass(90);
    expect(hits).toBe(1);
    await expectEnd(world, workload);
  },
);

test.each([
  ['and it is scaled', true],
  ['and it keeps its size', false],
])(
  'versions come past the webhook while another is under way, %s: its owner keeps the settings',
  async (_, isScaled) => {
    for (let seed = 1; seed <= 12; seed++) {
      const world = await openWorld({ strategy: partition, native: { seed } });
      onTestFinished(() => world.close());
      const past = async (version: string) => {
        world.cluster.webhook = 'fails open';
        world.release(version);
        await world.pass(0);
        world.cluster.webhook = 'answers';
        await world.pass(0.1);
      };
      await past('v3');
      world.release('v1');
      await world.pass(0.1);
      await past('v3');
      await world.pass(0.1);
      if (isScaled) {
        world.scale(0);
        await world.pass(0.4);
        world.scale(5);
      }
      await world.pass(60);
      const { strategy, paused } = world.cluster.read(RESOURCES.deployment, WEB)['spec'] as JsonMap;
      expect({ seed, type: stringAt(strategy, 'type'), paused }).toEqual({
        seed,
        type: 'RollingUpdate',
        paused: undefined,
      });
    }
  },
);
