import { expect, test, vi } from 'vitest';
import { ANNOTATIONS } from '../api/names.ts';
import { type JsonMap, stringAt } from '../json/value.ts';
import { ApiError } from '../kube/api-error.ts';
import { RESOURCES } from '../kube/resource.ts';
import { virtualClock } from '../kube/virtual-clock.testing.ts';
import { directiveKey, encodeDirective, FORMAT } from '../rewrite/directive.ts';
import { encodeOriginal } from '../rewrite/original.ts';
import { ownMarks } from '../rollout/made-for.ts';
import { readPinned } from '../rollout/pinned-script.ts';
import { TestCluster, VIRTUAL_SERVICE } from './cluster.testing.ts';
import { rolloutObject } from './rollouts.testing.ts';
import {
  armed,
  becomes,
  condition,
  deployment,
  KEY,
  library,
  NAMESPACE,
  named,
  settled,
  start,
  virtualService,
  whole,
} from './running.testing.ts';

test('a Rollout whose objects are all there is ready, its workload armed, its script pinned', async () => {
  const cluster = whole();
  start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  for (const type of ['Accepted', 'ResolvedRefs', 'ScriptsReady']) await becomes(cluster, type, 'True', type);
  const rollout = await cluster.get(RESOURCES.rollout, { namespace: 'shop', name: 'web' });
  expect(rollout['status']).toMatchObject({
    phase: 'Healthy',
    observedGeneration: 1,
    currentStepIndex: 2,
    currentStepState: 'Completed',
  });
  expect(JSON.parse((await armed(cluster)) ?? '{}')).toEqual({
    format: FORMAT,
    rollout: { namespace: 'shop', name: 'web', uid: 'rollout-uid' },
    revision: '',
    step: 0,
    continues: false,
    action: { type: 'armed', style: 'partition' },
  });
  expect(stringAt(await deployment(cluster), 'metadata', 'labels', 'rollouts.kruise.io/workload-type')).toBe(
    'deployment',
  );
  const script = library.scripts.get('networking.istio.io/VirtualService');
  const pinned = await cluster.get(RESOURCES.configMap, {
    namespace: NAMESPACE,
    name: `sluice-script-${script?.hash}`,
  });
  expect(readPinned(pinned)).toEqual(script);
});

test('a controller that starts on what another left writes nothing', async () => {
  const cluster = whole();
  const first = start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  await settled(first.controller, cluster);
  await first.controller.close();
  cluster.writes.length = 0;
  const second = start(cluster);
  await second.controller.ready;
  await settled(second.controller, cluster);
  expect(cluster.writes).toEqual([]);
  expect(second.events).toEqual([]);
});

test.each([
  [
    'workload',
    RESOURCES.deployment,
    named('web'),
    'WorkloadNotFound',
    'spec.workloadRef: there is no Deployment web in namespace shop',
  ],
  [
    'Service',
    RESOURCES.service,
    named('web'),
    'ServiceNotFound',
    'spec.strategy.canary.trafficRoutings[0].service: there is no Service web',
  ],
  [
    'gateway object',
    VIRTUAL_SERVICE,
    virtualService(),
    'ObjectNotFound',
    'spec.strategy.canary.trafficRoutings[0].customNetworkRefs[0]: there is no VirtualService web',
  ],
])(
  'a missing %s is told with the field that names it, and forgotten when it appears',
  async (_, resource, object, reason, message) => {
    const cluster = whole();
    cluster.remove(resource, { namespace: 'shop', name: 'web' });
    const { events } = start(cluster);
    expect(await becomes(cluster, 'ResolvedRefs', 'False', reason)).toContain(message);
    await becomes(cluster, 'Expressible', 'Unknown', 'Waiting');
    expect(events.join()).toContain(`Warning ${reason} Rollout/web`);
    cluster.put(resource, object);
    await becomes(cluster, 'ResolvedRefs', 'True', 'ResolvedRefs');
    await becomes(cluster, 'Expressible', 'True', 'Expressible');
    await vi.waitFor(async () => expect(await armed(cluster)).toBeDefined());
    const { phase } = (await cluster.get(RESOURCES.rollout, { namespace: 'shop', name: 'web' }))['status'] as JsonMap;
    expect(phase).toBe('Healthy');
  },
);

