import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../../../src/api/names.ts';
import { gatewayClusterRole } from '../../../src/controller/rights.ts';
import { canonicalJson, parseJson } from '../../../src/json/text.ts';
import { at, isMap, type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import type { Script } from '../../../src/lua/script.ts';
import type { Action } from '../../../src/rewrite/directive.ts';
import { decodeOriginal, isCompressed } from '../../../src/rewrite/original.ts';
import { PINNED_LABEL, readPinned } from '../../../src/rollout/pinned-script.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { definition, deployment, rollout, service } from '../rollout-controller.ts';
import { directivePatch } from './steering.ts';
import { ownAnnotations } from './view.ts';

const server = cluster();
const GROUP = 'exact.e2e.example.com';
const THING = { group: GROUP, version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
/** Touches every value, changes some, adds keys and elements. */
const SCRIPT = `local function walk(value)
  if type(value) ~= "table" then return end
  for _, inner in pairs(value) do walk(inner) end
end
walk(obj.data)
obj.data.spec.items[#obj.data.spec.items + 1] = { canary = obj.canaryService, weight = obj.canaryWeight }
obj.data.spec.emptyMap.canary = obj.canaryWeight
obj.data.spec.emptyList[1] = obj.canaryService
obj.data.spec.nothing = "something"
obj.data.labels = { canary = "yes" }
return obj.data`;

let sluice: Installed;
let script: Script;

beforeAll(async () => {
  succeeded(await server.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(definition(GROUP, 'Thing')) }));
  sluice = await installSluice(server);
  succeeded(await server.kubectl(['apply', '-f', '-'], { stdin: gatewayClusterRole(THING) }));
  await server.apply(sluice.namespace, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kruise-rollout-configuration' },
    data: { [`lua.traffic.routing.Thing.${GROUP}`]: SCRIPT },
  });
  const namespace = await server.namespace();
  const routing = { customNetworkRefs: [{ apiVersion: `${GROUP}/v1`, kind: 'Thing', name: 'web' }] };
  const named = { apiVersion: `${GROUP}/v1`, kind: 'Thing', metadata: { name: 'web' }, spec: { items: [] } };
  await until('the kind Thing', async () => (await server.client.list(THING, { namespace })).items.length === 0);
  await server.apply(namespace, named, deployment(), service(), rollout(routing));
  await until('the webhook to have a rule for Things', async () => {
    const configuration = { name: 'zz-sluice-mutating' };
    const { webhooks = [] } = await server.client.get(RESOURCES.mutatingWebhookConfiguration, configuration);
    return JSON.stringify(webhooks).includes('"things"');
  });
  script = await until('the script to be pinned', async () => {
    const selection = { namespace: sluice.namespace, labelSelector: `${PINNED_LABEL}=true` };
    const { items } = await server.client.list(RESOURCES.configMap, selection);
    return items.map(readPinned).find(({ text }) => text === SCRIPT);
  });
  await until('Things to be admitted by Sluice', async () => {
    const annotations = { 'directive.sluice.dev/probe': '{}' };
    const probe = { ...named, metadata: { name: 'probe', namespace, annotations } };
    return Object.keys(ownAnnotations(await server.client.create(THING, probe, { dryRun: true }))).length === 0;
  });
  await sluice.rest();
});

afterAll(async () => {
  await server.kubectl(['delete', 'rollout', '--all', '--all-namespaces']);
  await server.kubectl(['delete', 'configmap', 'kruise-rollout-configuration', '-n', sluice?.namespace ?? '']);
  await sluice?.uninstall();
  await server.kubectl(['delete', 'clusterrole', `sluice-gateways-things.${GROUP}`, '--ignore-not-found']);
  await server.kubectl(['delete', 'crd', `things.${GROUP}`, '--ignore-not-found', '--wait=false']);
});

