import { expect, test } from 'vitest';
import { stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { cluster } from '../cluster/cluster.ts';
import { deployment } from './rollout-controller.ts';

const { client, apply, namespace: newNamespace, kubectl } = cluster();

test('a write whose answer nobody reads is made, and answered without the object', async () => {
  const namespace = await newNamespace();
  await apply(namespace, deployment());
  const name = { namespace, name: 'web' };
  const write = (team: string, subresource: { subresource?: 'status' } = {}) => {
    const body = { metadata: { annotations: { team } } };
    return client.patch(RESOURCES.deployment, name, 'merge', body, { isAnswerRead: false, ...subresource });
  };
  for (const answer of [await write('a'), await write('b', { subresource: 'status' })]) {
    expect(answer['kind']).toBe('Table');
    expect(JSON.stringify(answer)).not.toContain('managedFields');
  }
  expect(stringAt(await client.get(RESOURCES.deployment, name), 'metadata', 'annotations', 'team')).toBe('b');
});

test('so is one of a custom resource and its status', async () => {
  const namespace = await newNamespace();
  expect((await kubectl(['apply', '--server-side', '--force-conflicts', '-f', 'chart/files/crds'])).exitCode).toBe(0);
  const spec = {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps: [{ replicas: '20%' }] } },
  };
  await apply(namespace, {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web' },
    spec,
  });
  const status = { currentStepIndex: 0, currentStepState: '', message: 'written' };
  const options = { subresource: 'status', isAnswerRead: false } as const;
  const answer = await client.patch(RESOURCES.rollout, { namespace, name: 'web' }, 'merge', { status }, options);
  expect(answer['kind']).toBe('Table');
  expect(JSON.stringify(answer).length).toBeLessThan(4_000);
  const stored = await client.get(RESOURCES.rollout, { namespace, name: 'web' });
  expect(stringAt(stored, 'status', 'message')).toBe('written');
});
