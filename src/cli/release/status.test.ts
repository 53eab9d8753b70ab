import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../../../test/cluster/until.ts';
import type { JsonMap } from '../../json/value.ts';
import { RESOURCES } from '../../kube/resource.ts';
import { called } from '../called.testing.ts';
import { forbidden, type TestCluster, testCluster, VIRTUAL_SERVICES } from './cluster.testing.ts';
import {
  ARMED,
  ago,
  atStepTwo,
  deployment,
  HASHES,
  healthy,
  NOW,
  pod,
  progressing,
  replicaSet,
  rollout,
  TEMPLATES,
  virtualService,
  waitingFor,
} from './release.testing.ts';

// Ages are told from the moment of these objects; nothing else of time is faked.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

const DONE = [rollout(healthy({ outcome: 'Success', finishTime: ago(0) })), deployment({ paused: false }, ARMED)];

test('status is the tree, in plain text for a pipe and with colours for a terminal', async () => {
  const cluster = await testCluster(...atStepTwo());
  const { code, out, err } = await cluster.run(['status', 'web']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^Rollout shop\/web {3}partition {3}Progressing {3}step 2\/3 StepPaused/);
  expect(out).toContain('│  └─ ReplicaSet web-7f8b6d5c9   canary   revision 3   web:2   2/2 ready\n');
  expect(out.endsWith('   └─ sluice approve web -n shop\n')).toBe(true);
  expect(out).not.toContain('\x1b');
  const drawn = await cluster.run(['status', 'web'], { isTTY: true });
  expect(drawn.out).toContain('\x1b[36mcanary\x1b[39m');
});

test('status as `-o json` has it', async () => {
  const cluster = await testCluster(...atStepTwo());
  const picture = JSON.parse((await cluster.run(['status', 'web', '-o', 'json'])).out);
  expect(picture).toMatchObject({
    rollout: { stage: 'releasing', step: 2, state: 'StepPaused', weight: 20 },
    waits: [{ for: 'approval', seconds: 250, commands: ['approve web -n shop'] }],
  });
  expect(picture.workload.sets.map(({ pods }: { pods: unknown[] }) => pods.length)).toEqual([3, 2]);
});

test('each part is asked for once, and only what belongs to it', async () => {
  const cluster = await testCluster(...atStepTwo());
  await cluster.run(['status', 'web']);
  expect([...cluster.requests].sort()).toEqual([
    'GET /api/v1/namespaces/shop/pods?limit=500&labelSelector=app%3Dweb',
    'GET /api/v1/namespaces/shop/services/web',
    'GET /api/v1/namespaces/shop/services/web-canary',
    'GET /apis/apps/v1/namespaces/shop/deployments/web',
    'GET /apis/apps/v1/namespaces/shop/replicasets?limit=500&labelSelector=app%3Dweb',
    'GET /apis/networking.istio.io/v1beta1',
    'GET /apis/networking.istio.io/v1beta1/namespaces/shop/virtualservices/web',
    'GET /apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts/web',
  ]);
});

test('a gateway kind is found in another version than the Rollout names, or told to be unknown', async () => {
  const named = (apiVersion: string, kind: string) =>
    rollout(progressing(), {
      trafficRoutings: [{ service: 'web', customNetworkRefs: [{ apiVersion, kind, name: 'web' }] }],
    });
  const cluster = await testCluster(virtualService(), named('networking.istio.io/v1alpha3', 'VirtualService'));
  expect((await cluster.run(['status', 'web'])).out).toContain('VirtualService web   as without a release');
  cluster.put(named('traefik.io/v1alpha1', 'TraefikService'));
  expect((await cluster.run(['status', 'web'])).out).toContain(
    'the cluster has no kind TraefikService of traefik.io/v1alpha1',
  );
});

test('what may not be read is told in its place', async () => {
  const cluster = await testCluster(...atStepTwo());
  cluster.api.answer = ({ path }) => (path.includes('/pods') ? forbidden('list', 'pods') : undefined);
  const { code, out } = await cluster.run(['status', 'web']);
  expect(code).toBe(0);
  expect(out).toContain('Deployment web   5 pods   paused   web:2   you may not list pods in namespace shop');
});

/** Runs a command, and does these things one after the other, each once its sign has been printed. */
async function meanwhile(
  cluster: TestCluster,
  argv: string[],
  ...acts: [sign: string | (() => boolean), act: () => unknown][]
) {
  let text = '';
  const running = cluster.run(argv, {
    onWrite: (part) => {
      text += part;
    },
  });
  let from = 0;
  for (const [sign, act] of acts) {
    await until(String(sign), () => (typeof sign === 'string' ? text.includes(sign, from) : sign()), 10);
    from = text.length;
    act();
  }
  return running;
}

const NEXT = rollout(
  progressing(
    { currentStepIndex: 3, currentStepState: 'StepUpgrade' },
    { release: { weight: 20, progressTime: ago(1), hasMatches: true } },
  ),
);

