import { expect, test } from 'vitest';
import { at, type JsonMap } from '../../json/value.ts';
import { type TestCluster, testCluster } from './cluster.testing.ts';
import { ARMED, deployment, directive, HELD, TEMPLATE_HASHES, TEMPLATES } from './release.testing.ts';

/** `resume` where the Rollout is gone. */

const RESUME = 'sluice.dev/resume';
const annotation = (cluster: TestCluster) => at(cluster.get('Deployment', 'web'), ['metadata', 'annotations', RESUME]);
const said = (message: string) => ({ code: 0, out: `Rollout shop/web: ${message}\n` });

test('the version that is held is named on its Deployment, in a write that is about what was read', async () => {
  const cluster = await testCluster(deployment());
  const { code, out } = await cluster.run(['resume', 'web']);
  expect({ code, out }).toEqual(
    said('its Rollout is gone: Deployment web comes out with web:2; Services and traffic open first'),
  );
  expect(annotation(cluster)).toBe(TEMPLATE_HASHES.canary);
  const [write] = cluster.writes;
  expect(write?.contentType).toBe('application/json-patch+json');
  expect(write?.body).toContainEqual(expect.objectContaining({ op: 'test', path: '/metadata/resourceVersion' }));
});

test.each<[string, JsonMap, string]>([
  ['nothing holds', deployment({}, ARMED), 'nothing holds Deployment web, and the Rollout is gone'],
  [
    'the old version is back in',
    deployment(
      { template: TEMPLATES.stable },
      directive(
        { type: 'workload', style: 'partition', stable: TEMPLATE_HASHES.stable, paused: false },
        { revision: TEMPLATE_HASHES.stable },
      ),
    ),
    'Deployment web says the old version, and is given back anyway',
  ],
  [
    'was given back before',
    deployment({}, { ...HELD, [RESUME]: TEMPLATE_HASHES.canary }),
    'Deployment web is given back already',
  ],
])('what %s is left as it is', async (_, object, message) => {
  const cluster = await testCluster(object);
  const { code, out } = await cluster.run(['resume', 'web']);
  expect({ code, out }).toEqual(said(message));
  expect(cluster.writes).toEqual([]);
});

test('a name that an earlier version left is written over', async () => {
  const cluster = await testCluster(deployment({}, { ...HELD, [RESUME]: 'another' }));
  expect((await cluster.run(['resume', 'web'])).code).toBe(0);
  expect(annotation(cluster)).toBe(TEMPLATE_HASHES.canary);
});

test('where neither a Rollout nor a Deployment of it is there, both commands say which Rollouts are', async () => {
  const cluster = await testCluster(deployment({}, {}));
  for (const command of ['resume', 'pause']) {
    const { code, err } = await cluster.run([command, 'web']);
    expect(code).toBe(1);
    expect(err).toContain('there is no Rollout web in namespace shop');
  }
});
