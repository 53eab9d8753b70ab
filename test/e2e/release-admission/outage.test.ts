import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, type JsonMap } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { echoDeployment } from '../echo.ts';
import { podsOfHalf, scale, signalPods } from '../faults/processes.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';

const server = cluster();
const { client, kubectl } = server;
let sluice: Installed;
let namespace = '';

const web = (version: string): JsonMap => echoDeployment({ name: 'web', version, replicas: 1 }) as JsonMap;

beforeAll(async () => {
  sluice = await installSluice(server);
  namespace = await server.namespace();
  await server.apply(namespace, web('v1'));
  await settled();
});
afterAll(() => sluice?.uninstall());
afterAll(() => expectNoTakenFields(server.client));

const settled = async () =>
  succeeded(await kubectl(['rollout', 'status', 'deployment/web', '-n', namespace, '--timeout=60s']));
const version = async () =>
  at(await client.get(RESOURCES.deployment, { namespace, name: 'web' }), [
    'spec',
    'template',
    'metadata',
    'labels',
    'version',
  ]);

/** Milliseconds that an apply of a Deployment that is not armed takes. */
async function applied(next: string): Promise<number> {
  const start = performance.now();
  await server.apply(namespace, web(next));
  return Math.round(performance.now() - start);
}

/** Milliseconds that the creation of a pod of a Deployment takes; it is not stored. */
async function madePod(): Promise<number> {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'set', controller: true };
  const metadata = { generateName: 'web-', namespace, labels: { 'pod-template-hash': '1' }, ownerReferences: [owner] };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'web', image: 'echo:1' }] } };
  const start = performance.now();
  await client.create(RESOURCES.pod, pod, { dryRun: true });
  return Math.round(performance.now() - start);
}

describe('while all webhooks hang', () => {
  let hanging: string[] = [];

  beforeAll(async () => {
    hanging = (await podsOfHalf(server, sluice.namespace, 'webhook')).map(({ name }) => name);
    signalPods(hanging, 'SIGSTOP');
  });
  afterAll(async () => {
    signalPods(hanging, 'SIGCONT');
    await until('them to be ready', async () =>
      (await podsOfHalf(server, sluice.namespace, 'webhook')).every(({ isReady }) => isReady),
    );
  });

  test('a new template of a Deployment that is not armed passes after two seconds', async () => {
    const took = await applied('v2');
    process.stderr.write(`a new template passed after ${took} ms\n`);
    expect([took >= 1_900, took < 5_000]).toEqual([true, true]);
    expect(await version()).toBe('v2');
  });

  test('a pod of a Deployment is made after one', async () => {
    const took = await madePod();
    process.stderr.write(`a pod was made after ${took} ms\n`);
    expect([took >= 900, took < 3_000]).toEqual([true, true]);
    await settled();
  });
});

describe('with all webhooks gone', () => {
  beforeAll(() => scale(server, sluice.namespace, 0, ['webhook']));
  afterAll(() => scale(server, sluice.namespace, 2, ['webhook']));

  test('a pod of a Deployment is made at once', async () => {
    const took = await madePod();
    process.stderr.write(`a pod was made after ${took} ms\n`);
    expect(took).toBeLessThan(900);
  });

  test('of a Rollout and a new version in one file the Rollout is refused, and the version runs: nobody could hold it', async () => {
    const rollout = {
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata: { name: 'web' },
      spec: {
        workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        strategy: { canary: { steps: [{ replicas: '50%' }, { replicas: '100%' }] } },
      },
    };
    const stdin = [rollout, web('v3')].map((object) => JSON.stringify(object)).join('\n---\n');
    const { exitCode, stderr } = await kubectl(['apply', '-n', namespace, '-f', '-'], { stdin });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('failed calling webhook "rollouts.sluice.dev"')]);
    await settled();
    expect(await version()).toBe('v3');
  });
});