/** As it is written: a literal of JavaScript would lose digits. */
const VALUES = `{
  "emptyMap": {}, "emptyList": [], "nothing": null, "emptyText": "", "no": false, "zero": 0,
  "list": [{}, [], null, [null, [{}]], {"a": {"b": []}}, 9007199254740993],
  "items": [{"kept": [], "number": 9007199254740993}],
  "beyondDoubles": 9007199254740993, "largest": 9223372036854775807, "smallest": -9223372036854775808,
  "fraction": 0.1, "small": 1e-7, "large": 1e+300, "seventeenDigits": 0.30000000000000004,
  "text": "ü😀 \\u2028\\u0007\\"\\\\ \\t%1$s --[[ ]] <&>", "__proto__": {"constructor": null}, "1": "a key of digits",
  "a.b/c~d": "ключ", "multiline": "a\\n  b\\n\\n"
}`;

function thing(namespace: string, spec: Json): JsonMap {
  const annotations = { 'example.com/empty': '', 'example.com/text': 'ü😀 "{}"' };
  const metadata = { name: 'web', namespace, annotations };
  return { apiVersion: `${GROUP}/v1`, kind: 'Thing', metadata, spec };
}

/** Text that does not compress well, the same in every run. */
function noise(characters: number): string {
  let state = 1;
  return Array.from({ length: characters }, () => {
    state = (state * 48271) % 2147483647;
    return String.fromCharCode(33 + (state % 90));
  }).join('');
}

const cases = [
  { what: 'small values of every sort', extra: {}, compressed: false },
  { what: 'the same with an original above 32 KiB', extra: { noise: noise(40_000) }, compressed: true },
  { what: 'the same in an object above 64 KiB', extra: { noise: noise(80_000) }, compressed: true },
];

describe.each(cases)('$what', ({ extra, compressed }) => {
  test('the API server stores them as they are, and a release with an edit gives them back digit by digit', async () => {
    const namespace = await server.namespace();
    const name = { namespace, name: 'web' };
    const spec = { ...(parseJson(VALUES) as JsonMap), ...extra };
    const created = await server.client.create(THING, thing(namespace, spec));
    expect(canonicalJson(created['spec'] ?? null)).toBe(canonicalJson(spec));

    for (const [index, weight] of [20, 50].entries()) {
      const patch = directivePatch(namespace, index + 1, action(weight));
      const live = await sluice.controller.patch(THING, name, 'merge', patch, { fieldManager: 'sluice-controller' });
      expect(at(live, ['spec', 'emptyMap', 'canary'])).toBe(weight);
      expect(at(live, ['spec', 'items', 1])).toEqual({ canary: 'web-canary', weight });
      expect(canonicalJson(at(live, ['spec', 'items', 0]) ?? null)).toBe('{"kept":[],"number":9007199254740993}');
      const text = stringAt(live, 'metadata', 'annotations', ANNOTATIONS.original) ?? '';
      expect(isCompressed(text)).toBe(compressed);
      expect(canonicalJson(decodeOriginal(text).declared.spec ?? null)).toBe(canonicalJson(spec));
    }
    const edit = { spec: { edited: [parseJson('9007199254740995'), null, {}] } };
    await server.client.patch(THING, name, 'merge', edit);

    const end = directivePatch(namespace, 3, undefined);
    const restored = await sluice.controller.patch(THING, name, 'merge', end, { fieldManager: 'sluice-controller' });
    expect(canonicalJson(plain(restored))).toBe(
      canonicalJson(plain({ ...created, spec: { ...spec, edited: edit.spec.edited } })),
    );
  });
});

function action(weight: number): Action {
  return {
    type: 'gateway',
    contract: 'custom',
    script: { name: script.name, hash: script.hash },
    routes: [{ stableService: 'web', canaryService: 'web-canary' }],
    weight,
  };
}

/** What an object is for its user. */
function plain({ spec = null, metadata }: JsonMap): Json {
  const { labels = null, annotations = null } = isMap(metadata) ? metadata : {};
  return { spec, labels, annotations };
}
