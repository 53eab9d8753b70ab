import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import type { Picture } from './picture.ts';
import { pictureOf } from './picture-of.ts';
import {
  ARMED,
  ago,
  atStepTwo,
  deployment,
  HASHES,
  healthy,
  NOW,
  observed,
  pod,
  progressing,
  replicaSet,
  rollout,
  TEMPLATES,
  virtualService,
  waitingFor,
} from './release.testing.ts';
import { transitions } from './transitions.ts';

function picture(changed: readonly JsonMap[] = [], gone: readonly string[] = [], now = NOW): Picture {
  const nameOf = ({ kind, metadata }: JsonMap) => `${kind} ${(metadata as JsonMap)['name']}`;
  const names = new Set([...changed.map(nameOf), ...gone]);
  return pictureOf(observed([...atStepTwo().filter((object) => !names.has(nameOf(object))), ...changed]), now);
}

const condition = (status: string): JsonMap => ({
  type: 'ScriptsReady',
  status,
  reason: 'ScriptBroken',
  message: 'line 3',
});

test('at first everything is told', () => {
  expect(transitions(undefined, picture())).toEqual([
    'Progressing, step 2/3 StepPaused, 20% of the traffic and matched requests; step 2 waits for approval',
    'Deployment web: web:2, 5 pods',
    'ReplicaSet web-6d5f9c7b8: stable, web:1, 3/3 ready',
    'ReplicaSet web-7f8b6d5c9: canary, web:2, 2/2 ready',
    'Service web: selects pod-template-hash=6d5f9c7b8',
    'Service web-canary: selects pod-template-hash=7f8b6d5c9',
    'VirtualService web: to the new version: 20%, header version=canary',
  ]);
});

test.each<[string, JsonMap]>([
  ['an approval', progressing()],
  ['a pause', progressing({ currentStepIndex: 1 })],
  ['a grace period', progressing({ currentStepState: 'StepTrafficRouting' }, { release: { networkTime: ago(1) } })],
  ['pods', progressing({ currentStepState: 'StepUpgrade' }, { release: { progressTime: ago(1) } })],
])('time alone is no transition: %s', (_, status) => {
  const later = new Date(NOW.getTime() + 100_000);
  expect(transitions(picture([rollout(status)]), picture([rollout(status)], [], later))).toEqual([]);
});

test.each<[string, JsonMap[], string[]]>([
  [
    'an approval',
    [rollout(progressing({ currentStepState: 'StepReady' }))],
    ['Progressing, step 2/3 StepReady, 20% of the traffic and matched requests'],
  ],
  [
    'a request',
    [rollout(progressing({}, { release: { request: 'abort' } }))],
    [
      'Progressing, step 2/3 StepPaused, 20% of the traffic and matched requests; abort was asked for, and is to be carried out; step 2 waits for approval',
    ],
  ],
  [
    'a pod that is not ready any more, and why',
    [
      replicaSet(HASHES.canary, 2, TEMPLATES.canary, { desired: 2, ready: 1 }),
      pod(HASHES.canary, 'w7r2d', waitingFor('CrashLoopBackOff', 'back-off 10s')),
    ],
    ['ReplicaSet web-7f8b6d5c9: canary, web:2, 1/2 ready', 'Pod web-7f8b6d5c9-w7r2d: CrashLoopBackOff: back-off 10s'],
  ],
  ['a gateway object that is restored', [virtualService()], ['VirtualService web: as without a release']],
  [
    'a condition that turned False',
    [rollout(progressing({}, { conditions: [condition('False')] }))],
    ['condition ScriptsReady: False ScriptBroken: line 3'],
  ],
  [
    'the end',
    [rollout(healthy({ outcome: 'Rollback' })), deployment({ template: TEMPLATES.stable }, ARMED)],
    [
      'Healthy, step 3/3 Completed, Rollback',
      'Deployment web: web:1, 5 pods',
      'ReplicaSet web-7f8b6d5c9: web:2, 2/2 ready',
    ],
  ],
])('a line for what changed: %s', (_, changed, told) => {
  expect(transitions(picture(), picture(changed))).toEqual(told);
});

test('a line for what is gone, or well again', () => {
  const bad = rollout(progressing({}, { conditions: [condition('False')] }));
  expect(transitions(picture([bad]), picture())).toEqual(['condition ScriptsReady: is well again']);
  const gone = ['ReplicaSet web-6d5f9c7b8', 'Service web-canary', 'Pod web-6d5f9c7b8-c2x7k'];
  expect(transitions(picture(), picture([], gone))).toEqual([
    'ReplicaSet web-6d5f9c7b8: is gone',
    'Service web-canary: is gone',
  ]);
});

test('the trouble of a pod ends without a word of its own: its ReplicaSet tells of it', () => {
  const bad = pod(HASHES.canary, 'w7r2d', waitingFor('CrashLoopBackOff'));
  expect(transitions(picture([bad]), picture())).toEqual([]);
});
