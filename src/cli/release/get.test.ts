import { expect, test } from 'vitest';
import { RESOURCES } from '../../kube/resource.ts';
import { folderWith } from '../called.testing.ts';
import { forbidden, testCluster } from './cluster.testing.ts';
import { healthy, progressing, rollout } from './release.testing.ts';

const ROLLOUTS = [
  rollout(progressing()),
  rollout(healthy(), {}, {}, { name: 'checkout', uid: 'checkout' }),
  rollout(healthy(), {}, {}, { name: 'web', namespace: 'other', uid: 'other' }),
];

test("get lists the Rollouts of the context's namespace, in the order of their names", async () => {
  const cluster = await testCluster(...ROLLOUTS);
  const { code, out, err } = await cluster.run(['get']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out.split('\n').map((line) => line.split(/\s+/).slice(0, 3).join(' '))).toEqual([
    'NAME STYLE PHASE',
    'checkout partition Healthy',
    'web partition Progressing',
    '',
  ]);
});

test.each([
  [
    ['get', '-A'],
    ['other web', 'shop checkout', 'shop web'],
  ],
  [['get', '-n', 'other', '-o', 'wide'], ['web partition']],
  [['get', '--context', 'bare'], []],
  [['get', 'web'], ['web partition']],
  [['get', 'rollouts.rollouts.kruise.io/web', '-n', 'other'], ['web partition']],
])('%j shows those that were asked for', async (argv, rows) => {
  const cluster = await testCluster(...ROLLOUTS);
  const { out } = await cluster.run(argv);
  const found = out
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(/\s+/).slice(0, 2).join(' '));
  expect(found).toEqual(rows);
});

test('where there are none, nothing goes to standard output but an empty list', async () => {
  const cluster = await testCluster();
  expect(await cluster.run(['get'])).toMatchObject({
    code: 0,
    out: '',
    err: 'there are no Rollouts in namespace shop\n',
  });
  expect(await cluster.run(['get', '-A'])).toMatchObject({ code: 0, out: '', err: 'there are no Rollouts\n' });
  expect(await cluster.run(['get', '-o', 'json'])).toMatchObject({ code: 0, out: '[]\n', err: '' });
});

test('a list of many is read in pages', async () => {
  const cluster = await testCluster();
  const all = Array.from({ length: 3 }, (_, i) => rollout(healthy(), {}, {}, { name: `web-${i}` }));
  cluster.api.answer = ({ path }) => {
    if (!path.includes('/rollouts?')) return undefined;
    const page = Number(new URLSearchParams(path.split('?')[1]).get('continue') ?? 0);
    const more = page + 1 < all.length ? { continue: String(page + 1) } : {};
    return { status: 200, body: { metadata: more, items: [all[page] ?? {}] } };
  };
  const { out } = await cluster.run(['get', '-o', 'json']);
  expect(JSON.parse(out).map(({ name }: { name: string }) => name)).toEqual(['web-0', 'web-1', 'web-2']);
});

test.each([
  [['status', 'webb'], 'there is no Rollout webb in namespace shop; did you mean web?'],
  [['get', 'frontend'], 'there is no Rollout frontend in namespace shop; there are checkout, web'],
  [
    ['approve', 'web', '-n', 'nowhere'],
    'there is no Rollout web in namespace nowhere, nor any other: name the namespace by -n',
  ],
  [['get', 'api', '-n', 'other'], 'there is no Rollout api in namespace other; there is web'],
  [['get', 'deployment/web'], 'deployment/web is no Rollout: write its name, or rollout/NAME'],
  [['get', '-n', ''], '"" cannot be the name of a namespace'],
  [['get', '-n', '..'], '".." cannot be the name of a namespace'],
  [['get', 'web', '-A'], 'a name is of one namespace: leave out -A, or the name'],
  [['get', '--context', 'nope'], 'the kubeconfig has no context "nope"; it has shop, bare'],
  [['status', 'web', '--timeout', '10m'], '--timeout is for --wait: add it'],
])('%j says what to do instead, and ends with 1', async (argv, message) => {
  const cluster = await testCluster(...ROLLOUTS);
  expect(await cluster.run(argv)).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining(`error: ${message}`),
  });
});

