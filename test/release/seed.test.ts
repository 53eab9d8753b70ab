import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { convertRollout } from '../../src/api/conversion.ts';
import { ANNOTATIONS, V1BETA1 } from '../../src/api/names.ts';
import { validateRollout } from '../../src/api/rollout.ts';
import { DESTINATION_RULE, VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { NAMESPACE } from '../../src/controller/running.testing.ts';
import { at, isMap, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { virtualClock } from '../../src/kube/virtual-clock.testing.ts';
import { readManifests } from '../../src/manifest/read.ts';
import { lead, openCluster } from './world.ts';

const [rollout, virtualService, destinationRule] = ['rollout', 'virtualservice', 'destinationrule'].map(
  (name) => documents(`seed-000/${name}.yaml`)[0] ?? {},
);
const [deployment = {}] = documents('seed-000-shop/deployment.yaml');

function documents(file: string): JsonMap[] {
  const text = readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8');
  return readManifests(text, file).documents.flatMap(({ value }) => (isMap(value) ? [value] : []));
}

/** Objects go where `kubectl apply -n shop` puts them. */
function inShop(object: JsonMap): JsonMap {
  return { ...object, metadata: { ...(object['metadata'] as JsonMap), namespace: 'shop' } };
}

/** What the document changes to begin the release: the ConfigMap that the pods mount. */
function mounting(configMap: string): JsonMap {
  return JSON.parse(JSON.stringify(deployment).replace('nginx-configmap-base', configMap));
}

function opened(scripts: readonly JsonMap[]) {
  const clock = virtualClock();
  const cluster = openCluster(clock);
  cluster.install(DESTINATION_RULE);
  for (const object of [...documents('seed-000-shop/around.yaml'), deployment, virtualService, destinationRule])
    cluster.apply(inShop(object ?? {}));
  for (const object of scripts) cluster.apply(object);
  expect(validateRollout(rollout ?? {}).violations).toEqual([]);
  cluster.apply(convertRollout(inShop(rollout ?? {}), V1BETA1));
  const logged: unknown[] = [];
  const controller = lead(cluster, clock, [], logged);
  onTestFinished(() => controller.close());
  const name = (of: string) => ({ namespace: 'shop', name: of });
  const read = {
    rollout: () => cluster.read(RESOURCES.rollout, name('rollouts-demo')),
    deployment: () => cluster.read(RESOURCES.deployment, name('nginx-deployment')),
    virtualService: () => cluster.read(VIRTUAL_SERVICE, name('nginx-vs')),
    destinationRule: () => cluster.read(DESTINATION_RULE, name('nginx-dr')),
  };
  const status = () => read.rollout()['status'];
  return {
    cluster,
    read,
    /** Labels `version` of the ready pods by the ConfigMap that they mount. */
    pods(): Record<string, string[]> {
      const pods: Record<string, string[]> = {};
      for (const pod of cluster.list(RESOURCES.pod, 'shop')) {
        const mounted = stringAt(pod, 'spec', 'volumes', 0, 'configMap', 'name') ?? '';
        if (stringAt(pod, 'metadata', 'deletionTimestamp') !== undefined) continue;
        pods[mounted] = [...(pods[mounted] ?? []), stringAt(pod, 'metadata', 'labels', 'version') ?? ''];
      }
      return pods;
    },
    /** `kubectl-kruise rollout approve rollout/rollouts-demo`. */
    approve() {
      cluster.editStatus(RESOURCES.rollout, name('rollouts-demo'), (before) => ({
        ...before,
        canaryStatus: { ...(before['canaryStatus'] as JsonMap), currentStepState: 'StepReady' },
      }));
    },
    async until(what: string, condition: () => boolean) {
      for (let i = 0; i < 480 && !condition(); i++) await clock.pass(250, () => cluster.settle());
      const state = () => `${what}: ${JSON.stringify(status(), null, 1)}\n${cluster.story.slice(-20).join('\n')}`;
      if (!condition()) throw new Error(state());
    },
    stands: () => `${stringAt(status(), 'phase')} ${at(status(), ['currentStepIndex'])} ${state(status())}`,
  };
}

function state(status: Json | undefined): string {
  return stringAt(status, 'currentStepState') ?? '';
}

const subset = (name: string, weight?: number): JsonMap => ({
  destination: { host: 'nginx-service', subset: name },
  ...(weight === undefined ? {} : { weight }),
});
const BASE = { name: 'version-base', labels: { version: 'base' } };
const CANARY = { name: 'canary', labels: { version: 'canary' } };

/** The document's own script, in Sluice's namespace; without the annotation the shipped one is used, as the document says. */
const OWN_SCRIPT = documents('seed-000/scripts.yaml').map((object) => ({
  ...object,
  metadata: {
    ...(object['metadata'] as JsonMap),
    namespace: NAMESPACE,
    annotations: { [ANNOTATIONS.override]: 'true' },
  },
}));

// One difference: the document prints the new subset first, but its script, as ours, adds it last.
test.each<[string, JsonMap[]]>([
  ['shipped scripts', []],
  ["the document's own script", OWN_SCRIPT],
])('the example of the seed, as it is written, is released as it says, with %s', async (_, scripts) => {
  const { cluster, read, pods, approve, until, stands } = opened(scripts);
  const services = cluster.list(RESOURCES.service, 'shop');
  await until('an armed workload', () => JSON.stringify(read.deployment()).includes('\\"armed\\"'));
  cluster.apply(inShop(mounting('nginx-configmap-canary')));
  expect(at(read.deployment(), ['spec', 'paused'])).toBe(true);

  await until('step 1', () => stands() === 'Progressing 1 StepPaused');
  expect(pods()).toEqual({ 'nginx-configmap-base': ['base'], 'nginx-configmap-canary': ['canary'] });
  expect(at(read.virtualService(), ['spec', 'http'])).toEqual([
    { route: [subset('version-base', 80), subset('canary', 20)] },
  ]);
  expect(at(read.destinationRule(), ['spec', 'subsets'])).toEqual([BASE, CANARY]);

  expect(cluster.list(RESOURCES.service, 'shop')).toEqual(services);

  approve();
  await until('step 2', () => stands() === 'Progressing 2 StepPaused');
  expect(pods()).toEqual({ 'nginx-configmap-base': ['base'], 'nginx-configmap-canary': ['canary'] });
  expect(at(read.virtualService(), ['spec', 'http'])).toEqual([
    { match: [{ headers: { version: { exact: 'canary' } } }], route: [subset('canary')] },
    { route: [subset('version-base')] },
  ]);
  expect(at(read.destinationRule(), ['spec', 'subsets'])).toEqual([BASE, CANARY]);

  approve();
  await until('the end', () => stands().startsWith('Healthy'));
  // The template says `version: base` of every version: the label of the canary was the extra Deployment's.
  expect(pods()).toEqual({ 'nginx-configmap-canary': ['base'] });
  for (const [now, source] of [
    [read.virtualService(), virtualService],
    [read.destinationRule(), destinationRule],
  ] as const) {
    expect(now['spec']).toEqual(source?.['spec']);
    expect(JSON.stringify(now['metadata'])).not.toMatch(/sluice\.dev|original-spec-configuration/);
  }
  expect(cluster.list(RESOURCES.deployment, 'shop')).toHaveLength(1);
  expect(cluster.list(RESOURCES.service, 'shop')).toEqual(services);
});