test('a kind that is not served is told, and found when it is installed', async () => {
  const cluster = whole();
  cluster.kinds.delete('networking.istio.io/VirtualService');
  start(cluster);
  expect(await becomes(cluster, 'ResolvedRefs', 'False', 'KindNotServed')).toContain(
    'VirtualService of networking.istio.io',
  );
  cluster.install(VIRTUAL_SERVICE);
  await becomes(cluster, 'ResolvedRefs', 'True', 'ResolvedRefs');
});

test('for a kind without rights the ClusterRole to apply is printed; the right is noticed when it is given', async () => {
  const cluster = whole();
  cluster.forbidden.add('VirtualService');
  start(cluster);
  const message = await becomes(cluster, 'ResolvedRefs', 'False', 'MissingRights');
  expect(message).toContain('sluice.dev/aggregate-to-controller: "true"');
  expect(message).toContain('resources: ["virtualservices"]');
  cluster.forbidden.clear();
  await becomes(cluster, 'ResolvedRefs', 'True', 'ResolvedRefs');
});

test('a VirtualService that never leads to the stable Service is no object to steer traffic with', async () => {
  const cluster = whole();
  cluster.put(VIRTUAL_SERVICE, virtualService('other'));
  start(cluster);
  const message = await becomes(cluster, 'Expressible', 'False', 'StepFails');
  expect(message).toContain('spec.strategy.canary.steps[0]: ');
  expect(message).toContain('VirtualService shop/web');
  cluster.put(VIRTUAL_SERVICE, virtualService('web'));
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
});

const SCRIPT_MAP = { namespace: NAMESPACE, name: 'kruise-rollout-configuration' };
const VS_KEY = 'lua.traffic.routing.VirtualService.networking.istio.io';
const scripts = (text: string, override = 'true'): JsonMap => ({
  metadata: { ...SCRIPT_MAP, uid: 'scripts', annotations: { 'sluice.dev/override': override } },
  data: { [VS_KEY]: text },
});
const GOOD = 'obj.data.labels = { step = "on" }\nreturn obj.data';

test('a script that breaks leaves its last good text in use, also after a restart; people are told once', async () => {
  const cluster = whole();
  cluster.put(RESOURCES.configMap, scripts(GOOD));
  const first = start(cluster);
  await becomes(cluster, 'ScriptsReady', 'True', 'ScriptsReady');
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  cluster.put(RESOURCES.configMap, scripts('local x =\nreturn obj.data'));
  const message = await becomes(cluster, 'ScriptsReady', 'False', 'ScriptBroken');
  expect(message).toContain('networking.istio.io/VirtualService:2:');
  expect(message).toMatch(/last good text \([0-9a-f]{32}\) stays in use/);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  await settled(first.controller, cluster);
  expect(first.events.filter((event) => event.includes('ScriptBroken ConfigMap'))).toHaveLength(1);
  await first.controller.close();
  cluster.writes.length = 0;
  const second = start(cluster);
  await second.controller.ready;
  await settled(second.controller, cluster);
  expect([cluster.writes, second.events]).toEqual([[], []]);
  cluster.put(RESOURCES.configMap, scripts(`${GOOD} -- mended`));
  await becomes(cluster, 'ScriptsReady', 'True', 'ScriptsReady');
});

test('a script that was broken from the start is told as such, and one that is nowhere, too', async () => {
  const cluster = whole();
  cluster.put(RESOURCES.configMap, scripts('return ('));
  start(cluster);
  expect(await becomes(cluster, 'ScriptsReady', 'False', 'ScriptBroken')).toContain('there is no earlier text');
  await becomes(cluster, 'Expressible', 'Unknown', 'Waiting');
  const other = { ...VIRTUAL_SERVICE, group: 'example.com', kind: 'Waf', plural: 'wafs' };
  cluster.install(other);
  cluster.put(other, virtualService());
  const routing = { service: 'web', customNetworkRefs: [{ apiVersion: 'example.com/v1', kind: 'Waf', name: 'web' }] };
  const strategy = { canary: { steps: [{ traffic: '20%' }], trafficRoutings: [routing] } };
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { generation: 2 }, spec: { strategy } }));
  const message = await becomes(cluster, 'ScriptsReady', 'False', 'ScriptNotFound');
  expect(message).toContain('lua.traffic.routing.Waf.example.com');
});