test('--watch --wait in a pipe: a line for each transition, by watches and not by asking again', async () => {
  const cluster = await testCluster(...atStepTwo());
  const { code, out, err } = await meanwhile(
    cluster,
    ['status', 'web', '--watch', '--wait'],
    ['VirtualService', () => cluster.put(NEXT)],
    ['step 3/3', () => cluster.put(pod(HASHES.canary, 'w7r2d', waitingFor('ImagePullBackOff', 'no such image')))],
    ['Pod', () => cluster.put(replicaSet(HASHES.canary, 2, TEMPLATES.canary, { desired: 5, ready: 4 }))],
    ['ReplicaSet', () => cluster.put(virtualService())],
    ['VirtualService', () => cluster.put(...DONE)],
  );
  expect({ code, err }).toEqual({ code: 0, err: 'Rollout shop/web: released\n' });
  const at = '2026-05-01T12:00:00Z';
  expect(out.split('\n').slice(7, -1)).toEqual(
    expect.arrayContaining([
      `${at} Progressing, step 3/3 StepUpgrade, 20% of the traffic and matched requests`,
      `${at} Pod web-7f8b6d5c9-w7r2d: ImagePullBackOff: no such image`,
      `${at} ReplicaSet web-7f8b6d5c9: canary, web:2, 4/5 ready`,
      `${at} VirtualService web: as without a release`,
      `${at} Healthy, step 3/3 Completed, Success`,
    ]),
  );
  const gets = cluster.requests.filter((path) => path.endsWith('/rollouts/web'));
  expect(gets).toHaveLength(1);
});

test('--watch -o json: an object for each transition, one a line', async () => {
  const cluster = await testCluster(...atStepTwo());
  const { code, out } = await meanwhile(
    cluster,
    ['status', 'web', '--watch', '--wait', '-o', 'json'],
    ['\n', () => cluster.put(NEXT)],
    ['\n', () => cluster.put(...DONE)],
  );
  const states = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).rollout.state);
  expect([code, states.at(0), states.at(-1)]).toEqual([0, 'StepPaused', 'Completed']);
  expect(states).toContain('StepUpgrade');
});

test('--wait alone prints the picture at the end, and nothing before', async () => {
  const cluster = await testCluster(...atStepTwo());
  const running = cluster.run(['status', 'web', '--wait']);
  await until('the watches', () => cluster.api.watches(RESOURCES.pod) > 0, 10);
  cluster.put(...DONE);
  const { code, out, err } = await running;
  expect({ code, err }).toEqual({ code: 0, err: 'Rollout shop/web: released\n' });
  expect(out).toMatch(/^Rollout shop\/web {3}partition {3}Healthy {3}step 3\/3 Completed {3}Success/);
});

test('there is nothing to wait for when nothing is released', async () => {
  const cluster = await testCluster(...DONE);
  expect(await cluster.run(['status', 'web', '--wait'])).toMatchObject({
    code: 0,
    err: 'Rollout shop/web: there is nothing to release\n',
  });
});

const RETURNING = rollout(progressing({}, { reason: 'Cancelling', release: { outcome: 'Rollback' } }));
const BACK = [
  rollout(healthy({ outcome: 'Rollback', finishTime: ago(0) })),
  deployment({ template: TEMPLATES.stable, paused: false }, ARMED),
];
const STOPPED = rollout(
  progressing({ currentStepState: 'BeforeStepUpgrade' }, { reason: 'Paused', release: { outcome: 'Abort' } }),
);

test.each<[string, JsonMap[], string]>([
  ['rolled back', BACK, 'the release has ended with Rollback'],
  ['aborted', [STOPPED], 'the release has ended with Abort'],
])('a release that is %s while it is waited for ends with 3', async (_, end, text) => {
  const cluster = await testCluster(...atStepTwo());
  const { code, err } = await meanwhile(
    cluster,
    ['status', 'web', '--watch', '--wait'],
    ['VirtualService', () => cluster.put(RETURNING)],
    ['Rollback', () => cluster.put(...end)],
  );
  expect({ code, err }).toEqual({ code: 3, err: `Rollout shop/web: ${text}\n` });
});

test('a Rollout that is deleted while it is waited for ends with 3; who only watches gets an error', async () => {
  const first = await testCluster(...atStepTwo());
  const remove = (cluster: TestCluster): [string, () => void] => [
    'VirtualService',
    () => cluster.remove('Rollout', 'web'),
  ];
  expect(await meanwhile(first, ['status', 'web', '--watch', '--wait'], remove(first))).toMatchObject({
    code: 3,
    err: 'Rollout shop/web: it has been deleted\n',
  });
  const second = await testCluster(...atStepTwo());
  expect(await meanwhile(second, ['status', 'web', '--watch'], remove(second))).toMatchObject({
    code: 1,
    err: 'error: Rollout shop/web has been deleted\n',
  });
});

