import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { at, type JsonMap } from '../../json/value.ts';
import { forbidden, type TestCluster, testCluster } from './cluster.testing.ts';
import {
  ARMED,
  ago,
  atStepTwo,
  deployment,
  HASHES,
  healthy,
  NOW,
  progressing,
  replicaSet,
  rollout,
  TEMPLATES,
  template,
} from './release.testing.ts';

const CAUSE = 'kubernetes.io/change-cause';
const DEPLOYMENT = '/apis/apps/v1/namespaces/shop/deployments/web';
const SETS = [
  replicaSet('5c4d3b2a1', 1, template('web:0'), { desired: 0 }),
  replicaSet(HASHES.stable, 2, TEMPLATES.stable, { desired: 3, annotations: { [CAUSE]: 'faster' } }),
  replicaSet(HASHES.canary, 3, TEMPLATES.canary, { desired: 2, ready: 1 }),
];
const templateOf = (cluster: TestCluster) => at(cluster.get('Deployment', 'web'), ['spec', 'template']);
const inRelease = () => testCluster(rollout(progressing()), deployment(), ...SETS);
const atRest = (annotations: JsonMap = ARMED) =>
  testCluster(rollout(healthy({ outcome: 'Success' })), deployment({ paused: false }, annotations), ...SETS);
const WARNING =
  'Warning: the source of the Deployment (Git, a chart) still says web:2: change it there as well, or its next apply brings that version back\n';

// Ages are told from the moment of these objects; nothing else of time is faked.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

test('in a release undo puts the old template back, in one patch that names what it was decided from', async () => {
  const cluster = await inRelease();
  const version = at(cluster.get('Deployment', 'web'), ['metadata', 'resourceVersion']);
  expect(await cluster.run(['undo', 'web'])).toMatchObject({
    code: 0,
    out: 'Rollout shop/web: Deployment web goes back to revision 2 (web:1): traffic first, then the pods\n',
    err: WARNING,
  });
  expect(cluster.writes).toEqual([
    {
      path: DEPLOYMENT,
      query: 'fieldManager=kubectl-sluice',
      contentType: 'application/json-patch+json',
      body: [
        { op: 'test', path: '/metadata/resourceVersion', value: version },
        { op: 'replace', path: '/spec/template', value: TEMPLATES.stable },
        { op: 'add', path: '/metadata/annotations/kubernetes.io~1change-cause', value: 'faster' },
      ],
    },
  ]);
  expect(templateOf(cluster)).toEqual(TEMPLATES.stable);
  expect(at(cluster.get('Deployment', 'web'), ['spec', 'paused'])).toBe(true);
});

test.each<[string, () => Promise<TestCluster>, string[], string]>([
  [
    'a named revision',
    inRelease,
    ['--to-revision', '1'],
    'revision 1 (web:0): a third version, which is released from step 1 once the old one serves again',
  ],
  ['outside a release', atRest, [], 'revision 2 (web:1), which is released from step 1'],
  ['of a Deployment that nothing holds', () => atRest({}), [], 'revision 2 (web:1), at once: nothing holds it'],
  [
    'of a version that was held while nobody released it',
    () => testCluster(rollout(healthy({ outcome: 'Rollback' })), deployment(), ...SETS),
    [],
    'revision 2 (web:1): traffic first, then the pods',
  ],
  [
    'of a Deployment whose Rollout is gone',
    () => testCluster(deployment(), ...SETS),
    [],
    'revision 2 (web:1), and its Rollout is gone: apply one to steer what comes next',
  ],
])('undo says what comes of it: %s', async (_, given, flags, text) => {
  const cluster = await given();
  const { code, out } = await cluster.run(['undo', 'web', ...flags]);
  expect({ code, out }).toEqual({ code: 0, out: `Rollout shop/web: Deployment web goes back to ${text}\n` });
  expect(templateOf(cluster)).not.toEqual(TEMPLATES.canary);
});

test('the change cause goes with the version that it was about', async () => {
  const cluster = await testCluster(
    rollout(healthy()),
    deployment({}, { ...ARMED, [CAUSE]: 'faster' }),
    SETS[0] as JsonMap,
    SETS[2] as JsonMap,
  );
  await cluster.run(['undo', 'web']);
  expect(at(cluster.get('Deployment', 'web'), ['metadata', 'annotations'])).toEqual(ARMED);
});

test('a dry run asks the API server, and changes nothing', async () => {
  const cluster = await inRelease();
  const { code, out, err } = await cluster.run(['undo', 'web', '--dry-run', '-o', 'json']);
  expect({ code, err, query: cluster.writes[0]?.query }).toEqual({
    code: 0,
    err: WARNING,
    query: 'dryRun=All&fieldManager=kubectl-sluice',
  });
  expect(JSON.parse(out)).toEqual({
    action: 'undo',
    rollout: { namespace: 'shop', name: 'web' },
    revision: 2,
    images: 'web:1',
    result: 'dryRun',
    message: 'Deployment web goes back to revision 2 (web:1): traffic first, then the pods (dry run)',
  });
  expect(templateOf(cluster)).toEqual(TEMPLATES.canary);
});

