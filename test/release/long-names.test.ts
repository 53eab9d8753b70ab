import { expect, test } from 'vitest';
import { type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { opened } from './opened.ts';
import type { World } from './world.ts';

/** Names of Deployments and Rollouts may have 253 characters, values of labels 63. */

const STEPS: JsonMap[] = [{ replicas: '20%', pause: {} }, { replicas: '100%' }];
const LONG = `a-shop-with-a-long-name-${'x'.repeat(60)}`;

function deployment(name: string, version: string): JsonMap {
  const labels = { app: 'long' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'shop', name },
    spec: {
      replicas: 5,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: `web:${version}` }] } },
    },
  };
}

function rollout(name: string, strategy: JsonMap): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { namespace: 'shop', name },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, strategy },
  };
}

function standsAt(world: World): string {
  const { status } = world.cluster.read(RESOURCES.rollout, { namespace: 'shop', name: LONG });
  return `${stringAt(status, 'phase')} ${stringAt(status, 'currentStepState')}`;
}

const extras = (world: World): string[] =>
  world.cluster
    .list(RESOURCES.deployment, 'shop')
    .map((object) => stringAt(object, 'metadata', 'name') ?? '')
    .filter((name) => name.endsWith('-canary'));

test('a workload whose name is too long for a label is released in the canary style, too, and taken back', async () => {
  const strategy = { canary: { enableExtraWorkloadForCanary: true, steps: STEPS } };
  const world = await opened({ strategy });
  for (const object of [deployment(LONG, 'v1'), rollout(LONG, strategy)]) world.cluster.apply(object);
  await world.until('all is there', () => standsAt(world) === 'Healthy Completed');
  await world.pass(5);
  for (const [version, isTakenBack] of [['v2', false] as const, ['v3', true] as const]) {
    world.cluster.apply(deployment(LONG, version));
    await world.until('step 1', () => standsAt(world) === 'Progressing StepPaused');
    expect(extras(world)).toEqual([`${LONG}-canary`]);
    if (isTakenBack) world.cluster.apply(deployment(LONG, 'v2'));
    else
      world.cluster.editStatus(RESOURCES.rollout, { namespace: 'shop', name: LONG }, (status) => ({
        ...status,
        canaryStatus: { ...(status['canaryStatus'] as JsonMap), currentStepState: 'StepReady' },
      }));
    await world.until('the end', () => standsAt(world) === 'Healthy Completed');
    expect(extras(world)).toEqual([]);
    expect(world.cluster.setsOf({ namespace: 'shop', name: LONG }).filter(({ ready }) => ready > 0)).toMatchObject([
      { image: 'web:v2', ready: 5 },
    ]);
  }
});