test.each<[string, JsonMap, number, string]>([
  [
    'an approval',
    rollout(progressing()),
    2,
    'not at its end after 1s, step 2/3 StepPaused: step 2 waits for approval: sluice approve web -n shop',
  ],
  ['pods', NEXT, 4, 'not at its end after 1s, step 3/3 StepUpgrade: 2 of 5 pods of the new version are ready'],
])('the time is over while it waits for %s: the exit code tells which', async (_, object, code, text) => {
  const cluster = await testCluster(...atStepTwo(), object);
  expect(await cluster.run(['status', 'web', '--wait', '--timeout', '1s'])).toMatchObject({
    code,
    err: `Rollout shop/web: ${text}\n`,
  });
});

test('a watch that breaks is taken up again', async () => {
  const cluster = await testCluster(...atStepTwo());
  const { code, out } = await meanwhile(
    cluster,
    ['status', 'web', '--watch', '--wait'],
    ['VirtualService', () => cluster.cut()],
    [() => cluster.api.watches(RESOURCES.rollout) === 0, () => undefined],
    [() => cluster.api.watches(RESOURCES.rollout) > 0, () => cluster.put(NEXT)],
    ['step 3/3', () => cluster.put(...DONE)],
  );
  expect(code).toBe(0);
  expect(out).toContain('Healthy, step 3/3 Completed, Success');
});

test('a cluster that cannot be watched is complained of, and tried again until the time is over', async () => {
  const cluster = await testCluster(...atStepTwo());
  cluster.api.answer = ({ path }) =>
    path.includes('/pods?') && path.includes('watch=true') ? { status: 500, reason: 'InternalError' } : undefined;
  const { code, err } = await cluster.run(['status', 'web', '--wait', '--timeout', '1s']);
  expect(code).toBe(4);
  expect(err).toMatch(/^the cluster cannot be watched, and is tried again: WATCH .*pods: 500/);
  expect(err.endsWith('Rollout shop/web: not at its end after 1s: the cluster could not be watched\n')).toBe(true);
});

test('who may read a Rollout once and not watch it is told so', async () => {
  const cluster = await testCluster(...atStepTwo());
  cluster.api.answer = ({ path }) => (path.includes('/rollouts?') ? forbidden('watch', 'rollouts') : undefined);
  const { code, err } = await cluster.run(['status', 'web', '--watch']);
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringContaining('error: you may not watch rollouts in namespace shop'),
  });
});

test('when the Rollout names another gateway object, that one is watched', async () => {
  const cluster = await testCluster(...atStepTwo());
  const other = { ...virtualService(), metadata: { name: 'edge', namespace: 'shop', uid: 'edge' } };
  const refs = [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'edge' }];
  const { out } = await meanwhile(
    cluster,
    ['status', 'web', '--watch', '--wait'],
    [
      'VirtualService web',
      () =>
        cluster.put(other, rollout(progressing(), { trafficRoutings: [{ service: 'web', customNetworkRefs: refs }] })),
    ],
    ['VirtualService edge', () => cluster.put(...DONE)],
  );
  expect(out).toContain('VirtualService edge: as without a release');
  expect(out).toContain('VirtualService web: is gone');
  await until('no watch to be left', () => cluster.api.watches(VIRTUAL_SERVICES) === 0, 10);
});

test('on a terminal it is drawn on a screen of its own, which is left for the last picture', async () => {
  const cluster = await testCluster(...atStepTwo());
  let text = '';
  let interrupt: (() => void) | undefined;
  const running = called(['status', 'web', '--watch'], {
    env: { KUBECONFIG: cluster.kubeconfig, NO_COLOR: '1' },
    isTTY: true,
    onWrite: (part) => {
      text += part;
    },
    onSignal: (signal, listener) => {
      if (signal === 'SIGINT') interrupt = listener;
    },
  });
  await until('the first drawing', () => text.includes('StepPaused'), 10);
  cluster.put(NEXT);
  await until('another drawing', () => text.includes('StepUpgrade'), 10);
  interrupt?.();
  const { code, out } = await running;
  expect(code).toBe(0);
  const [drawn = '', last = ''] = out.split('\x1b[?1049l');
  expect(drawn.startsWith('\x1b[?1049h')).toBe(true);
  expect(drawn.split('\x1b[H').length).toBeGreaterThan(2);
  expect(last).toMatch(/^Rollout shop\/web.*StepUpgrade/);
});

test('a signal ends --wait with 130, so that a cancelled pipeline is no success', async () => {
  const cluster = await testCluster(...atStepTwo());
  let interrupt: (() => void) | undefined;
  const running = called(['status', 'web', '--wait'], {
    env: { KUBECONFIG: cluster.kubeconfig },
    onSignal: (signal, listener) => {
      if (signal === 'SIGTERM') interrupt = listener;
    },
  });
  await until('the watches', () => cluster.api.watches(RESOURCES.pod) > 0, 10);
  interrupt?.();
  expect(await running).toMatchObject({ code: 130, err: 'Rollout shop/web: interrupted before its end\n' });
});
