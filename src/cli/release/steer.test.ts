import { expect, test } from 'vitest';
import { at, type JsonMap } from '../../json/value.ts';
import { forbidden, type TestCluster, testCluster } from './cluster.testing.ts';
import { atStepTwo, deployment, HELD, healthy, progressing, rollout } from './release.testing.ts';

/** What the sub-status says after a command. */
const statusOf = (cluster: TestCluster, ...path: string[]) => at(cluster.get('Rollout', 'web'), ['status', ...path]);
const stateIn = (state: string, more: JsonMap = {}) => rollout(progressing({ currentStepState: state, ...more }));
const resourceVersion = (cluster: TestCluster) => at(cluster.get('Rollout', 'web'), ['metadata', 'resourceVersion']);
const STATUS = '/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts/web/status';

test('approve writes what kubectl-kruise does, the step it is about, and what it was decided from', async () => {
  const cluster = await testCluster(...atStepTwo());
  const version = resourceVersion(cluster);
  expect(await cluster.run(['approve', 'web'])).toEqual({
    code: 0,
    out: 'Rollout shop/web: step 2 is approved\n',
    err: '',
    all: 'Rollout shop/web: step 2 is approved\n',
  });
  expect(cluster.writes).toEqual([
    {
      path: STATUS,
      query: 'fieldManager=kubectl-sluice',
      contentType: 'application/merge-patch+json',
      body: {
        metadata: { resourceVersion: version },
        status: { canaryStatus: { currentStepState: 'StepReady' }, release: { approvedStep: 2 } },
      },
    },
  ]);
  expect(statusOf(cluster, 'canaryStatus', 'currentStepState')).toBe('StepReady');
});

test('of a blue-green release the other sub-status is written', async () => {
  const { canaryStatus, ...status } = progressing();
  const strategy = { strategy: { blueGreen: { steps: [{}, {}, {}] } } };
  const cluster = await testCluster(rollout({ ...status, blueGreenStatus: canaryStatus ?? {} }, {}, strategy));
  expect((await cluster.run(['promote', 'web', '-o', 'json'])).code).toBe(0);
  expect((await cluster.run(['jump', 'web', '1'])).code).toBe(0);
  expect(cluster.writes.map(({ body }) => at(body as JsonMap, ['status', 'blueGreenStatus']))).toEqual([
    { currentStepState: 'StepReady' },
    { nextStepIndex: 1 },
  ]);
  expect(statusOf(cluster, 'canaryStatus')).toBeUndefined();
});

test.each<[string, string[], JsonMap, string]>([
  [
    'in another state',
    ['approve', 'web'],
    stateIn('StepUpgrade'),
    'step 2 does not wait for an approval: it is in StepUpgrade',
  ],
  ['approved already', ['approve', 'web'], stateIn('StepReady'), 'step 2 is approved already (StepReady)'],
  [
    'another step',
    ['approve', 'web', '--step', '1'],
    stateIn('StepPaused'),
    'step 1 cannot be approved: it is at step 2, StepPaused',
  ],
  ['at rest', ['approve', 'web'], rollout(healthy()), 'there is nothing to approve: it is Healthy'],
  [
    'on the way back',
    ['promote', 'web'],
    rollout(progressing({}, { reason: 'Cancelling' })),
    'there is nothing to approve: it is Cancelling',
  ],
  ['no such step', ['jump', 'web', '4'], stateIn('StepPaused'), 'there is no step 4; the steps are 1 to 3'],
  ['at rest', ['jump', 'web', '1'], rollout(healthy()), 'no release is under way: it is Healthy'],
  [
    'the next step, not yet',
    ['jump', 'web', '3'],
    stateIn('StepUpgrade'),
    'step 3 comes next anyway, when step 2 is over (StepUpgrade)',
  ],
  ['at rest', ['promote', 'web', '--full'], rollout(healthy()), 'no release is under way: it is Healthy'],
  [
    'at rest',
    ['abort', 'web'],
    rollout(healthy()),
    'no release is under way: it is Healthy; a version that is held and not released yet is taken back by undo',
  ],
  ['not taken in', ['abort', 'web'], rollout({}), 'no release is under way: it is not taken in yet'],
  [
    'all steps done',
    ['abort', 'web'],
    rollout(progressing({}, { reason: 'Finalising' })),
    'all steps are done, and the release is being finished; to go back, use undo',
  ],
  [
    'aborted already',
    ['abort', 'web'],
    rollout(progressing({}, { reason: 'Cancelling', release: { outcome: 'Abort' } })),
    'it goes back to the old version already (Abort)',
  ],
  [
    'gone back already',
    ['promote', 'web', '--full'],
    rollout(progressing({}, { reason: 'Paused', release: { outcome: 'Failure' } })),
    'it has gone back to the old version already (Failure); see retry and undo',
  ],
  [
    'going forward',
    ['retry', 'web'],
    stateIn('StepPaused'),
    'there is nothing to retry, since no release was aborted or has failed: it is at step 2, StepPaused',
  ],
  [
    'rolled back',
    ['retry', 'web'],
    rollout(healthy({ outcome: 'Rollback' })),
    'there is nothing to retry, since no release was aborted or has failed: it is Healthy',
  ],
])('%s: %j is refused with the state, and nothing is written', async (_, argv, object, message) => {
  const cluster = await testCluster(object);
  const { code, out, err } = await cluster.run(argv);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain(`error: Rollout shop/web: ${message}`);
  expect(cluster.writes).toEqual([]);
});

