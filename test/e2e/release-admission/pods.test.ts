import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ANNOTATIONS, LABELS } from '../../../src/api/names.ts';
import { at, type Json, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { encodePodMetadata, type PodMetadata } from '../../../src/rollout/pod-metadata.ts';
import { CHART } from '../../chart/rendered.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { echoDeployment } from '../echo.ts';
import { scale } from '../faults/processes.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { reads } from './requests.ts';

const server = cluster();
const { client, kubectl } = server;
let sluice: Installed;
let namespace = '';

beforeAll(async () => {
  sluice = await installSluice(server);
});
afterAll(() => sluice.uninstall());
afterAll(() => expectNoTakenFields(server.client));
beforeEach(async () => {
  namespace = await server.namespace();
  await server.apply(namespace, echoDeployment({ name: 'web', version: 'v1', replicas: 1 }));
  await settled();
});

const settled = async () =>
  succeeded(await kubectl(['rollout', 'status', 'deployment/web', '-n', namespace, '--timeout=60s']));

const RELEASE: PodMetadata = {
  labels: { [LABELS.rolloutId]: '5', [LABELS.rolloutBatchId]: '1', version: 'gray' },
  annotations: { 'example.com/note': 'of the release' },
};

/** As the controller does with the set of a new version. */
async function give(metadata: PodMetadata): Promise<void> {
  const set = succeeded(await kubectl(['get', 'replicasets', '-n', namespace, '-o', 'name'])).trim();
  const patch = {
    metadata: {
      labels: { [LABELS.podMetadata]: 'true' },
      annotations: { [ANNOTATIONS.podMetadata]: encodePodMetadata(metadata) },
    },
  };
  succeeded(await kubectl(['patch', set, '-n', namespace, '--type=merge', '-p', JSON.stringify(patch)]));
}

async function pods(): Promise<Json[]> {
  const list = await client.list(RESOURCES.pod, { namespace, labelSelector: 'app=web' });
  return [...list.items].sort((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1));
}

const createdAt = (pod: Json) => stringAt(pod, 'metadata', 'creationTimestamp') ?? '';
const labelOf = (pod: Json, key: string) => at(pod, ['metadata', 'labels', key]);

/** Scales by one until the webhooks, which learn of the set by their watch, have given a pod this label. */
function scaledUntil(key: string, value: string): Promise<Json[]> {
  let replicas = 1;
  return until(`a pod with ${key}`, async () => {
    replicas += 1;
    succeeded(await kubectl(['scale', 'deployment/web', '-n', namespace, `--replicas=${replicas}`]));
    await until('the pod', async () => (await pods()).length === replicas);
    const all = await pods();
    return all.some((pod) => labelOf(pod, key) === value) && all;
  });
}

describe('a new pod of a ReplicaSet in a release', () => {
  test('has the labels and annotations of the release, and its own', async () => {
    await give(RELEASE);
    const [first, ...others] = await scaledUntil(LABELS.rolloutId, '5');
    const last = others.find((pod) => labelOf(pod, LABELS.rolloutId) === '5') ?? null;
    expect(member(last, 'metadata')).toMatchObject({
      labels: { app: 'web', 'pod-template-hash': labelOf(first ?? null, 'pod-template-hash'), ...RELEASE.labels },
      annotations: RELEASE.annotations,
    });
    expect([labelOf(first ?? null, LABELS.rolloutId), labelOf(first ?? null, 'version')]).toEqual([undefined, 'v1']);
    await settled();
  });

  test('keeps the labels that its set knows it by: nothing is made without end', async () => {
    await give({ labels: { app: 'other', 'pod-template-hash': 'other', [LABELS.rolloutId]: '6' }, annotations: {} });
    const all = await scaledUntil(LABELS.rolloutId, '6');
    expect(new Set(all.map((pod) => labelOf(pod, 'app')))).toEqual(new Set(['web']));
    expect(new Set(all.map((pod) => labelOf(pod, 'pod-template-hash'))).size).toBe(1);
    await settled();
    expect(await pods()).toHaveLength(all.length);
  });

  test('comes into being whatever the annotation says', async () => {
    await give({ labels: { 'no label': 'x', [LABELS.rolloutBatchId]: 'not a value', ok: 'yes' }, annotations: {} });
    await scaledUntil('ok', 'yes');
    await settled();
  });
});

test('pods cost no call of the API: nobody reads a ReplicaSet, or lists any, while they are made', async () => {
  await give(RELEASE);
  await scaledUntil(LABELS.rolloutId, '5');
  await settled();
  const asked = async () => [await reads(server, 'replicasets', 'GET'), await reads(server, 'replicasets', 'LIST')];
  const before = await asked();
  const there = (await pods()).length;
  succeeded(await kubectl(['scale', 'deployment/web', '-n', namespace, `--replicas=${there + 3}`]));
  await until('the pods', async () => (await pods()).length === there + 3);
  expect(await asked()).toEqual(before);
  expect((await pods()).filter((pod) => labelOf(pod, LABELS.rolloutId) === '5').length).toBeGreaterThanOrEqual(4);
});

test('with all our pods gone pods of any Deployment are made as ever', async () => {
  await give(RELEASE);
  await scale(server, sluice.namespace, 0);
  succeeded(await kubectl(['scale', 'deployment/web', '-n', namespace, '--replicas=3']));
  await settled();
  expect((await pods()).map((pod) => labelOf(pod, LABELS.rolloutId))).toEqual([undefined, undefined, undefined]);
  await scale(server, sluice.namespace, 2);
});

test('an installation may choose that no pod of a Deployment is made without us, whatever that costs', async () => {
  const words = ['upgrade', 'sluice', CHART, '--namespace', sluice.namespace, '--wait', '--timeout=90s'];
  succeeded(await server.helm([...words, '--set', 'failurePolicy.pods=Fail']));
  await until('the policy', async () => {
    const configuration = await client.get(RESOURCES.mutatingWebhookConfiguration, { name: 'zz-sluice-mutating' });
    const entries = at(configuration, ['webhooks']) as readonly Json[];
    const pods = entries.find((entry) => stringAt(entry, 'name') === 'pods.sluice.dev');
    return stringAt(pods, 'failurePolicy') === 'Fail';
  });
  await scale(server, sluice.namespace, 0);
  succeeded(await kubectl(['scale', 'deployment/web', '-n', namespace, '--replicas=2']));
  await until('the refusal to be told', async () => {
    const events = ['get', 'events', '-n', namespace, '--field-selector=reason=FailedCreate', '-o', 'name'];
    return succeeded(await kubectl(events)).trim() !== '';
  });
  expect(await pods()).toHaveLength(1);
  await scale(server, sluice.namespace, 2);
  await settled();
  expect(await pods()).toHaveLength(2);
});