test('a template that is stored already is not written again', async () => {
  const cluster = await inRelease();
  const { out } = await cluster.run(['undo', 'web', '--to-revision', '3']);
  expect(out).toBe('Rollout shop/web: Deployment web says revision 3 (web:2) already\n');
  expect(cluster.writes).toEqual([]);
});

test.each<[string, JsonMap, number, string]>([
  ['the same template is tried again', deployment({ replicas: 7 }), 0, ''],
  [
    'another version is another question',
    deployment({ template: template('web:9') }),
    1,
    'error: nothing was done: the Deployment got another version meanwhile\n',
  ],
])('after a conflict %s', async (_, other, code, message) => {
  const cluster = await inRelease();
  const others = [other];
  cluster.onPatch(() => {
    const next = others.shift();
    if (next !== undefined) cluster.put(next);
  });
  const done = await cluster.run(['undo', 'web']);
  expect(done.code).toBe(code);
  expect(done.err).toBe(code === 0 ? WARNING : message);
  expect(cluster.writes).toHaveLength(code === 0 ? 2 : 1);
  if (code === 0)
    expect(at(cluster.get('Deployment', 'web'), ['spec'])).toMatchObject({ replicas: 7, template: TEMPLATES.stable });
});

test.each<[string, JsonMap[], string[], string]>([
  [
    'no such revision',
    [rollout(progressing()), deployment(), ...SETS],
    ['--to-revision', '9'],
    'there is no revision 9; there are 1, 2, 3',
  ],
  ['no Deployment', [rollout(progressing())], [], 'there is no Deployment web in namespace shop'],
  [
    'no ReplicaSet',
    [rollout(healthy()), deployment({}, ARMED)],
    [],
    'there is no earlier revision (see spec.revisionHistoryLimit)',
  ],
  [
    'another kind',
    [rollout(healthy(), {}, { workloadRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web' } })],
    [],
    'this is for Deployments; use kubectl rollout for StatefulSet web',
  ],
  [
    'neither a Rollout nor what it left',
    [deployment({}, {})],
    [],
    'there is no Rollout web in namespace shop, nor any other',
  ],
])('undo is refused: %s', async (_, objects, flags, message) => {
  const cluster = await testCluster(...objects);
  const { code, err } = await cluster.run(['undo', 'web', ...flags]);
  expect(code).toBe(1);
  expect(err).toContain(`error: ${message}`);
  expect(cluster.writes).toEqual([]);
});

test('who may not read ReplicaSets is told so', async () => {
  const cluster = await inRelease();
  cluster.api.answer = ({ path }) => (path.includes('replicasets') ? forbidden('list', 'replicasets') : undefined);
  const { code, err } = await cluster.run(['undo', 'web']);
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringContaining('you may not list replicasets in namespace shop'),
  });
});

test('history: the revisions with their roles, and how the release is', async () => {
  const cluster = await inRelease();
  const { out } = await cluster.run(['history', 'web']);
  expect(out.replaceAll(/\b[0-9a-f]{16}\b/g, '<hash>')).toBe(
    [
      'REVISION   VERSION   TEMPLATE           IMAGES   READY   AGE   CHANGE-CAUSE',
      '3          canary    <hash>   web:2    1/2     24h   -',
      '2          stable    <hash>   web:1    3/3     24h   faster',
      '1          -         <hash>   web:0    0/0     24h   -',
      'a release is under way, began 16m ago',
      '',
    ].join('\n'),
  );
});

test.each<[JsonMap[], string]>([
  [
    [rollout(healthy({ outcome: 'Success', startTime: ago(400), finishTime: ago(100) }))],
    'the last release ended with Success',
  ],
  [[rollout(progressing({}, { release: { outcome: 'Abort' } }))], 'a release is ending with Abort'],
  [[], 'the Rollout is gone'],
])('history ends in how the last release ended', async (objects, text) => {
  const cluster = await testCluster(...objects, deployment(), ...SETS);
  const { code, out } = await cluster.run(['history', 'web']);
  expect(code).toBe(0);
  expect(out.trimEnd().split('\n').at(-1)).toContain(text);
});

test('history as `-o json` has it', async () => {
  const cluster = await testCluster(...atStepTwo());
  const { out } = await cluster.run(['history', 'web', '-o', 'json']);
  const { revisions, ...rest } = JSON.parse(out);
  expect(rest).toMatchObject({
    rollout: { namespace: 'shop', name: 'web' },
    release: { stableTemplate: expect.any(String) },
  });
  expect(revisions).toHaveLength(3);
  expect(revisions[0]).toEqual({
    revision: 3,
    template: expect.stringMatching(/^[0-9a-f]{16}$/),
    replicaSet: 'web-7f8b6d5c9',
    images: 'web:2',
    role: 'canary',
    desired: 2,
    ready: 2,
    ageSeconds: expect.any(Number),
  });
});
