import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import { pictureLines } from './lines.ts';
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
  service,
  TEMPLATES,
  virtualService,
  waitingFor,
} from './release.testing.ts';
import { UNPAINTED } from './table.ts';

function lines(objects: readonly JsonMap[], paint = UNPAINTED): string[] {
  return pictureLines(pictureOf(observed(objects), NOW), { paint, programName: 'kubectl sluice' });
}

test('a release that waits for an approval', () => {
  expect(lines(atStepTwo())).toEqual([
    'Rollout shop/web   partition   Progressing   step 2/3 StepPaused   20% of the traffic and matched requests   began 16m ago',
    '├─ steps ●◐○',
    '│  ├─ ✓ 1   20% (1 pod)     traffic 5%                            pause 10m',
    '│  ├─ ▸ 2   2 pods          traffic 20%   header version=canary   until approved',
    '│  └─ · 3   100% (5 pods)',
    '├─ Deployment web   5 pods   paused   web:2',
    '│  ├─ ReplicaSet web-6d5f9c7b8   stable   revision 2   web:1   3/3 ready',
    '│  │  ├─ Pod web-6d5f9c7b8-c2x7k   Running   1/1   0 restarts   15m',
    '│  │  ├─ Pod web-6d5f9c7b8-k9m4p   Running   1/1   0 restarts   15m',
    '│  │  └─ Pod web-6d5f9c7b8-z5t8w   Running   1/1   0 restarts   15m',
    '│  └─ ReplicaSet web-7f8b6d5c9   canary   revision 3   web:2   2/2 ready',
    '│     ├─ Pod web-7f8b6d5c9-b3n6q   Running   1/1   0 restarts   15m',
    '│     └─ Pod web-7f8b6d5c9-w7r2d   Running   1/1   0 restarts   15m',
    '├─ Service web          selects pod-template-hash=6d5f9c7b8              step 2',
    '├─ Service web-canary   selects pod-template-hash=7f8b6d5c9',
    '├─ VirtualService web   to the new version: 20%, header version=canary   step 2',
    '└─ step 2 waits for approval, for 4m10s',
    '   └─ kubectl sluice approve web -n shop',
  ]);
});

test('pods that cannot start come first, with the reason, the deadline and the condition that is not True', () => {
  const status = progressing(
    { currentStepState: 'StepUpgrade' },
    {
      message: 'waits for pods',
      release: { progressTime: ago(200), weight: 5, hasMatches: false },
      conditions: [
        { type: 'Progressing', status: 'True', reason: 'InRolling', message: '' },
        {
          type: 'ScriptsReady',
          status: 'False',
          reason: 'ScriptBroken',
          message: 'line 3\ncorrect it',
          lastTransitionTime: ago(60),
        },
      ],
    },
  );
  const objects = [
    rollout(status, { steps: [{ replicas: 1 }, { replicas: 2, pause: {} }], onFailure: 'rollback' }),
    deployment(),
    replicaSet(HASHES.canary, 2, TEMPLATES.canary, { desired: 2, ready: 1 }),
    pod(HASHES.canary, 'a'),
    pod(HASHES.canary, 'b', waitingFor('ImagePullBackOff', 'Back-off pulling\n image "web:2"')),
  ];
  expect(lines(objects)).toEqual([
    'Rollout shop/web   partition   Progressing   step 2/2 StepUpgrade   5% of the traffic   began 16m ago',
    '│  waits for pods',
    '├─ steps ●◐',
    '│  ├─ ✓ 1   1 pod    until approved',
    '│  └─ ▸ 2   2 pods   until approved',
    '├─ Deployment web   5 pods   paused   web:2',
    '│  └─ ReplicaSet web-7f8b6d5c9   canary   revision 2   web:2   1/2 ready',
    '│     ├─ Pod web-7f8b6d5c9-b   ImagePullBackOff   0/1   0 restarts   15m   Back-off pulling image "web:2"',
    '│     └─ Pod web-7f8b6d5c9-a   Running            1/1   0 restarts   15m',
    '├─ Service web          is not there',
    '├─ VirtualService web   is not there',
    '├─ ScriptsReady is False   ScriptBroken   for 60s',
    '│  └─ line 3',
    '│     correct it',
    '└─ 1 of 2 pods of the new version are ready: ImagePullBackOff, for 3m20s, goes back in 6m40s',
  ]);
});

test('at rest: how the last release ended', () => {
  const objects = [
    rollout(healthy({ outcome: 'Success', startTime: ago(7_000), finishTime: ago(3_600) })),
    deployment({ paused: false, replicas: 1 }, ARMED),
    replicaSet(HASHES.canary, 2, TEMPLATES.canary),
    pod(HASHES.canary, 'a'),
    service('web'),
    virtualService(),
  ];
  expect(lines(objects)).toEqual([
    'Rollout shop/web   partition   Healthy   step 3/3 Completed   Success   finished 60m ago',
    '├─ steps ●●●',
    '│  ├─ ✓ 1   20% (1 pod)    traffic 5%                            pause 10m',
    '│  ├─ ✓ 2   2 pods         traffic 20%   header version=canary   until approved',
    '│  └─ ✓ 3   100% (1 pod)',
    '├─ Deployment web   1 pod   web:2',
    '│  └─ ReplicaSet web-7f8b6d5c9   stable   revision 2   web:2   1/1 ready',
    '│     └─ Pod web-7f8b6d5c9-a   Running   1/1   0 restarts   15m',
    '├─ Service web          as without a release',
    '└─ VirtualService web   as without a release',
  ]);
});

test('of many pods those that are not ready are shown, and the rest is counted', () => {
  const suffixes = Array.from({ length: 30 }, (_, i) => String(i).padStart(2, '0'));
  const pods = suffixes.map((suffix) => pod(HASHES.canary, suffix, Number(suffix) % 5 === 0 ? waitingFor('Bad') : {}));
  const set = replicaSet(HASHES.canary, 2, TEMPLATES.canary, { desired: 30, ready: 24 });
  const shown = lines([rollout(progressing()), deployment(), set, ...pods]).filter((line) => /Pod |more/.test(line));
  expect(shown).toHaveLength(10);
  expect(shown.slice(0, 6).every((line) => line.includes('Bad'))).toBe(true);
  expect(shown.at(-1)).toContain('… and 21 pods more, all ready');
});

test('colours are for what needs eyes, and change no text', () => {
  const painted = lines(atStepTwo(), (style, text) => `<${style}>${text}</${style}>`);
  expect(painted.map((line) => line.replaceAll(/<[^>]*>/g, ''))).toEqual(lines(atStepTwo()));
  expect(painted.join('\n')).toContain('<cyan>canary</cyan>');
  expect(painted.at(-2)).toContain('<yellow>');
});
