import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ANNOTATIONS } from '../../../src/api/names.ts';
import { at, type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { echoDeployment } from '../echo.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';

const server = cluster();
const { client, kubectl } = server;
let sluice: Installed;
let namespace = '';

beforeAll(async () => {
  sluice = await installSluice(server);
});
afterAll(() => sluice.uninstall());
afterAll(() => expectNoTakenFields(server.client));

/** Nothing of it is ever available: the native controller counts what sets ask for, and no node has to run ten pods. */
function deployment(version: string): JsonMap {
  const whole = echoDeployment({ name: 'web', version, replicas: 10 }) as JsonMap;
  const spec = whole['spec'] as JsonMap;
  const template = spec['template'] as JsonMap;
  const unplaced = { ...template, spec: { ...(template['spec'] as JsonMap), nodeSelector: { no: 'node' } } };
  const strategy = { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
  return { ...whole, spec: { ...spec, strategy, template: unplaced } };
}

/** What each version's set asks for, once the native controller has acted upon the Deployment as it is. */
async function sizes(): Promise<{ v1: number | undefined; v2: number | undefined }> {
  await until('the native controller to have seen the Deployment', async () => {
    const object = await client.get(RESOURCES.deployment, { namespace, name: 'web' });
    return at(object, ['status', 'observedGeneration']) === at(object, ['metadata', 'generation']);
  });
  const { items } = JSON.parse(succeeded(await kubectl(['get', 'replicasets', '-n', namespace, '-o', 'json'])));
  const sizeOf = (version: string) =>
    at(
      (items as Json[]).find((item) => stringAt(item, 'metadata', 'labels', 'version') === version),
      ['spec', 'replicas'],
    ) as number | undefined;
  return { v1: sizeOf('v1'), v2: sizeOf('v2') };
}

const patch = (body: Json) => client.patch(RESOURCES.deployment, { namespace, name: 'web' }, 'merge', body);
const scaleTo = async (replicas: number) => {
  await patch({ spec: { replicas } });
  return sizes();
};
const setOf = async (version: string): Promise<string> =>
  succeeded(await kubectl(['get', 'replicasets', '-n', namespace, '-l', `version=${version}`, '-o', 'name'])).trim();

async function giveFloor(version: string): Promise<void> {
  succeeded(await kubectl(['annotate', '-n', namespace, await setOf(version), `${ANNOTATIONS.floor}=1/10`]));
}

// Nine pods of the old version, one of the new, and at rest: as in the first step of a release.
beforeEach(async () => {
  namespace = await server.namespace();
  await server.apply(namespace, deployment('v1'));
  await until('the first set', async () => (await sizes()).v1 === 10);
  await server.apply(namespace, deployment('v2'));
  await until('the first pod of the new version', async () => {
    const { v1, v2 } = await sizes();
    return v1 === 9 && v2 === 1;
  });
  await patch({ spec: { paused: true } });
});

test('proportional scaling takes a set without a floor to no pod: 9:1 becomes 4:0', async () => {
  expect(await scaleTo(4)).toEqual({ v1: 4, v2: 0 });
});

test('it leaves a set with a floor one pod, and stays so: 9:1 becomes 3:1, and comes back', async () => {
  await giveFloor('v2');
  expect(await scaleTo(4)).toMatchObject({ v2: 1 });
  // The pod that stays is one too many, which the native controller sees when it looks again.
  await until('the old set to make room', async () => (await sizes()).v1 === 3);
  await patch({ metadata: { annotations: { touched: 'yes' } } });
  expect(await sizes()).toEqual({ v1: 3, v2: 1 });
  expect(await scaleTo(10)).toMatchObject({ v2: expect.toSatisfy((size: number) => size >= 1) });
});

test('no pod is left where none is wanted: both sets of a Deployment that is scaled to 0 are empty', async () => {
  await giveFloor('v1');
  await giveFloor('v2');
  expect(await scaleTo(0)).toEqual({ v1: 0, v2: 0 });
});

test("Sluice's own controller takes a set with a floor down, and others may not, but are told why", async () => {
  await giveFloor('v2');
  const role = ['create', 'role', 'sets', '-n', namespace, '--verb=get,patch', '--resource=replicasets.apps'];
  const account = `--serviceaccount=${sluice.namespace}:sluice-controller`;
  succeeded(await kubectl(role));
  succeeded(await kubectl(['create', 'rolebinding', 'sets', '-n', namespace, '--role=sets', account]));
  const down = ['patch', await setOf('v2'), '-n', namespace, '--type=merge', '-p', '{"spec":{"replicas":0}}'];
  const refused = await kubectl(down);
  expect([refused.exitCode, refused.stderr]).toEqual([0, expect.stringContaining(ANNOTATIONS.floor)]);
  expect((await sizes()).v2).toBe(1);
  const kubeconfig = await server.as(`system:serviceaccount:${sluice.namespace}:sluice-controller`);
  succeeded(await kubectl(down, { kubeconfig }));
  expect((await sizes()).v2).toBe(0);
});