test('a script of the user that a shipped one hides is told once, also over restarts', async () => {
  const cluster = whole();
  cluster.put(RESOURCES.configMap, scripts(GOOD, 'false'));
  const first = start(cluster);
  await vi.waitFor(() => expect(first.events.join()).toContain('ScriptShadowed ConfigMap'));
  await settled(first.controller, cluster);
  await first.controller.close();
  const second = start(cluster);
  await second.controller.ready;
  await settled(second.controller, cluster);
  expect(first.events.filter((event) => event.includes('ScriptShadowed'))).toHaveLength(1);
  expect(second.events).toEqual([]);
});

test('a workload is disarmed when its Rollout is disabled, names another, or is deleted', async () => {
  const cluster = whole();
  start(cluster);
  const isArmed = (wanted: boolean) =>
    vi.waitFor(async () => expect((await armed(cluster)) !== undefined).toBe(wanted), 5_000);
  await isArmed(true);
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { generation: 2 }, spec: { disabled: true } }));
  await isArmed(false);
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { generation: 3 } }));
  await isArmed(true);
  cluster.put(RESOURCES.deployment, named('other'));
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'other' };
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { generation: 4 }, spec: { workloadRef } }));
  await isArmed(false);
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { generation: 5 } }));
  await isArmed(true);
  cluster.remove(RESOURCES.rollout, { namespace: 'shop', name: 'web' });
  await isArmed(false);
});

test('a Rollout that was deleted while the controller was down leaves no armed workload; an active directive stays', async () => {
  const cluster = new TestCluster();
  const directive = (name: string, type: 'armed' | 'workload') =>
    encodeDirective({
      format: FORMAT,
      rollout: { namespace: 'shop', name, uid: 'gone' },
      revision: '',
      step: 0,
      continues: false,
      action: { style: 'partition', ...(type === 'armed' ? { type } : { type, stable: 'before', paused: true }) },
    });
  const annotations = { [KEY]: directive('web', 'armed'), [directiveKey('running')]: directive('running', 'workload') };
  cluster.put(RESOURCES.deployment, { metadata: { namespace: 'shop', name: 'web', annotations } });
  const { events } = start(cluster);
  await vi.waitFor(async () => expect(await armed(cluster)).toBeUndefined());
  await vi.waitFor(() => expect(events.join()).toContain('RolloutGone Deployment/web: Rollout shop/running'));
  expect(stringAt(await deployment(cluster), 'metadata', 'annotations', directiveKey('running'))).toBe(
    directive('running', 'workload'),
  );
});

test('an armed directive is never written over an active one, nor over that of another Rollout', async () => {
  const cluster = whole();
  const active = encodeDirective({
    format: FORMAT,
    rollout: { namespace: 'shop', name: 'web', uid: 'rollout-uid' },
    revision: 'r',
    step: 1,
    continues: false,
    action: { type: 'workload', style: 'partition', stable: 'before', paused: true },
  });
  const annotations = {
    [KEY]: active,
    [ANNOTATIONS.original]: encodeOriginal({ spec: {} }, 'apps/v1'),
    [ANNOTATIONS.inProgressing]: '{"rolloutName":"web"}',
  };
  cluster.put(RESOURCES.deployment, {
    metadata: { namespace: 'shop', name: 'web', annotations },
    spec: { paused: true },
  });
  cluster.put(
    RESOURCES.rollout,
    rolloutObject({ metadata: { name: 'late', uid: 'late', creationTimestamp: '2026-02-01T00:00:00Z' } }),
  );
  start(cluster);
  expect(await becomes(cluster, 'Accepted', 'False', 'WorkloadTaken', 'late')).toContain('Rollout shop/web');
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  expect(await armed(cluster)).toContain('"type":"workload"');
  expect(stringAt(await deployment(cluster), 'metadata', 'annotations', directiveKey('late'))).toBeUndefined();
});

