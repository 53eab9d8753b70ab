import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { at, type Json, type JsonMap } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';

const server = cluster();
const { client, kubectl } = server;
let sluice: Installed;
let namespace = '';
/** Somebody with the role `edit` of the namespace, as who releases with kubectl-kruise has. */
let alice = '';

// What is stored is what the tests write: the controller would report what it sees.
beforeAll(async () => {
  sluice = await installSluice(server);
  await sluice.rest();
  alice = await server.as('alice');
});
afterAll(() => sluice.uninstall());
afterAll(() => expectNoTakenFields(server.client));
beforeEach(async () => {
  namespace = await server.namespace();
  const binding = ['create', 'rolebinding', 'alice', '-n', namespace, '--clusterrole=edit', '--user=alice'];
  succeeded(await kubectl(binding));
});

type Strategy = 'canary' | 'blueGreen';
const rolloutOf = (strategy: Strategy): JsonMap => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'web' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { [strategy]: { steps: [{ replicas: 1 }, { replicas: 2 }, { replicas: '100%' }] } },
  },
});

/** The status of a release that has waited in step 2 for a while, as the controller writes it; `change` is of its sub-status. */
async function waits(strategy: Strategy = 'canary', change: JsonMap = {}, status: JsonMap = {}): Promise<void> {
  await server.apply(namespace, rolloutOf(strategy));
  const version = strategy === 'canary' ? 'canary' : 'updated';
  const sub = {
    podTemplateHash: 'abc',
    currentStepIndex: 2,
    nextStepIndex: 3,
    currentStepState: 'StepPaused',
    finalisingStep: '',
    lastUpdateTime: new Date(Date.now() - 60_000).toISOString(),
    ...{ [`${version}Revision`]: 'b', [`${version}Replicas`]: 2, [`${version}ReadyReplicas`]: 2 },
    ...change,
  };
  const whole = {
    phase: 'Progressing',
    message: 'waits',
    currentStepIndex: 2,
    currentStepState: 'StepPaused',
    [`${strategy}Status`]: sub,
    release: { stableTemplate: 'a', canaryTemplate: 'b', startTime: '2026-01-02T03:00:00Z' },
    ...status,
  };
  const name = { namespace, name: 'web' };
  await sluice.controller.patch(RESOURCES.rollout, name, 'merge', { status: whole }, { subresource: 'status' });
}

/** `kubectl patch --subresource status --type merge`, as kubectl-kruise sends it. */
function patch(status: Json, kind = 'rollout') {
  const words = ['patch', kind, 'web', '-n', namespace, '--subresource=status', '--type=merge'];
  return kubectl([...words, '-p', JSON.stringify({ status })], { kubeconfig: alice });
}

const stored = async (...path: (string | number)[]) =>
  at(await client.get(RESOURCES.rollout, { namespace, name: 'web' }), ['status', ...path]);

const APPROVAL = { canaryStatus: { currentStepState: 'StepReady' } };

describe('the requests of kubectl-kruise, in their very bodies, are stored', () => {
  test('approve', async () => {
    await waits();
    succeeded(await patch(APPROVAL));
    expect(await stored('canaryStatus', 'currentStepState')).toBe('StepReady');
    succeeded(await patch(APPROVAL));
  });

  test('approve of a blue-green release', async () => {
    await waits('blueGreen');
    succeeded(await patch({ blueGreenStatus: { currentStepState: 'StepReady' } }));
    expect(await stored('blueGreenStatus', 'currentStepState')).toBe('StepReady');
  });

  test('approve of a Rollout in v1alpha1, and what that version does not show stays', async () => {
    await waits();
    succeeded(await patch(APPROVAL, 'rollouts.v1alpha1.rollouts.kruise.io'));
    expect(await stored('canaryStatus', 'currentStepState')).toBe('StepReady');
    expect(await stored('release', 'canaryTemplate')).toBe('b');
  });

  test('undo --fast: a jump back', async () => {
    await waits();
    succeeded(await patch({ canaryStatus: { nextStepIndex: 1 } }));
    expect(await stored('canaryStatus', 'nextStepIndex')).toBe(1);
  });
});

describe('the requests of kubectl sluice are stored', () => {
  test.each(['promote', 'abort', 'retry'])('%s, and taken back', async (request) => {
    await waits();
    succeeded(await patch({ release: { request } }));
    expect(await stored('release', 'request')).toBe(request);
    succeeded(await patch({ release: { request: null } }));
    expect(await stored('release', 'request')).toBeUndefined();
  });

  test('an approval that names its step, though that has only just paused', async () => {
    await waits('canary', { lastUpdateTime: new Date().toISOString() });
    succeeded(await patch({ ...APPROVAL, release: { approvedStep: 2 } }));
    expect(await stored('release', 'approvedStep')).toBe(2);
  });
});

describe('everything else is refused, and kubectl shows the field and what to do', () => {
  test.each<[string, Json, JsonMap, string]>([
    ['another phase', { phase: 'Healthy' }, {}, "status.phase: is written by Sluice's controller alone"],
    ['another step', { canaryStatus: { currentStepIndex: 3 } }, {}, 'status.canaryStatus.currentStepIndex'],
    ['a forged outcome', { release: { outcome: 'Success' } }, {}, 'status.release.outcome'],
    [
      'a state out of order',
      { canaryStatus: { currentStepState: 'Completed' } },
      {},
      'can only be written as StepReady',
    ],
    ['an approval too early', APPROVAL, { currentStepState: 'StepUpgrade' }, 'wait until it is StepPaused'],
    ['a jump nowhere', { canaryStatus: { nextStepIndex: 9 } }, {}, 'a step to jump to, 1 to 3, not 9'],
    ['an approval of another step', { ...APPROVAL, release: { approvedStep: 1 } }, {}, 'the release is at step 2'],
  ])('%s', async (_, status, sub, message) => {
    await waits('canary', sub);
    const before = await stored();
    const { exitCode, stderr } = await patch(status);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(await stored()).toEqual(before);
  });

  test('in v1alpha1, too', async () => {
    await waits();
    const { exitCode, stderr } = await patch({ phase: 'Healthy' }, 'rollouts.v1alpha1.rollouts.kruise.io');
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('status.phase')]);
  });

  test('an approval just after the pause that names no step, by the clock of the webhook; it passes when it is repeated', async () => {
    await waits('canary', { lastUpdateTime: new Date().toISOString() });
    const { exitCode, stderr } = await patch(APPROVAL);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('step 2 has only just paused')]);
    await until('the pause to have lasted', async () => (await patch(APPROVAL)).exitCode === 0);
    expect(await stored('canaryStatus', 'currentStepState')).toBe('StepReady');
  });
});

test('a cluster administrator is no exception', async () => {
  await waits();
  const words = ['patch', 'rollout', 'web', '-n', namespace, '--subresource=status', '--type=merge', '-p'];
  const { exitCode, stderr } = await kubectl([...words, '{"status":{"phase":"Healthy"}}']);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('status.phase')]);
});
