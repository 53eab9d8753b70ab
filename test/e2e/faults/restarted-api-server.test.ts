import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { deployment, virtualService } from '../drift/objects.ts';
import { type Installed, installSluice } from '../installed.ts';
import type { Shop } from '../release/shop.ts';
import { becomes, rollout } from '../rollout-controller.ts';
import { leaseTransitions, podsOfHalf } from './processes.ts';
import { admits, applyTo, edited, GATEWAYS, live, openShop, renamed } from './shop.ts';

const server = cluster();
const { kubectl, client } = server;
const MUTATING = { name: 'zz-sluice-mutating' };
const CRD = { name: 'rollouts.rollouts.kruise.io' };
let sluice: Installed;
let shop: Shop;

beforeAll(async () => {
  sluice = await installSluice(server, GATEWAYS);
  shop = await openShop(server);
});
afterAll(() => sluice?.uninstall());

const since = (start: number) => Math.round(performance.now() - start);
const webhooks = async () => at(await client.get(RESOURCES.mutatingWebhookConfiguration, MUTATING), ['webhooks']);
const conversion = async () => at(await client.get(RESOURCES.customResourceDefinition, CRD), ['spec', 'conversion']);

describe('what somebody does to the registration of an installed Sluice is undone within 5 seconds', () => {
  test.each<[string, string[]]>([
    ['the mutating configuration is deleted', ['delete', 'mutatingwebhookconfiguration', 'zz-sluice-mutating']],
    [
      'both are deleted',
      [
        'delete',
        'mutatingwebhookconfiguration/zz-sluice-mutating',
        'validatingwebhookconfiguration/zz-sluice-validating',
      ],
    ],
    [
      'the conversion of the CRD is wiped',
      ['patch', 'crd', CRD.name, '--type=merge', '-p', '{"spec":{"conversion":{"strategy":"None","webhook":null}}}'],
    ],
  ])('%s', async (title, words) => {
    const [whole, converted] = [JSON.stringify(await webhooks()), JSON.stringify(await conversion())];
    succeeded(await kubectl(words));
    const start = performance.now();
    await until(
      'it to be back',
      async () => {
        const isBack = JSON.stringify(await webhooks()) === whole && JSON.stringify(await conversion()) === converted;
        return (
          isBack && (await kubectl(['get', 'validatingwebhookconfiguration', 'zz-sluice-validating'])).exitCode === 0
        );
      },
      5,
    );
    process.stderr.write(`${title}: back after ${since(start)} ms\n`);
  });

  test('a condition that kubectl edit makes never true', async () => {
    const whole = JSON.stringify(await webhooks());
    const env = { KUBE_EDITOR: `sed -i 's/object == null || !has(object.metadata.deletionTimestamp)/false/'` };
    const edit = await kubectl(['edit', 'mutatingwebhookconfiguration', MUTATING.name], { env });
    expect(succeeded(edit)).toContain('edited');
    const start = performance.now();
    await until('it to be as before', async () => JSON.stringify(await webhooks()) === whole, 5);
    process.stderr.write(`kubectl edit: undone after ${since(start)} ms\n`);
  });
});

describe('when the API server was restarted', () => {
  let restarts: number[] = [];
  let transitions = 0;
  const allPods = async () =>
    (
      await Promise.all((['webhook', 'controller'] as const).map((half) => podsOfHalf(server, sluice.namespace, half)))
    ).flat();

  beforeAll(async () => {
    await until('pods that are ready', async () => (await allPods()).every(({ isReady }) => isReady));
    restarts = (await allPods()).map((pod) => pod.restarts);
    transitions = await leaseTransitions(server, sluice.namespace);
    await server.restartApiServer();
  });

  test('admission works again at once', async () => {
    const start = performance.now();
    await until('a write to pass', () => admits(server, shop));
    process.stderr.write(`admitted ${since(start)} ms after the API server was ready\n`);
    succeeded(await applyTo(server, shop, edited(virtualService, virtualService.source)));
    expect(JSON.stringify((await live(server, virtualService, shop))['spec'])).toContain('"weight":80');
  });

  test('the controller sees what changes then', async () => {
    const start = performance.now();
    const { metadata: _, ...rest } = rollout({}, {});
    const strategy = { canary: { steps: [{ replicas: '50%' }, { replicas: '100%' }] } };
    const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'late' };
    await server.apply(shop.namespace, { ...rest, metadata: { name: 'late' }, spec: { workloadRef, strategy } });
    await becomes(server, shop.namespace, 'ResolvedRefs', 'False', 'WorkloadNotFound', 'late');
    process.stderr.write(`a new Rollout is judged ${since(start)} ms after it was made\n`);
    await server.apply(shop.namespace, renamed(deployment.source, 'late'));
    await until('the Deployment to be armed', async () => {
      const object = await client.get(RESOURCES.deployment, { namespace: shop.namespace, name: 'late' });
      return stringAt(object, 'metadata', 'annotations', 'directive.sluice.dev/late') !== undefined;
    });
  });

  test('the registration is looked after', async () => {
    succeeded(await kubectl(['delete', 'mutatingwebhookconfiguration', MUTATING.name]));
    const start = performance.now();
    await until('it to be back', async () => (await webhooks()) !== undefined, 5);
    process.stderr.write(`a deletion after the restart: back after ${since(start)} ms\n`);
  });

  test('no process was restarted, and the Lease went to another one at most once', async () => {
    expect((await allPods()).map((pod) => pod.restarts)).toEqual(restarts);
    expect((await leaseTransitions(server, sluice.namespace)) - transitions).toBeLessThanOrEqual(1);
  });
});