test('with a conflict on every second write everything still comes to its end', async () => {
  const cluster = whole();
  let count = 0;
  cluster.onWrite = (what) => {
    if (what.startsWith('patch') && count++ % 2 === 0) throw new ApiError(409, 'Conflict', 'somebody was faster');
  };
  start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  await vi.waitFor(async () => expect(await armed(cluster)).toBeDefined());
});

test('an error that lasts is told in the status, and told to be over', async () => {
  const cluster = whole();
  let isDown = true;
  cluster.onWrite = (what) => {
    if (isDown && what.startsWith('patch Deployment')) throw new ApiError(503, '', 'the webhook does not answer');
  };
  start(cluster, { visibleAfterMilliseconds: 300 });
  expect(await becomes(cluster, 'Reconciled', 'False', 'Retrying')).toContain('the webhook does not answer');
  isDown = false;
  await becomes(cluster, 'Reconciled', 'True', 'Reconciled');
});

test('an error whose words differ each time is told once a minute, and tried again with growing waits', async () => {
  const cluster = whole();
  let attempts = 0;
  cluster.onWrite = (what) => {
    if (what.startsWith('patch Deployment')) throw new ApiError(503, '', `read tcp from port ${++attempts}`);
  };
  const { controller } = start(cluster, { visibleAfterMilliseconds: 0 });
  await becomes(cluster, 'Reconciled', 'False', 'Retrying');
  await settled(controller, cluster);
  const [before, writes] = [attempts, cluster.writes.length];
  await vi.waitFor(() => expect(attempts).toBeGreaterThan(before), 10_000);
  await settled(controller, cluster);
  expect(attempts - before).toBeLessThan(5);
  expect(cluster.writes).toHaveLength(writes);
});

test('no Rollout is worked on before it is known which scripts there are', async () => {
  const cluster = whole();
  const { promise, resolve } = Promise.withResolvers<void>();
  const read = cluster.get.bind(cluster);
  const order: string[] = [];
  cluster.get = async (resource, name) => {
    if (name.name === 'sluice-script-record') await promise;
    order.push(name.name);
    return read(resource, name);
  };
  const { controller, logged } = start(cluster);
  await vi.waitFor(() => expect(controller.queueSize().working).toBe(1));
  expect(order).toEqual([]);
  resolve();
  await controller.ready;
  expect(order).toEqual(['sluice-script-record']);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  expect(logged).toEqual([]);
});

const plain = {
  workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'plain' },
  strategy: { canary: { steps: [{ replicas: '20%' }] } },
};

test('where it cannot be found out which scripts there are, each Rollout says so in the end', async () => {
  const cluster = whole();
  const read = cluster.get.bind(cluster);
  let isDown = true;
  cluster.get = (resource, name) =>
    isDown && name.name === 'sluice-script-record'
      ? Promise.reject(new ApiError(403, 'Forbidden', 'you may not read the record'))
      : read(resource, name);
  start(cluster, { visibleAfterMilliseconds: 100 });
  expect(await becomes(cluster, 'Reconciled', 'False', 'Retrying')).toContain('scripts has not been read yet');
  isDown = false;
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
});

test('a kind that does not answer keeps only those waiting that name it, and the others not for long', async () => {
  const cluster = whole();
  cluster.put(RESOURCES.rollout, rolloutObject({ metadata: { name: 'plain', uid: 'plain' }, spec: plain }));
  cluster.put(RESOURCES.deployment, named('plain'));
  cluster.silent.add('VirtualService');
  const clock = virtualClock();
  const { controller } = start(cluster, {}, clock);
  await clock.pass(9_000);
  expect(cluster.writes).toEqual([]);
  await clock.pass(2_000);
  await controller.ready;
  await vi.waitFor(async () => {
    await clock.pass(100);
    expect((await condition(cluster, 'Accepted', 'plain'))?.status).toBe('True');
  });
  expect(await condition(cluster, 'Accepted')).toBeUndefined();
});

