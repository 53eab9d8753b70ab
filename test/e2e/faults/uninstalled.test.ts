import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMap, type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { ingress } from '../drift/objects.ts';
import { type Installed, installSluice } from '../installed.ts';
import type { Shop } from '../release/shop.ts';
import { GATEWAYS, openShop, TAKING_PART } from './shop.ts';

const server = cluster();
const { kubectl } = server;
const CRDS = ['rollouts.rollouts.kruise.io', 'trafficroutings.rollouts.kruise.io'];
const RELEASED = [...TAKING_PART, ingress];
const TRACES = /sluice\.dev|rollouts\.kruise\.io/;
let sluice: Installed;
let shop: Shop;
let before: readonly JsonMap[];

beforeAll(async () => {
  sluice = await installSluice(server, GATEWAYS);
  shop = await openShop(server);
  await shop.release('v1');
  await shop.ends('Rollback', 60);
  succeeded(await kubectl(['delete', 'rollout', 'web', '-n', shop.namespace]));
  await until('the workload to be at rest', async () => !TRACES.test(JSON.stringify(steered(await everything()))));
  before = await everything();
  const start = performance.now();
  await sluice.uninstall();
  process.stderr.write(`helm uninstall --wait took ${Math.round(performance.now() - start)} ms\n`);
});
afterAll(async () => {
  await kubectl(['delete', 'namespace', sluice.namespace, '--ignore-not-found']);
});

/** The user's objects: metadata and spec, without what the API server counts. */
async function everything(): Promise<JsonMap[]> {
  const kinds = [...RELEASED.map(({ kind }) => kind), 'Rollout'].join(',');
  const list = JSON.parse(succeeded(await kubectl(['get', kinds, '-n', shop.namespace, '-o', 'json'])));
  return (list.items as JsonMap[]).map(({ kind = null, metadata, spec = null }) => {
    const { managedFields: _, resourceVersion: __, ...rest } = isMap(metadata) ? metadata : {};
    return { kind, metadata: rest as Json, spec };
  });
}

/** Those whose release has ended. */
function steered(objects: readonly JsonMap[]): JsonMap[] {
  return objects.filter(({ metadata }) => stringAt(metadata, 'name') === 'web');
}

test('no webhook configuration is left', async () => {
  await until('the garbage collector', async () => {
    const all = await kubectl(['get', 'mutatingwebhookconfigurations,validatingwebhookconfigurations', '-o', 'name']);
    return !all.stdout.includes('sluice');
  });
});

test('the objects of users are what they were, and hold nothing of a release that has ended', async () => {
  const after = await everything();
  expect(after).toEqual(before);
  expect(steered(after)).toHaveLength(RELEASED.length);
  expect(JSON.stringify(steered(after))).not.toMatch(TRACES);
});

test('a workload at rest keeps its directive and label, which nobody reads now; the commands of the docs take them away', async () => {
  const armed = async () =>
    succeeded(await kubectl(['get', 'deployment', 'armed', '-n', shop.namespace, '-o', 'json']));
  expect(await armed()).toContain('directive.sluice.dev/armed');
  succeeded(await kubectl(['set', 'image', 'deployment/armed', 'web=echo:2', '-n', shop.namespace]));
  succeeded(await kubectl(['annotate', 'deployment', 'armed', '-n', shop.namespace, 'directive.sluice.dev/armed-']));
  succeeded(await kubectl(['label', 'deployment', 'armed', '-n', shop.namespace, 'rollouts.kruise.io/workload-type-']));
  const { metadata, spec } = JSON.parse(await armed());
  delete metadata.managedFields;
  expect(JSON.stringify({ metadata, spec })).not.toMatch(TRACES);
});

describe('the CRDs stay, and Rollouts with them', () => {
  test('they are read and written in the version that is stored', async () => {
    succeeded(await kubectl(['get', 'crd', ...CRDS]));
    succeeded(await kubectl(['label', 'rollout', 'armed', '-n', shop.namespace, 'seen=yes']));
  });

  test('their old version needs a converter: the command of the docs ends that', async () => {
    const old = ['get', 'rollouts.v1alpha1.rollouts.kruise.io', 'armed', '-n', shop.namespace];
    const { stderr } = await kubectl(old);
    process.stderr.write(`v1alpha1 after the uninstallation: ${stderr}`);
    expect(stderr).toContain('conversion webhook');
    const patch = '{"spec":{"conversion":{"strategy":"None","webhook":null}}}';
    succeeded(await kubectl(['patch', 'crd', CRDS[0] ?? '', '--type=merge', '-p', patch]));
    await until('it to be read', async () => (await kubectl(old)).exitCode === 0);
  });
});

test.each([
  ['of users, with Rollouts', () => shop.namespace],
  ['of Sluice, with Secrets, Lease and pinned scripts', () => sluice.namespace],
])('the namespace %s can be deleted: no finalizer hangs', async (_, name) => {
  const start = performance.now();
  succeeded(await kubectl(['delete', 'namespace', name(), '--timeout=60s']));
  process.stderr.write(`namespace deleted after ${Math.round(performance.now() - start)} ms\n`);
});