test.each<[string[], JsonMap, JsonMap, string]>([
  [
    ['promote', 'web'],
    stateIn('StepPaused'),
    { canaryStatus: { currentStepState: 'StepReady' } },
    'step 2 is approved',
  ],
  [
    ['promote', 'web', '--full'],
    stateIn('StepUpgrade'),
    { release: { request: 'promote' } },
    'all remaining steps are taken without pauses',
  ],
  [
    ['abort', 'web'],
    stateIn('StepTrafficRouting'),
    { release: { request: 'abort' } },
    'traffic and pods go back to the old version; the new one stays stored and held, for retry or undo',
  ],
  [
    ['retry', 'web'],
    rollout(progressing({}, { reason: 'Paused', release: { outcome: 'Abort' } })),
    { release: { request: 'retry' } },
    'the stored version is released again, from step 1',
  ],
  [
    ['retry', 'web'],
    rollout(progressing({}, { reason: 'Cancelling', release: { outcome: 'Failure' } })),
    { release: { request: 'retry' } },
    'the stored version is released again, from step 1',
  ],
  [
    ['jump', 'web', '1'],
    stateIn('StepPaused'),
    { canaryStatus: { nextStepIndex: 1 } },
    'goes on with step 1 of 3; back moves the traffic only: pods of the new version stay',
  ],
  [
    ['jump', 'web', '2'],
    stateIn('StepUpgrade'),
    { canaryStatus: { nextStepIndex: 2 } },
    'goes on with step 2 of 3, which it is at: it is taken once more',
  ],
  [
    ['jump', 'rollout/web', '3'],
    rollout(progressing({ currentStepIndex: 1 })),
    { canaryStatus: { nextStepIndex: 3 } },
    'goes on with step 3 of 3; what lies between is left out',
  ],
  [
    ['jump', 'web', '3'],
    stateIn('StepPaused'),
    { canaryStatus: { currentStepState: 'StepReady' }, release: { approvedStep: 2 } },
    'step 2 is approved, and step 3 comes next',
  ],
  [['approve', 'web', '--step', '2'], stateIn('StepPaused'), { release: { approvedStep: 2 } }, 'step 2 is approved'],
  [
    ['approve', 'web'],
    rollout(progressing(), {}, { strategy: { paused: true, canary: { steps: [{}, {}] } } }),
    { release: { approvedStep: 2 } },
    'step 2 is approved; the release goes on once it is resumed',
  ],
])('%j writes the status that it should', async (argv, object, status, message) => {
  const cluster = await testCluster(object);
  const version = resourceVersion(cluster);
  expect(await cluster.run(argv)).toMatchObject({ code: 0, out: `Rollout shop/web: ${message}\n`, err: '' });
  expect(cluster.writes).toMatchObject([{ path: STATUS, body: { metadata: { resourceVersion: version }, status } }]);
});

test.each([
  [['promote', 'web', '--full'], 'promote', progressing({}, { release: { request: 'promote' } })],
  [['abort', 'web'], 'abort', progressing({}, { release: { request: 'abort' } })],
])('what was asked for already is not asked again: %j', async (argv, request, status) => {
  const cluster = await testCluster(rollout(status));
  const { code, out } = await cluster.run([...argv, '-o', 'json']);
  expect({ code, writes: cluster.writes }).toEqual({ code: 0, writes: [] });
  expect(JSON.parse(out)).toMatchObject({ result: 'unchanged', message: `${request} has been asked for already` });
});

