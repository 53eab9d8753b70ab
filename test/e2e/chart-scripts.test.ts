import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, isList, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { PINNED_LABEL, readPinned } from '../../src/rollout/pinned-script.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';
import { type Installed, installSluice } from './installed.ts';
import { becomes, definition, deployment, rollout, service } from './rollout-controller.ts';

const server = cluster();
const { client, kubectl, apply } = server;
const GROUP = 'scripts.e2e.example.com';
const KEY = `lua.traffic.routing.Waf.${GROUP}`;
const GOOD = 'obj.data.spec.weight = obj.canaryWeight\nreturn obj.data';
const ROUTING = { customNetworkRefs: [{ apiVersion: `${GROUP}/v1`, kind: 'Waf', name: 'web' }] };
let sluice: Installed;
let shop = '';

beforeAll(async () => {
  sluice = await installSluice(server);
  shop = await server.namespace();
  await apply(shop, definition(GROUP, 'Waf'));
  succeeded(await kubectl(['wait', '--for=condition=Established', 'crd', `wafs.${GROUP}`]));
  await apply(sluice.namespace, scripts(GOOD));
  const waf = { apiVersion: `${GROUP}/v1`, kind: 'Waf', metadata: { name: 'web' }, spec: {} };
  await apply(shop, deployment(), service(), waf);
});
afterAll(async () => {
  await kubectl(['delete', 'configmap', 'kruise-rollout-configuration', '-n', sluice.namespace, '--ignore-not-found']);
  await sluice?.uninstall();
  await kubectl(['delete', 'crd', `wafs.${GROUP}`, '--ignore-not-found']);
  await kubectl(['delete', 'clusterrole', `sluice-gateways-wafs.${GROUP}`, '--ignore-not-found']);
});

const is = (type: string, status: string, reason: string) => becomes(server, shop, type, status, reason);

function scripts(text: string): JsonMap {
  const metadata = { name: 'kruise-rollout-configuration' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [KEY]: text } };
}

/** The rules of all entries that name the kind. */
async function rules(): Promise<Json[]> {
  const configuration = await client.get(RESOURCES.mutatingWebhookConfiguration, { name: 'zz-sluice-mutating' });
  const entries = at(configuration, ['webhooks']);
  const all = (isList(entries) ? entries : []).flatMap((entry) => at(entry, ['rules']) ?? []);
  return all.flat().filter((rule) => JSON.stringify(rule).includes(GROUP)) as Json[];
}

test('a kind that only a Rollout names: the condition prints the ClusterRole that is missing, and nothing is asked about its objects', async () => {
  await apply(shop, rollout(ROUTING));
  const message = await is('ResolvedRefs', 'False', 'MissingRights');
  expect(message).toContain(`the controller may not read wafs.${GROUP}`);
  expect(await rules()).toEqual([]);
});

test('with that ClusterRole, applied as it is printed, the kind has a rule; without the Rollout it has none', async () => {
  const message = await is('ResolvedRefs', 'False', 'MissingRights');
  const role = message.slice(message.indexOf('apiVersion: rbac'));
  succeeded(await kubectl(['apply', '-f', '-'], { stdin: role }));
  await is('Expressible', 'True', 'Expressible');
  const [rule] = await until('the rule', async () => (await rules()).length > 0 && rules());
  expect(rule).toEqual({
    apiGroups: [GROUP],
    apiVersions: ['v1'],
    resources: ['wafs'],
    operations: ['CREATE', 'UPDATE'],
    scope: 'Namespaced',
  });
  succeeded(await kubectl(['delete', 'rollout', 'web', '-n', shop]));
  await until('the rule to go', async () => (await rules()).length === 0);
});

test('a script in the ConfigMap that is broken is told by an Event and a condition; the last good text stays in use', async () => {
  await apply(shop, rollout(ROUTING));
  await is('Expressible', 'True', 'Expressible');
  await apply(sluice.namespace, scripts(`${GOOD}\nlocal = 1`));
  const message = await is('ScriptsReady', 'False', 'ScriptBroken');
  expect(message).toContain(`${GROUP}/Waf:3:`);
  expect(message).toContain('stays in use');
  await is('Expressible', 'True', 'Expressible');

  const words = ['get', 'events', '-n', sluice.namespace, '--field-selector', 'reason=ScriptBroken', '-o', 'json'];
  const event = await until('the Event', async () => {
    const { items } = JSON.parse(succeeded(await kubectl(words)));
    return (items as JsonMap[]).find((item) => (stringAt(item, 'message') ?? '').includes(`${GROUP}/Waf:3:`));
  });
  expect([stringAt(event, 'type'), stringAt(event, 'involvedObject', 'kind')]).toEqual(['Warning', 'ConfigMap']);
  expect(stringAt(event, 'involvedObject', 'name')).toBe('kruise-rollout-configuration');

  const selection = { namespace: sluice.namespace, labelSelector: `${PINNED_LABEL}=true` };
  const { items } = await client.list(RESOURCES.configMap, selection);
  const texts = items.map((item) => readPinned(item)).filter(({ name }) => name === `${GROUP}/Waf`);
  expect(texts.map(({ text }) => text)).toEqual([GOOD]);
});