test('a status that changes on a gateway object sets nobody to work, a spec or an annotation does', async () => {
  const cluster = whole();
  const counted = (generation: number, more: JsonMap = {}, annotations: JsonMap = {}): JsonMap => {
    const { metadata, ...rest } = virtualService();
    return { ...rest, ...more, metadata: { ...(metadata as JsonMap), uid: 'vs', generation, annotations } };
  };
  cluster.put(VIRTUAL_SERVICE, counted(1));
  let read = 0;
  const get = cluster.get.bind(cluster);
  cluster.get = (resource, name) => {
    if (resource.kind === 'VirtualService') read++;
    return get(resource, name);
  };
  const { controller } = start(cluster);
  await becomes(cluster, 'Expressible', 'True', 'Expressible');
  await settled(controller, cluster);
  const before = read;
  for (let i = 0; i < 5; i++) cluster.put(VIRTUAL_SERVICE, counted(1, { status: { observed: i } }));
  await settled(controller, cluster);
  expect(read).toBe(before);
  cluster.put(VIRTUAL_SERVICE, counted(2));
  await vi.waitFor(() => expect(read).toBe(before + 1));
  cluster.put(VIRTUAL_SERVICE, counted(2, {}, { team: 'a' }));
  await vi.waitFor(() => expect(read).toBe(before + 2));
});

test('gateway kinds are watched while a Rollout names them, and for a while at the beginning: an earlier one may have', async () => {
  const cluster = whole();
  const clock = virtualClock();
  const { controller } = start(cluster, {}, clock);
  await becomes(cluster, 'ResolvedRefs', 'True', 'ResolvedRefs');
  const always = ['ConfigMap', 'ConfigMap', 'Deployment', 'Ingress', 'Rollout', 'Service', 'TrafficRouting'];
  expect(cluster.watched().sort()).toEqual([...always, 'DestinationRule', 'VirtualService'].sort());
  await clock.pass(60_000);
  expect(cluster.watched().sort()).toEqual([...always, 'VirtualService'].sort());
  expect(controller.kindsInUse()).toContainEqual({
    ...{ group: 'networking.istio.io', kind: 'VirtualService', isCarried: false },
  });
});

const VIRTUAL_SERVICE_KIND = { group: 'networking.istio.io', kind: 'VirtualService' };
const carrying = (): JsonMap => {
  const directive = encodeDirective({
    ...{ format: FORMAT, rollout: { namespace: 'shop', name: 'gone', uid: 'gone' } },
    ...{ revision: 'r', step: 1, continues: false, action: { type: 'armed', style: 'partition' } },
  });
  const { metadata, ...rest } = virtualService();
  return { ...rest, metadata: { ...(metadata as JsonMap), annotations: { [directiveKey('gone')]: directive } } };
};

test('a kind stays in use as long as an object of it carries a directive, whoever names it', async () => {
  const cluster = whole();
  cluster.put(VIRTUAL_SERVICE, { ...carrying() });
  const { controller } = start(cluster);
  const told: boolean[] = [];
  const isInUse = () => controller.kindsInUse().some(({ kind }) => kind === 'VirtualService');
  controller.onKindsInUse(() => told.push(isInUse()));
  await controller.ready;
  cluster.onWrite = (what) => {
    // The directive of a Rollout that is gone would be taken off; here it is kept, as one in a release is.
    if (what.startsWith('patch VirtualService')) throw new ApiError(503, '', 'not now');
  };
  cluster.remove(RESOURCES.rollout, { namespace: 'shop', name: 'web' });
  await vi.waitFor(() => expect(controller.kindsInUse().map(({ kind }) => kind)).toEqual(['VirtualService']));
  expect(controller.kindsInUse()).toEqual([{ ...VIRTUAL_SERVICE_KIND, isCarried: true }]);
  cluster.put(VIRTUAL_SERVICE, virtualService());
  await vi.waitFor(() => expect(told.at(-1)).toBe(false));
});

