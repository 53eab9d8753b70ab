import { expect, test, vi } from 'vitest';
import { type JsonMap, stringAt } from '../json/value.ts';
import { RESOURCES } from '../kube/resource.ts';
import { ScriptError } from '../lua/script.ts';
import { readPinned } from '../rollout/pinned-script.ts';
import type { TestCluster } from './cluster.testing.ts';
import { rolloutObject } from './rollouts.testing.ts';
import { becomes, inThisThread, NAMESPACE, named, settled, start, whole } from './running.testing.ts';

const USER_KEY = 'lua.traffic.routing.ingress.nginx';
const GOOD = 'local all = obj.annotations or {}\nall["example.com/weight"] = obj.weight\nreturn all';
const ofUser = (text: string): JsonMap => ({
  metadata: { namespace: NAMESPACE, name: 'kruise-rollout-configuration' },
  data: { [USER_KEY]: text },
});
const routed = { service: 'web', ingress: { classType: 'nginx', name: 'web' } };
const strategy = { canary: { steps: [{ traffic: '20%' }], trafficRoutings: [routed] } };

function ingress(): JsonMap {
  const rule = { http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web' } } }] } };
  return { ...named('web'), spec: { rules: [rule] } };
}

/** A Rollout that uses a script of the user, whose text has become broken. */
async function withBrokenText() {
  const cluster = whole();
  cluster.put(RESOURCES.ingress, ingress());
  cluster.put(RESOURCES.rollout, rolloutObject({ spec: { strategy } }));
  cluster.put(RESOURCES.configMap, ofUser(GOOD));
  const { controller } = start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  const texts = () =>
    [...cluster.objects.values()].flatMap((object) => {
      const isPinned = stringAt(object, 'metadata', 'labels', 'sluice.dev/script') === 'true';
      return isPinned ? readPinned(object).text : [];
    });
  expect(texts()).toEqual([GOOD]);
  cluster.put(RESOURCES.configMap, ofUser('local = 1'));
  expect(await becomes(cluster, 'ScriptsReady', 'False', 'ScriptBroken')).toContain('stays in use');
  await settled(controller, cluster);
  return { cluster, controller, texts };
}

test.each<[string, (cluster: TestCluster) => void]>([
  [
    'its pin is deleted',
    (cluster) => {
      const pin = [...cluster.objects.values()].find((object) => stringAt(object, 'data', 'text') === GOOD);
      cluster.remove(RESOURCES.configMap, { namespace: NAMESPACE, name: stringAt(pin, 'metadata', 'name') ?? '' });
    },
  ],
  [
    'the ConfigMap is deleted and made again, broken still',
    (cluster) => {
      cluster.remove(RESOURCES.configMap, { namespace: NAMESPACE, name: 'kruise-rollout-configuration' });
      setTimeout(() => cluster.put(RESOURCES.configMap, ofUser('local = 2')), 100);
    },
  ],
  [
    'the record of it is deleted, and the text changes',
    (cluster) => {
      cluster.remove(RESOURCES.configMap, { namespace: NAMESPACE, name: 'sluice-script-record' });
      cluster.put(RESOURCES.configMap, ofUser('local = 3'));
    },
  ],
])('the last good text of a broken script stays in use when %s', async (_, damage) => {
  const { cluster, controller, texts } = await withBrokenText();
  damage(cluster);
  const changed = cluster.writes.length;
  await vi.waitFor(() => expect(cluster.writes.length).toBeGreaterThan(changed), 5_000);
  await settled(controller, cluster);
  expect(await becomes(cluster, 'ScriptsReady', 'False', 'ScriptBroken')).toContain('stays in use');
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  expect(texts()).toContain(GOOD);
});

test('a text that only took too long to compile is told as such, keeps nobody else waiting, and is tried again', async () => {
  const cluster = whole();
  cluster.put(RESOURCES.ingress, ingress());
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { name: 'other', uid: 'other' }, spec: { strategy } }));
  cluster.put(RESOURCES.configMap, ofUser(GOOD));
  let isBusy = true;
  const busy = {
    run: (job: string, input: string) =>
      job === 'compile' && isBusy
        ? Promise.reject(new ScriptError('ingress/nginx', 1, 'time', 'stopped after 700 ms'))
        : inThisThread.run(job, input),
  };
  const { events } = start(cluster, {}, undefined, busy);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  const message = await becomes(cluster, 'ScriptsReady', 'False', 'ScriptBroken', 'other');
  expect(message).toContain('stopped after 700 ms; it is tried again');
  isBusy = false;
  cluster.put(RESOURCES.configMap, ofUser(GOOD));
  await becomes(cluster, 'ScriptsReady', 'True', 'ScriptsReady', 'other');
  expect(events.filter((event) => event.includes('ConfigMap'))).toEqual([]);
});

test('the record of good texts that somebody deletes is written again, though no text changes', async () => {
  const { cluster } = await withBrokenText();
  const name = { namespace: NAMESPACE, name: 'sluice-script-record' };
  const { data } = await cluster.get(RESOURCES.configMap, name);
  cluster.remove(RESOURCES.configMap, name);
  cluster.put(RESOURCES.configMap, ofUser('local = 1')); // the same text: any look at the scripts will do
  await vi.waitFor(async () => expect((await cluster.get(RESOURCES.configMap, name))['data']).toEqual(data), 5_000);
});
