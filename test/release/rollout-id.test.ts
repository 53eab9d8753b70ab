import { expect, test } from 'vitest';
import { at, type JsonMap, member } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { templateHash } from '../../src/rewrite/template.ts';
import { opened } from './opened.ts';
import { ROUTING, type World } from './world.ts';

/** `rollouts.kruise.io/rollout-id` of a workload: its owner's name for a release (compat §2.7, §3.8, W36). */

const ID = 'rollouts.kruise.io/rollout-id';
const WEB = { namespace: 'shop', name: 'web' };
const steps: JsonMap[] = [
  { traffic: '20%', replicas: '20%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
  { replicas: '100%' },
];
const styles: [string, JsonMap][] = [
  ['partition', { canary: { steps, trafficRoutings: [ROUTING] } }],
  ['canary', { canary: { enableExtraWorkloadForCanary: true, steps, trafficRoutings: [ROUTING] } }],
  ['blue-green', { blueGreen: { steps, trafficRoutings: [ROUTING], scaleDownDelaySeconds: 5 } }],
];

type Given = { readonly label?: string; readonly annotation?: string };

/** One write of the workload: its ids, and another version where one is named. */
function written(world: World, { label, annotation }: Given, version?: string): void {
  world.cluster.edit(RESOURCES.deployment, WEB, (live) => {
    const { labels, annotations, ...metadata } = live['metadata'] as JsonMap;
    const ids = {
      labels: { ...(labels as JsonMap | undefined), ...(label === undefined ? {} : { [ID]: label }) },
      annotations: { ...(annotations as JsonMap), ...(annotation === undefined ? {} : { [ID]: annotation }) },
    };
    const spec = live['spec'] as JsonMap;
    const template = spec['template'] as JsonMap;
    const containers = version === undefined ? {} : { containers: [{ name: 'web', image: `web:${version}` }] };
    const changed = { ...template, spec: { ...(template['spec'] as JsonMap), ...containers } };
    return { ...live, metadata: { ...metadata, ...ids }, spec: { ...spec, template: changed } };
  });
}

function observedId(world: World): unknown {
  const { canaryStatus, blueGreenStatus } = world.status();
  return member(canaryStatus ?? blueGreenStatus, 'observedRolloutID');
}

/** The ids of pods, by image, with the number of pods that bear them. */
function idsOfPods(world: World): Record<string, Record<string, number>> {
  const counts: Record<string, Record<string, number>> = {};
  for (const pod of world.cluster.list(RESOURCES.pod, 'shop')) {
    const image = String(at(pod, ['spec', 'containers', 0, 'image']));
    const id = String(at(pod, ['metadata', 'labels', ID]) ?? 'none');
    const ids = counts[image] ?? {};
    counts[image] = { ...ids, [id]: (ids[id] ?? 0) + 1 };
  }
  return counts;
}

const hashOf = (world: World): string =>
  templateHash(at(world.cluster.read(RESOURCES.deployment, WEB), ['spec', 'template']));

const GIVEN: [string, Given, (world: World) => string][] = [
  ['a label', { label: 'release-7' }, () => 'release-7'],
  ['an annotation', { annotation: 'release-8' }, () => 'release-8'],
  ['a label and an annotation: the label counts', { label: 'release-7', annotation: 'release-8' }, () => 'release-7'],
  ['an empty label and an annotation', { label: '', annotation: 'release-8' }, () => 'release-8'],
  ['neither: the hash of the template', {}, hashOf],
  ['an annotation that is no label value: the hash of the template', { annotation: 'release 8' }, hashOf],
];

const cases = styles.flatMap(([style, strategy]) =>
  GIVEN.map(([what, given, expected]) => [style, what, { strategy, given, expected }] as const),
);

test.each(cases)('%s: a release is named by %s', async (...[, , { strategy, given, expected }]) => {
  const world = await opened({ strategy });
  written(world, given, 'v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const id = expected(world);
  expect(observedId(world)).toBe(id);
  expect(idsOfPods(world)['web:v2']).toEqual({ [id]: 2 });
  expect(Object.keys(idsOfPods(world)['web:v1'] ?? {})).toEqual(['none']);
  expect(world.batches('v2')).toEqual({ 1: 2 });
  world.approve();
  await world.until('step 2', () => world.stands() === '2 StepPaused');
  await world.pass(0.5);
  expect(idsOfPods(world)['web:v2']).toEqual({ [id]: 5 });
  expect(world.batches('v2')).toEqual({ 1: 2, 2: 3 });
});

test.each(styles)('%s: another id, and the same template, begin no release', async (_, strategy) => {
  const world = await opened({ strategy });
  const before = world.cluster.setsOf(WEB);
  for (const given of [{ label: 'release-7' }, { annotation: 'release-8' }, { label: 'release-9' }]) {
    written(world, given);
    await world.pass(30);
    expect(world.stands()).toBe('Healthy');
    expect(world.cluster.setsOf(WEB)).toEqual(before);
    expect(Object.keys(idsOfPods(world)['web:v1'] ?? {})).toEqual(['none']);
  }
  expect(world.events.join('\n')).not.toContain('a release begins');
});

test.each(styles)('%s: the same id, and another template, begin one', async (_, strategy) => {
  const world = await opened({ strategy });
  written(world, { label: 'release-7', annotation: 'release-7' });
  await world.pass(5);
  written(world, { label: 'release-7', annotation: 'release-7' }, 'v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  expect(observedId(world)).toBe('release-7');
  expect(world.desired()['v2']).toBe(2);
});

test.each(styles)('%s: another id in the middle of a release begins none, and moves nothing', async (_, strategy) => {
  const world = await opened({ strategy });
  written(world, { label: 'release-7' }, 'v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  const [pods, events] = [world.desired(), world.events.length];
  written(world, { label: 'release-8' });
  await world.pass(30);
  expect(world.stands()).toBe('1 StepPaused');
  expect(world.desired()).toEqual(pods);
  expect(world.events).toHaveLength(events);
  expect(idsOfPods(world)['web:v2']).toEqual({ [String(observedId(world))]: 2 });
});

test.each(styles)('%s: the version that takes the place of another has its own id', async (_, strategy) => {
  const world = await opened({ strategy });
  written(world, { label: 'release-7' }, 'v2');
  await world.until('step 1', () => world.stands() === '1 StepPaused');
  written(world, { label: 'release-8' }, 'v3');
  await world.until(
    'step 1 of the third',
    () => observedId(world) === 'release-8' && world.stands() === '1 StepPaused',
  );
  expect(idsOfPods(world)['web:v3']).toEqual({ 'release-8': 2 });
});
