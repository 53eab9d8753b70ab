import { afterAll, beforeAll, expect, test } from 'vitest';
import { ANNOTATIONS } from '../../../src/api/names.ts';
import { at, isList, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { directiveKey } from '../../../src/rewrite/directive.ts';
import { decodeOriginal } from '../../../src/rewrite/original.ts';
import { CHART } from '../../chart/rendered.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { virtualService } from '../drift/objects.ts';
import { type Installed, installSluice } from '../installed.ts';
import type { Shop } from '../release/shop.ts';
import { scale } from './processes.ts';
import { admits, applyTo, GATEWAYS, live, nameIn, openShop } from './shop.ts';

const server = cluster();
const { kubectl, client, helm } = server;
/** The source of the user after both edits. */
const SOURCE = virtualService.edits.slice(0, 2).reduce((object, edit) => edit.apply(object), virtualService.source);
let sluice: Installed;
let shop: Shop;

beforeAll(async () => {
  sluice = await installSluice(server, GATEWAYS);
  shop = await openShop(server);
});
afterAll(async () => {
  await sluice?.uninstall();
});

async function policies(): Promise<unknown[]> {
  const configuration = await client.get(RESOURCES.mutatingWebhookConfiguration, { name: 'zz-sluice-mutating' });
  const webhooks = at(configuration, ['webhooks']);
  return (isList(webhooks) ? webhooks : []).map((entry) => stringAt(entry, 'failurePolicy'));
}

const spec = async () => JSON.stringify((await live(server, virtualService, shop))['spec']);

test('the policy Ignore reaches the configuration', async () => {
  const set = ['gateways', 'workloads'].flatMap((entry) => ['--set', `failurePolicy.${entry}=Ignore`]);
  const words = ['upgrade', 'sluice', CHART, '--namespace', sluice.namespace, '--wait', '--timeout=90s'];
  succeeded(await helm([...words, ...set]));
  await until('the policy', async () => (await policies()).every((policy) => policy === 'Ignore'));
});

test('with all pods gone an edit in a release passes then', async () => {
  await scale(server, sluice.namespace, 0);
  const rules = [{ op: 'add', path: '/spec/http/1/timeout', value: '5s' }];
  await until('the endpoints to go', async () => {
    const slices = await client.list(RESOURCES.endpointSlice, { namespace: sluice.namespace });
    return slices.items.every((slice) => !JSON.stringify(slice).includes('"ready":true'));
  });
  await client.patch(virtualService.resource, nameIn(shop), 'json', rules, { fieldManager: 'kubectl-edit' });
  expect(await spec()).toContain('"timeout":"5s"');
});

/** What a write makes of it, without the controller, which would not wait for one. */
async function webhookAlone(): Promise<void> {
  await scale(server, sluice.namespace, 2, ['webhook']);
  await until('Sluice to admit', () => admits(server, shop));
}

test('the next write after the recovery counts it as the edit that it was', async () => {
  await webhookAlone();
  succeeded(await kubectl(['label', 'virtualservice', 'web', '-n', shop.namespace, 'tier=front']));
  await until('the original to hold it', async () => {
    const object = await live(server, virtualService, shop);
    const text = stringAt(object, 'metadata', 'annotations', ANNOTATIONS.original) ?? '';
    return JSON.stringify(decodeOriginal(text).declared).includes('"timeout":"5s"');
  });
  expect(await spec()).toContain('"weight":80');
});

/** The user's apply, which takes the traffic back to what the source says. */
async function applyBypassed(): Promise<void> {
  await scale(server, sluice.namespace, 0);
  await until('an apply to pass', async () => (await applyTo(server, shop, SOURCE)).exitCode === 0);
  expect(await spec()).not.toContain('weight');
}

test('an apply while bypassed takes the traffic back to what the source says; the next write steers it again', async () => {
  await applyBypassed();
  await webhookAlone();
  succeeded(await kubectl(['label', 'virtualservice', 'web', '-n', shop.namespace, 'tier=back', '--overwrite']));
  expect(await spec()).toContain('"weight":80');
  expect(await spec()).toContain('"attempts":3');
});

test('with the controller back, too, nobody has to write: traffic is steered, and what a status took off is armed', async () => {
  const name = { namespace: shop.namespace, name: 'armed' };
  const key = directiveKey('armed');
  const directive = async () => at(await client.get(RESOURCES.deployment, name), ['metadata', 'annotations', key]);
  const armed = await directive();
  await applyBypassed();
  const patch = { metadata: { annotations: { [key]: null } } };
  await client.patch(RESOURCES.deployment, name, 'merge', patch, { subresource: 'status' });
  expect(await directive(), 'nobody was asked').toBeUndefined();
  await scale(server, sluice.namespace, 2);
  expect(await until('the Deployment to be armed again', directive)).toEqual(armed);
  await until('the traffic to be steered again', async () => (await spec()).includes('"weight":80'));
  expect(await spec()).toContain('"attempts":3');
});

test('the end of the release gives what the source says', async () => {
  await shop.release('v1');
  await shop.ends('Rollback', 60);
  expect((await live(server, virtualService, shop))['spec']).toEqual(SOURCE['spec']);
});
