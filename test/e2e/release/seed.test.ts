import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, isMap, type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { RESOURCES, type Resource } from '../../../src/kube/resource.ts';
import { readManifests } from '../../../src/manifest/read.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { VIRTUAL_SERVICE } from './shop.ts';

const server = cluster();
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(async () => {
  await sluice?.uninstall();
});
afterAll(() => expectNoTakenFields(server.client));

const DESTINATION_RULE: Resource = { ...VIRTUAL_SERVICE, plural: 'destinationrules', kind: 'DestinationRule' };

function text(file: string): string {
  return readFileSync(new URL(`../../fixtures/${file}`, import.meta.url), 'utf8');
}

/** The document's Deployment; its image is the one thing that this cluster has not. */
function deployment(configMap: string): string {
  const source = text('seed-000-shop/deployment.yaml');
  return source.replace('image: nginx', 'image: echo').replace('nginx-configmap-base', configMap);
}

const [virtualService, destinationRule] = ['virtualservice', 'destinationrule'].map((name) => {
  const [document] = readManifests(text(`seed-000/${name}.yaml`), name).documents;
  return isMap(document?.value) ? document.value : {};
});

/** The ConfigMap that a pod mounts, and its label `version`, of every pod that stays. */
async function pods(namespace: string): Promise<string[]> {
  const { items } = await server.client.list(RESOURCES.pod, { namespace });
  const staying = items.filter((pod) => stringAt(pod, 'metadata', 'deletionTimestamp') === undefined);
  return staying.map((pod) => `${mounted(pod)} ${stringAt(pod, 'metadata', 'labels', 'version')}`).sort();
}

function mounted(pod: JsonMap): string {
  const volumes = at(pod, ['spec', 'volumes']) as Json[];
  return volumes.map((volume) => stringAt(volume, 'configMap', 'name') ?? '').find((name) => /^nginx/.test(name)) ?? '';
}

const subset = (name: string, weight?: number): JsonMap => ({
  destination: { host: 'nginx-service', subset: name },
  ...(weight === undefined ? {} : { weight }),
});
const BOTH = ['nginx-configmap-base base', 'nginx-configmap-canary canary'];
const SUBSETS = [
  { name: 'version-base', labels: { version: 'base' } },
  { name: 'canary', labels: { version: 'canary' } },
];

test('the example of the seed, applied as it is written, is released as it says', async () => {
  const { kubectl, client } = server;
  const namespace = await server.namespace();
  const apply = async (manifest: string) =>
    succeeded(await kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: manifest }));
  const get = (resource: Resource, name: string) => client.get(resource, { namespace, name });
  const spec = async (resource: Resource, name: string) => (await get(resource, name))['spec'];
  const stands = (step: number, state: string) =>
    until(`step ${step} in state ${state}`, async () => {
      const { status } = await get(RESOURCES.rollout, 'rollouts-demo');
      return at(status, ['currentStepIndex']) === step && stringAt(status, 'currentStepState') === state;
    });
  // The request that `kubectl-kruise rollout approve rollout/rollouts-demo` sends; just after a pause it is refused.
  const body = JSON.stringify({ status: { canaryStatus: { currentStepState: 'StepReady' } } });
  const words = [
    'patch',
    'rollout',
    'rollouts-demo',
    '--subresource=status',
    '--type=merge',
    '-n',
    namespace,
    '-p',
    body,
  ];
  const approve = () => until('the approval to be taken', async () => (await kubectl(words)).exitCode === 0);

  await apply(text('seed-000-shop/around.yaml'));
  await apply(deployment('nginx-configmap-base'));
  await apply(text('seed-000/virtualservice.yaml'));
  await apply(text('seed-000/destinationrule.yaml'));
  await apply(text('seed-000/rollout.yaml'));
  await until('the workload to be armed and its pod to be ready', async () => {
    const { metadata, status } = await get(RESOURCES.deployment, 'nginx-deployment');
    const isArmed = JSON.stringify(metadata ?? {}).includes('directive.sluice.dev/rollouts-demo');
    return isArmed && at(status, ['readyReplicas']) === 1;
  });
  const service = await get(RESOURCES.service, 'nginx-service');

  await apply(deployment('nginx-configmap-canary'));
  await stands(1, 'StepPaused');
  expect(await pods(namespace)).toEqual(BOTH);
  expect(at(await spec(VIRTUAL_SERVICE, 'nginx-vs'), ['http'])).toEqual([
    { route: [subset('version-base', 80), subset('canary', 20)] },
  ]);
  expect(at(await spec(DESTINATION_RULE, 'nginx-dr'), ['subsets'])).toEqual(SUBSETS);

  await approve();
  await stands(2, 'StepPaused');
  expect(await pods(namespace)).toEqual(BOTH);
  expect(at(await spec(VIRTUAL_SERVICE, 'nginx-vs'), ['http'])).toEqual([
    { match: [{ headers: { version: { exact: 'canary' } } }], route: [subset('canary')] },
    { route: [subset('version-base')] },
  ]);
  expect(at(await spec(DESTINATION_RULE, 'nginx-dr'), ['subsets'])).toEqual(SUBSETS);

  await approve();
  await stands(2, 'Completed');
  await until('the pods of the first version to go', async () => (await pods(namespace)).length === 1);
  expect(await pods(namespace)).toEqual(['nginx-configmap-canary base']);
  expect(await spec(VIRTUAL_SERVICE, 'nginx-vs')).toEqual(virtualService?.['spec']);
  expect(await spec(DESTINATION_RULE, 'nginx-dr')).toEqual(destinationRule?.['spec']);
  expect(await get(RESOURCES.service, 'nginx-service')).toEqual(service);
  const { items } = await client.list(RESOURCES.deployment, { namespace });
  expect(items).toHaveLength(1);
});
