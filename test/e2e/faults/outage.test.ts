import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonMap, member } from '../../../src/json/value.ts';
import type { KubeObject } from '../../../src/kube/client.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { ingress, type Subject, virtualService } from '../drift/objects.ts';
import { type Installed, installSluice } from '../installed.ts';
import type { Shop } from '../release/shop.ts';
import { scale } from './processes.ts';
import { admits, applyTo, edited, GATEWAYS, live, nameIn, openShop, renamed, TAKING_PART } from './shop.ts';

const server = cluster();
const { kubectl, client } = server;
let sluice: Installed;
let shop: Shop;
let leaving: Shop;
const before = new Map<string, JsonMap>();

beforeAll(async () => {
  sluice = await installSluice(server, GATEWAYS);
  [shop, leaving] = [await openShop(server), await openShop(server)];
  await scale(server, sluice.namespace, 0);
  await until('writes to be refused', async () => !(await admits(server, shop)));
  for (const subject of TAKING_PART) before.set(subject.kind, declared(await live(server, subject, shop)));
});
afterAll(async () => {
  await sluice?.uninstall();
});

/** What a write may have changed in a release. */
function declared({ spec = null, metadata }: KubeObject): JsonMap {
  const [labels = null, annotations = null] = ['labels', 'annotations'].map((key) => member(metadata, key));
  return { spec, labels, annotations };
}

const inShop = (words: string) => kubectl([...words.split(' '), '-n', shop.namespace]);

describe('with all pods of Sluice gone, what takes no part in a release is written as ever', () => {
  test.each([...TAKING_PART, ingress].map((subject) => [subject.kind, subject] as const))('%s', async (_, subject) => {
    succeeded(await applyTo(server, shop, renamed(edited(subject, subject.source), 'other')));
    succeeded(await applyTo(server, shop, renamed(subject.source, 'new')));
    succeeded(await inShop(`label ${subject.kind} other seen=yes`));
    succeeded(await inShop(`delete ${subject.kind} new`));
  });

  test.each([
    ['a pod', 'run any --image=any'],
    ['a ConfigMap', 'create configmap any --from-literal=a=b'],
    ['a Secret', 'create secret generic any --from-literal=a=b'],
    ['a workload at rest: its replicas', 'scale deployment armed --replicas=1'],
    ['a workload at rest: its labels', 'label deployment armed seen=yes'],
    ['a workload at rest: what is no template', 'patch deployment armed -p {"spec":{"minReadySeconds":3}}'],
  ])('%s', async (_, words) => {
    succeeded(await inShop(words));
  });

  test('the status of a Rollout, by our controller: it goes on', async () => {
    const status = { message: 'seen' };
    const name = { namespace: shop.namespace, name: 'armed' };
    await sluice.controller.patch(RESOURCES.rollout, name, 'merge', { status }, { subresource: 'status' });
  });
});

describe('and of what is in a release', () => {
  test('scaling passes, as an autoscaler does it', async () => {
    succeeded(await inShop('scale deployment web --replicas=5'));
    succeeded(await inShop('scale deployment web --replicas=4'));
  });

  test('the Ingress is edited as ever: the weight is on one beside it', async () => {
    succeeded(await applyTo(server, shop, edited(ingress, shop.source('Ingress'))));
  });

  test('its status passes, and metadata that no release changes', async () => {
    succeeded(await inShop('patch service web --subresource=status --type=merge -p {"status":{"conditions":[]}}'));
    const finalizers = (list: string) => `patch virtualservice web --type=merge -p {"metadata":{"finalizers":${list}}}`;
    succeeded(await inShop(finalizers('["example.com/any"]')));
    succeeded(await inShop(finalizers('[]')));
  });

  test.each(TAKING_PART.map((subject) => [subject.kind, subject] as const))(
    'an edit is refused at once, by a message with our names in it: %s',
    async (_, subject: Subject) => {
      const start = performance.now();
      const { exitCode, stderr } = await applyTo(server, shop, edited(subject, shop.source(subject.kind)));
      process.stderr.write(`refused after ${Math.round(performance.now() - start)} ms: ${stderr}`);
      expect(exitCode).toBe(1);
      const entry = subject.kind === 'Deployment' ? 'workloads' : 'gateways';
      expect(stderr).toContain(`failed calling webhook "${entry}.sluice.dev"`);
      expect(stderr).toContain(`no endpoints available for service "sluice-webhook"`);
      expect(performance.now() - start).toBeLessThan(10_000);
    },
  );

  test('a new template of a workload at rest is refused, for it would not be held', async () => {
    const { stderr } = await inShop('set image deployment/armed web=echo:2');
    expect(stderr).toContain('failed calling webhook "workloads.sluice.dev"');
  });

  test('a new Rollout is refused, for nobody could judge it; its old version cannot be read', async () => {
    const { stderr } = await inShop('patch rollout armed --type=merge -p {"spec":{"disabled":true}}');
    expect(stderr).toContain('failed calling webhook "rollouts.sluice.dev"');
    succeeded(await inShop('get rollout armed'));
    const old = await inShop('get rollouts.v1alpha1.rollouts.kruise.io armed');
    process.stderr.write(old.stderr);
    expect(old.stderr).toContain('conversion webhook for rollouts.kruise.io/v1beta1, Kind=Rollout failed');
  });

  test('a status of a Rollout by anybody else is refused, for nobody could judge what it asks for', async () => {
    const { stderr } = await inShop(
      'patch rollout armed --subresource=status --type=merge -p {"status":{"message":"forged"}}',
    );
    expect(stderr).toContain('failed calling webhook "rollout-status.sluice.dev"');
  });

  test('a namespace with all of it can be deleted', async () => {
    const start = performance.now();
    succeeded(await kubectl(['delete', 'namespace', leaving.namespace, '--timeout=60s']));
    process.stderr.write(`deleted after ${Math.round(performance.now() - start)} ms\n`);
  });
});

describe('when the pods are back', () => {
  test('the same writes pass, and nothing was lost', async () => {
    for (const subject of TAKING_PART) {
      expect(declared(await live(server, subject, shop)), subject.kind).toEqual(before.get(subject.kind));
    }
    const start = performance.now();
    await scale(server, sluice.namespace, 2);
    await until('a write to pass', () => admits(server, shop));
    process.stderr.write(`admitted again ${Math.round(performance.now() - start)} ms after scaling up\n`);
    for (const subject of TAKING_PART)
      succeeded(await applyTo(server, shop, edited(subject, shop.source(subject.kind))));
    const object = await live(server, virtualService, shop);
    expect(JSON.stringify(object['spec'])).toContain('"timeout":"5s"');
    expect(JSON.stringify(object['spec'])).toContain('"weight":80');
    succeeded(await inShop('set image deployment/armed web=echo:2'));
  });

  test('and what was scaled meanwhile stays as it was', async () => {
    const armed = await client.get(RESOURCES.deployment, { namespace: shop.namespace, name: 'armed' });
    expect(JSON.stringify(armed['spec'])).toContain('"replicas":1');
    const web = await client.get(RESOURCES.deployment, nameIn(shop));
    expect(JSON.stringify(web['spec'])).toContain('"replicas":4');
  });
});
