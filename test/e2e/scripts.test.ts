import { afterAll, beforeAll, expect, test } from 'vitest';
import { isMap, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { loadLibrary } from '../../src/lua/library.ts';
import { PINNED_LABEL, pinnedName, readPinned } from '../../src/rollout/pinned-script.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';
import {
  atRest,
  becomes,
  controllerIn,
  deployment,
  ingress,
  type Running,
  rollout,
  service,
} from './rollout-controller.ts';

const here = cluster();
const { client, kubectl, apply, namespace: newNamespace } = here;
const KEY = 'lua.traffic.routing.ingress.nginx';
const GOOD = 'local all = obj.annotations or {}\nall["example.com/weight"] = obj.weight\nreturn all';
const SETTINGS = { scriptGraceMilliseconds: 1_000 };

let start: Awaited<ReturnType<typeof controllerIn>>;
let running: Running;
let [shop, home] = ['', ''];

beforeAll(async () => {
  [shop, home] = [await newNamespace(), await newNamespace()];
  start = await controllerIn(here, home);
  running = start({ settings: SETTINGS });
  await apply(shop, deployment(), service(), ingress(), rollout());
  await is('Expressible', 'True', 'Expressible');
});

afterAll(() => running?.close());

const is = (type: string, status: string, reason: string) => becomes(here, shop, type, status, reason);

function scripts(text: string): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kruise-rollout-configuration' },
    data: { [KEY]: text },
  };
}

async function pinned(): Promise<string[]> {
  const { items } = await client.list(RESOURCES.configMap, { namespace: home, labelSelector: `${PINNED_LABEL}=true` });
  return items.map((item) => readPinned(item).text);
}

test('the shipped script that a Rollout uses is pinned, immutable, and is what its name says', async () => {
  const shipped = loadLibrary().scripts.get('ingress/nginx');
  const configMap = await client.get(RESOURCES.configMap, { namespace: home, name: pinnedName(shipped?.hash ?? '') });
  expect(configMap['immutable']).toBe(true);
  expect(readPinned(configMap)).toEqual(shipped);
});

test('a script of the user takes its place; the shipped one goes after its grace', async () => {
  await apply(home, scripts(GOOD));
  await until("the user's script to be the only one that is pinned", async () => {
    const texts = await pinned();
    return texts.length === 1 && texts[0] === GOOD;
  });
  await is('Expressible', 'True', 'Expressible');
});

test('a text that does not compile leaves the last good one in use, with script and line in condition and Event', async () => {
  await apply(home, scripts(`${GOOD}\nlocal = 1`));
  const message = await is('ScriptsReady', 'False', 'ScriptBroken');
  expect(message).toContain('ingress/nginx:4:');
  expect(message).toContain('stays in use');
  await is('Expressible', 'True', 'Expressible');
  expect(await pinned()).toEqual([GOOD]);
  await until('the Event', () => running.events.some((event) => event.startsWith('Warning ScriptBroken ConfigMap')));
});

test('after a restart the last good text is found again, and nothing is written', async () => {
  await atRest(running);
  await running.close();
  running = start({ settings: SETTINGS });
  await atRest(running);
  expect([running.writes, running.events]).toEqual([[], []]);
  expect(await is('ScriptsReady', 'False', 'ScriptBroken')).toContain('stays in use');
  expect(await pinned()).toEqual([GOOD]);
});

test('a script that fails in a step is told with step, object, script and line', async () => {
  await apply(home, scripts('local weight = obj.weight\nerror("cannot say " .. weight)'));
  await is('ScriptsReady', 'True', 'ScriptsReady');
  const message = await is('Expressible', 'False', 'StepFails');
  expect(message).toContain(`spec.strategy.canary.steps[0]: Ingress ${shop}/web: `);
  expect(message).toContain('ingress/nginx:2:');
  expect(message).toContain('cannot say 20');
});

test('a script that never ends is stopped, and told', async () => {
  await apply(home, scripts('while true do end'));
  await until('the condition to name it', async () =>
    (await is('Expressible', 'False', 'StepFails')).includes('ingress/nginx:1:'),
  );
});

test('a pinned script that somebody replaces by another text is never believed, and put back', async () => {
  await apply(home, scripts(GOOD));
  await is('Expressible', 'True', 'Expressible');
  const before = (await client.list(RESOURCES.configMap, { namespace: home, labelSelector: `${PINNED_LABEL}=true` }))
    .items;
  const good = before.find((item) => readPinned(item).text === GOOD);
  const name = stringAt(good, 'metadata', 'name') ?? '';
  const data = member(good, 'data');
  const forged = { ...(isMap(data) ? data : {}), text: 'return {}' };
  const metadata = { name, labels: { [PINNED_LABEL]: 'true' } };
  succeeded(await kubectl(['delete', 'configmap', name, '-n', home]));
  const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: forged });
  await kubectl(['create', '-n', home, '-f', '-'], { stdin }); // the controller may be faster
  await until('the good text to be back', async () => (await pinned()).includes(GOOD));
});
