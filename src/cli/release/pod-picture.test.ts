import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import { podPicture } from './pod-picture.ts';
import { ago, HASHES, NOW, pod, waitingFor } from './release.testing.ts';

const told = (status: JsonMap, metadata: JsonMap = {}) => podPicture(pod(HASHES.canary, 'a', status, metadata), NOW);

const init = (...states: JsonMap[]) => ({
  phase: 'Pending',
  initContainerStatuses: states.map((state, i) => ({ name: `i${i}`, state })),
  containerStatuses: [
    { name: 'web', ready: false, restartCount: 0, state: { waiting: { reason: 'PodInitializing' } } },
  ],
});
const DONE = { terminated: { exitCode: 0, reason: 'Completed' } };
const terminated = (reason: string, phase = 'Running') => ({
  phase,
  containerStatuses: [{ name: 'web', ready: false, restartCount: 3, state: { terminated: { reason } } }],
});
const unscheduled = {
  phase: 'Pending',
  conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' }],
  containerStatuses: [],
};

test.each<[string, JsonMap, string, boolean, string?]>([
  ['a running one', {}, 'Running', false],
  [
    'one whose image cannot be had',
    waitingFor('ImagePullBackOff', 'no such image'),
    'ImagePullBackOff',
    true,
    'no such image',
  ],
  ['one that is being made', waitingFor('ContainerCreating'), 'ContainerCreating', false],
  ['one that ended with an error', terminated('OOMKilled'), 'OOMKilled', true],
  ['one that has done its work', terminated('Completed', 'Succeeded'), 'Succeeded', false],
  ['one without a node', unscheduled, 'Unschedulable', true, '0/3 nodes are available'],
  ['one that was evicted', { phase: 'Failed', reason: 'Evicted', message: 'no memory' }, 'Evicted', true, 'no memory'],
  ['one that has begun', { phase: 'Pending', containerStatuses: [] }, 'Pending', false],
  ['one that failed', { phase: 'Failed', containerStatuses: [] }, 'Failed', true],
  [
    'one at its first init container',
    init({ running: {} }, { waiting: { reason: 'PodInitializing' } }),
    'Init:0/2',
    false,
  ],
  ['one at its second init container', init(DONE, { running: {} }), 'Init:1/2', false],
  [
    'one whose init container fails',
    init({ waiting: { reason: 'CrashLoopBackOff', message: 'again' } }),
    'Init:CrashLoopBackOff',
    true,
    'again',
  ],
  ['one whose init containers are done', { ...init(DONE), ...terminated('Error') }, 'Error', true],
])('a pod is told in one word: %s', (_, status, state, isProblem, message) => {
  const found = told(status);
  expect([found.state, found.isProblem, found.message]).toEqual([state, isProblem, message]);
});

test('a pod that was deleted ends, whatever its containers say', () => {
  expect(told(waitingFor('CrashLoopBackOff'), { deletionTimestamp: ago(5) })).toMatchObject({
    state: 'Terminating',
    isProblem: false,
  });
});

test('a sidecar among the init containers goes on beside the others', () => {
  const status = {
    phase: 'Running',
    initContainerStatuses: [{ name: 'proxy', started: true, state: { running: {} } }],
  };
  expect(told(status)).toMatchObject({ state: 'Running', isProblem: false });
});

test('readiness, restarts and age are those of its status', () => {
  const containerStatuses = [
    { name: 'a', ready: true, restartCount: 2, state: { running: {} } },
    { name: 'b', ready: false, restartCount: 1, state: { running: {} } },
  ];
  expect(told({ containerStatuses, conditions: [{ type: 'Ready', status: 'False' }] })).toEqual({
    name: 'web-7f8b6d5c9-a',
    state: 'Running',
    isProblem: false,
    ready: false,
    readyContainers: 1,
    containers: 1,
    restarts: 3,
    ageSeconds: 900,
  });
});