test.each([
  ['jump', 'web'],
  ['jump', 'web', '0'],
  ['status'],
  ['status', 'web', '--timeout', '5'],
  ['approve', 'web', '-o', 'yaml'],
  ['get', 'web', 'api'],
])('wrong flags end with 1, too, so that 2 is left for approvals: %s %s %s', async (...argv) => {
  const { code, out, err } = await (await testCluster()).run(argv.filter((word) => word !== undefined));
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain('--help');
});

test('of many Rollouts ten are named', async () => {
  const many = Array.from({ length: 12 }, (_, i) => rollout(healthy(), {}, {}, { name: `service-${i}`, uid: `${i}` }));
  const cluster = await testCluster(...many);
  expect((await cluster.run(['get', 'frontend'])).err).toMatch(/service-7 and 2 more\n$/);
});

test.each([
  [
    'rights to list',
    forbidden('list', 'rollouts'),
    'you may not list rollouts in namespace shop: ask for a Role with the rule',
  ],
  ['Rollouts at all', { status: 404, reason: 'NotFound' }, 'the cluster knows no Rollouts: install Sluice'],
  ['credentials', { status: 401, reason: 'Unauthorized' }, 'does not accept these credentials: log in again'],
  ['a server that is well', { status: 503, reason: 'ServiceUnavailable' }, '503'],
])('without %s the error says so', async (_, answer, message) => {
  const cluster = await testCluster();
  cluster.api.answer = () => answer;
  expect(await cluster.run(['get'])).toMatchObject({ code: 1, out: '', err: expect.stringContaining(message) });
});

test('who may read a Rollout and not list them is only told that it is not there', async () => {
  const cluster = await testCluster(...ROLLOUTS);
  cluster.api.answer = ({ path }) => (path.includes('/rollouts?') ? forbidden('list', 'rollouts') : undefined);
  expect((await cluster.run(['get', 'api'])).err).toBe('error: there is no Rollout api in namespace shop\n');
});

test('a cluster that does not answer is named', async () => {
  const config = {
    clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1', 'insecure-skip-tls-verify': true } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    users: [{ name: 'u', user: {} }],
    'current-context': 'c',
  };
  const kubeconfig = `${folderWith({ config: JSON.stringify(config) })}/config`;
  const { code, err } = await (await testCluster()).run(['get', '--kubeconfig', kubeconfig]);
  expect(code).toBe(1);
  expect(err).toMatch(/^error: http:\/\/127\.0\.0\.1:1 does not answer: .*ECONNREFUSED.*check --kubeconfig/);
});

test('warnings of the API server are shown once, on standard error', async () => {
  const cluster = await testCluster(...ROLLOUTS);
  cluster.warn('rollouts.kruise.io/v1beta1 is \\"old\\"');
  const { err } = await cluster.run(['approve', 'web']);
  expect(err).toBe('Warning: rollouts.kruise.io/v1beta1 is "old"\n');
});

test('nothing is read but what is needed: a list is one request', async () => {
  const cluster = await testCluster(...ROLLOUTS);
  await cluster.run(['get']);
  expect(cluster.api.calls).toEqual([
    `GET /apis/rollouts.kruise.io/v1beta1/namespaces/shop/${RESOURCES.rollout.plural}`,
  ]);
});

test('an answer that takes longer than a second is waited for with a word on a terminal, and none in a pipe', async () => {
  const cluster = await testCluster(...ROLLOUTS);
  cluster.delay(1_600);
  const [drawn, piped] = await Promise.all([cluster.run(['get'], { isTTY: true }), cluster.run(['get'])]);
  expect(drawn.err).toContain('… listing rollouts');
  expect(drawn.err.endsWith('\r\x1b[K')).toBe(true);
  expect(piped.err).toBe('');
});