test('pause and resume write spec.strategy.paused as kubectl-kruise does, once', async () => {
  const cluster = await testCluster(...atStepTwo());
  const said = [];
  for (const verb of ['resume', 'pause', 'pause', 'resume']) said.push((await cluster.run([verb, 'web'])).out);
  expect(said).toEqual([
    'Rollout shop/web: it is not paused\n',
    'Rollout shop/web: paused where it is; traffic stays as it is\n',
    'Rollout shop/web: it is paused already\n',
    'Rollout shop/web: resumed\n',
  ]);
  expect(cluster.writes.map(({ path, body }) => [path, body])).toEqual(
    [true, null].map((paused) => [STATUS.replace(/\/status$/, ''), { spec: { strategy: { paused } } }]),
  );
  expect(at(cluster.get('Rollout', 'web'), ['spec', 'strategy'])).not.toHaveProperty('paused');
});

test('what a command has done, as `-o json` has it', async () => {
  const cluster = await testCluster(...atStepTwo());
  const { out } = await cluster.run(['approve', 'web', '-o', 'json']);
  expect(JSON.parse(out)).toEqual({
    action: 'approve',
    rollout: { namespace: 'shop', name: 'web' },
    result: 'done',
    step: 2,
    message: 'step 2 is approved',
  });
});

/** Somebody else writes the Rollout just before each of the first writes of the command. */
function writtenBetween(cluster: TestCluster, ...others: JsonMap[]): void {
  cluster.onPatch(() => {
    const other = others.shift();
    if (other !== undefined) cluster.put(other);
  });
}

test('after a conflict it is decided anew, while the step is the same', async () => {
  const cluster = await testCluster(...atStepTwo());
  writtenBetween(cluster, stateIn('StepPaused', { canaryReadyReplicas: 1 }), stateIn('StepPaused'));
  expect(await cluster.run(['approve', 'web'])).toMatchObject({
    code: 0,
    out: 'Rollout shop/web: step 2 is approved\n',
  });
  expect(cluster.writes).toHaveLength(3);
  expect(statusOf(cluster, 'canaryStatus')).toMatchObject({ currentStepState: 'StepReady', canaryReadyReplicas: 2 });
});

test.each<[string, string[], JsonMap, string]>([
  ['another step', ['approve', 'web'], stateIn('StepPaused', { currentStepIndex: 3 }), 'it is at step 3, StepPaused'],
  ['another state', ['approve', 'web'], stateIn('StepReady'), 'it is at step 2, StepReady'],
  [
    'another release',
    ['promote', 'web', '--full'],
    rollout(progressing({}, { release: { canaryTemplate: 'another' } })),
    'it is at step 2, StepPaused',
  ],
])('after a conflict %s is another question, and nothing is written', async (_, argv, object, where) => {
  const cluster = await testCluster(...atStepTwo());
  writtenBetween(cluster, object);
  const { code, err } = await cluster.run(argv);
  expect(code).toBe(1);
  expect(err).toBe(`error: nothing was done: Rollout shop/web has moved on (${where}) meanwhile; look at its status\n`);
  expect(statusOf(cluster)).toEqual(object['status']);
});

test('a Rollout that others write without end is given up', async () => {
  const cluster = await testCluster(...atStepTwo());
  writtenBetween(cluster, ...Array.from({ length: 30 }, () => stateIn('StepPaused')));
  const { code, err } = await cluster.run(['abort', 'web']);
  expect({ code, writes: cluster.writes.length }).toEqual({ code: 1, writes: 20 });
  expect(err).toContain('changed by others 20 times');
});

test.each<[string[], string, string]>([
  [['approve', 'web'], 'rollouts/status', 'PATCH'],
  [['pause', 'web'], 'rollouts', 'PATCH'],
])('who lacks the right for %j is told which', async (argv, resource, method) => {
  const cluster = await testCluster(...atStepTwo());
  cluster.api.answer = (call) => (call.method === method ? forbidden('patch', resource) : undefined);
  const { code, err } = await cluster.run(argv);
  expect(code).toBe(1);
  expect(err).toBe(
    `error: you may not patch ${resource} in namespace shop: ask for a Role with the rule {apiGroups: ["rollouts.kruise.io"], resources: ["${resource}"], verbs: ["patch"]}\n`,
  );
});

test('a webhook that denies a write is quoted', async () => {
  const cluster = await testCluster(...atStepTwo());
  const message = 'admission webhook "x" denied the request: approvals need a ticket';
  cluster.api.answer = ({ method }) =>
    method === 'PATCH' ? { status: 403, body: { kind: 'Status', code: 403, reason: 'Forbidden', message } } : undefined;
  const { code, err } = await cluster.run(['approve', 'web']);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(message) });
});

test('a write without an answer may have been carried out, and the message says so', async () => {
  const cluster = await testCluster(deployment({}, HELD), rollout(progressing()));
  cluster.dropAfter(({ method }) => method === 'PATCH');
  const { code, err } = await cluster.run(['approve', 'web']);
  expect(code).toBe(1);
  expect(err).toContain('whether changing Rollout web was carried out is not known: look before you repeat it');
});