test('a kind that was in use before this process began is in use until its objects have been seen', async () => {
  const cluster = new TestCluster();
  cluster.put(VIRTUAL_SERVICE, virtualService());
  const { controller } = start(cluster);
  controller.considerKinds([VIRTUAL_SERVICE_KIND]);
  expect(controller.kindsInUse()).toEqual([{ ...VIRTUAL_SERVICE_KIND, isCarried: undefined }]);
  await vi.waitFor(() => expect(controller.kindsInUse()).toEqual([]));
  const other = new TestCluster();
  other.put(VIRTUAL_SERVICE, carrying());
  other.onWrite = () => {
    throw new ApiError(503, '', 'not now');
  };
  const { controller: second } = start(other);
  second.considerKinds([VIRTUAL_SERVICE_KIND]);
  await vi.waitFor(() => expect(second.kindsInUse()).toEqual([{ ...VIRTUAL_SERVICE_KIND, isCarried: true }]));
});

/** What an object of ours bears that a Rollout made which is gone. */
const madeForGone = () => ownMarks({ namespace: 'shop', name: 'gone', uid: 'gone' }, 'Service', 'web-canary');

test.each([
  ['it is told which kinds were in use before', 'later', undefined],
  ['all objects of a kind that was in use before have been seen', [VIRTUAL_SERVICE_KIND], 'VirtualService'],
  ['all objects of a kind with a script have been seen', [], 'DestinationRule'],
  ['all Ingresses have been seen', [], 'Ingress'],
] as const)('nothing of a Rollout that is gone is touched until %s', async (_, considered, silent) => {
  const cluster = new TestCluster();
  const clock = virtualClock();
  const name = { namespace: 'shop', name: 'web-canary' };
  cluster.put(RESOURCES.service, { metadata: { ...name, ...madeForGone() } });
  if (silent !== undefined) cluster.silent.add(silent);
  const { controller } = start(cluster, {}, clock, undefined, undefined, considered);
  for (let minutes = 0; minutes < 5; minutes++) await clock.pass(60_000);
  expect(cluster.writes).toEqual([]);
  if (considered === 'later') controller.considerKinds([]);
  if (silent !== undefined) cluster.speak(silent);
  for (let minutes = 0; minutes < 5; minutes++) await clock.pass(60_000);
  expect(cluster.writes).toEqual(['delete Service shop/web-canary']);
});

test('a kind that the controller may not read keeps nobody waiting', async () => {
  const cluster = new TestCluster();
  const clock = virtualClock();
  cluster.put(RESOURCES.service, { metadata: { namespace: 'shop', name: 'web-canary', ...madeForGone() } });
  for (const kind of ['VirtualService', 'DestinationRule']) cluster.forbidden.add(kind);
  start(cluster, {}, clock, undefined, undefined, [VIRTUAL_SERVICE_KIND]);
  for (let minutes = 0; minutes < 5; minutes++) await clock.pass(60_000);
  expect(cluster.writes).toEqual(['delete Service shop/web-canary']);
});

test('a pinned script that somebody deletes or forges is there again; one that nothing uses goes after its grace', async () => {
  const cluster = whole();
  const hash = library.scripts.get('networking.istio.io/VirtualService')?.hash ?? '';
  const name = { namespace: NAMESPACE, name: `sluice-script-${hash}` };
  const forged = {
    metadata: { ...name, labels: { 'sluice.dev/script': 'true' } },
    data: { name: 'x', text: 'return os' },
  };
  cluster.put(RESOURCES.configMap, forged);
  const unused = { namespace: NAMESPACE, name: `sluice-script-${'0'.repeat(32)}` };
  cluster.put(RESOURCES.configMap, { ...forged, metadata: { ...forged.metadata, ...unused } });
  const { controller } = start(cluster, { scriptGraceMilliseconds: 500 });
  const isPinned = () =>
    vi.waitFor(async () => expect(readPinned(await cluster.get(RESOURCES.configMap, name)).hash).toBe(hash), 5_000);
  await isPinned();
  await settled(controller, cluster);
  cluster.remove(RESOURCES.configMap, name);
  await isPinned();
  await vi.waitFor(
    async () => await expect(cluster.get(RESOURCES.configMap, unused)).rejects.toThrow('not found'),
    15_000,
  );
  await isPinned();
});
