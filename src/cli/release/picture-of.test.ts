import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import { messageOf } from '../../release/message.ts';
import { GRACE } from '../../release/network.ts';
import type { Picture } from './picture.ts';
import { pictureOf } from './picture-of.ts';
import {
  ARMED,
  ago,
  atStepTwo,
  deployment,
  directive,
  HASHES,
  HELD,
  healthy,
  NOW,
  observed,
  pod,
  progressing,
  replicaSet,
  rollout,
  service,
  TEMPLATE_HASHES,
  TEMPLATES,
  template,
  virtualService,
  waitingFor,
} from './release.testing.ts';

/** The picture of the release at its second step, with some objects in place of others. */
function picture(...changed: JsonMap[]): Picture {
  const nameOf = ({ kind, metadata }: JsonMap) => `${kind} ${(metadata as JsonMap)['name']}`;
  const names = new Set(changed.map(nameOf));
  return pictureOf(observed([...atStepTwo().filter((object) => !names.has(nameOf(object))), ...changed]), NOW);
}

test('a release that waits: all of it, as `-o json` has it', () => {
  expect(picture()).toEqual({
    rollout: {
      namespace: 'shop',
      name: 'web',
      style: 'partition',
      stage: 'releasing',
      phase: 'Progressing',
      step: 2,
      state: 'StepPaused',
      finalisingStep: '',
      paused: false,
      weight: 20,
      hasMatches: true,
      message: '',
      ageSeconds: 345_600,
      secondsSinceStart: 1_000,
    },
    steps: [
      {
        step: 1,
        replicas: '20%',
        pods: 1,
        traffic: '5%',
        matches: [],
        pause: { type: 'duration', seconds: 600 },
        place: 'done',
      },
      {
        step: 2,
        replicas: 2,
        pods: 2,
        traffic: '20%',
        matches: ['header version=canary'],
        pause: { type: 'approval' },
        place: 'current',
      },
      { step: 3, replicas: '100%', pods: 5, matches: [], pause: { type: 'none' }, place: 'coming' },
    ],
    workload: {
      kind: 'Deployment',
      name: 'web',
      images: 'web:2',
      replicas: 5,
      paused: true,
      state: 'found',
      sets: [
        {
          name: 'web-6d5f9c7b8',
          deployment: 'web',
          role: 'stable',
          revision: 2,
          template: TEMPLATE_HASHES.stable,
          images: 'web:1',
          desired: 3,
          replicas: 3,
          ready: 3,
          pods: ['c2x7k', 'k9m4p', 'z5t8w'].map((suffix) => running(`web-6d5f9c7b8-${suffix}`)),
        },
        {
          name: 'web-7f8b6d5c9',
          deployment: 'web',
          role: 'canary',
          revision: 3,
          template: TEMPLATE_HASHES.canary,
          images: 'web:2',
          desired: 2,
          replicas: 2,
          ready: 2,
          pods: ['b3n6q', 'w7r2d'].map((suffix) => running(`web-7f8b6d5c9-${suffix}`)),
        },
      ],
    },
    network: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: 'web',
        role: 'stable',
        state: 'steered',
        step: 2,
        matches: [],
        selector: { 'pod-template-hash': HASHES.stable },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: 'web-canary',
        role: 'canary',
        state: 'resting',
        matches: [],
        selector: { 'pod-template-hash': HASHES.canary },
      },
      {
        apiVersion: 'networking.istio.io/v1beta1',
        kind: 'VirtualService',
        name: 'web',
        role: 'gateway',
        state: 'steered',
        step: 2,
        weight: 20,
        matches: ['header version=canary'],
      },
    ],
    conditions: [],
    waits: [{ for: 'approval', text: 'step 2 waits for approval', seconds: 250, commands: ['approve web -n shop'] }],
  });
});

function running(name: string) {
  return {
    name,
    state: 'Running',
    isProblem: false,
    ready: true,
    readyContainers: 1,
    containers: 1,
    restarts: 0,
    ageSeconds: 900,
  };
}

const at = (state: string, sub: JsonMap = {}, release: JsonMap = {}, more: JsonMap = {}) =>
  rollout(progressing({ currentStepState: state, ...sub }, { release, ...more }));
const MOVING = (waitingFor: string) =>
  messageOf({
    record: { step: 2, reason: 'InRolling', state: 'StepTrafficRouting', outcome: undefined },
    ...{ steps: 3, waitingFor, isBlocked: false },
  });
function beginning(waitingFor: string, isBlocked: boolean, spec: JsonMap = {}): JsonMap {
  const step = { step: 1, reason: 'Initializing', state: 'BeforeStepUpgrade', outcome: undefined } as const;
  const message = messageOf({ record: step, steps: 3, waitingFor, isBlocked });
  return rollout(progressing({ currentStepState: step.state }, { reason: step.reason, message }), {}, spec);
}
const unready = [
  replicaSet(HASHES.canary, 2, TEMPLATES.canary, { desired: 2, ready: 1 }),
  pod(HASHES.canary, 'w7r2d', waitingFor('ImagePullBackOff', 'no such image')),
];
const ROUTING = { trafficRoutings: [{ service: 'web', gracePeriodSeconds: 30 }] };

test.each<[string, JsonMap[], JsonMap]>([
  ['an approval', [], { for: 'approval', seconds: 250, commands: ['approve web -n shop'] }],
  [
    'the end of a pause',
    [at('StepPaused', { currentStepIndex: 1 })],
    { for: 'pause', text: 'step 1 pauses', seconds: 250, secondsLeft: 350, commands: ['approve web -n shop'] },
  ],
  [
    'a pause that is over',
    [at('StepPaused', { currentStepIndex: 1, lastUpdateTime: ago(700) })],
    { for: 'pause', secondsLeft: 0 },
  ],
  [
    'somebody who resumes it',
    [rollout(progressing(), {}, { strategy: { paused: true, canary: { steps: [{ replicas: 1 }] } } })],
    { for: 'resume', commands: ['resume web -n shop'] },
  ],
  [
    'pods, with what is wrong with them and until when',
    [at('StepUpgrade', {}, { progressTime: ago(200) }), ...unready],
    {
      for: 'pods',
      text: '1 of 2 pods of the new version are ready: ImagePullBackOff',
      seconds: 200,
      deadline: { secondsLeft: 400, onFailure: 'pause' },
      commands: [],
    },
  ],
  [
    'pods, with a deadline of its own',
    [
      rollout(progressing({ currentStepState: 'StepUpgrade' }, { release: { progressTime: ago(50) } }), {
        progressDeadlineSeconds: 60,
        onFailure: 'rollback',
      }),
      ...unready,
    ],
    { for: 'pods', deadline: { secondsLeft: 10, onFailure: 'rollback' } },
  ],
  ['the controller, once the pods are ready', [at('StepUpgrade')], { for: 'controller' }],
  [
    'a grace period',
    [rollout(progressing({ currentStepState: 'StepTrafficRouting' }, { release: { networkTime: ago(10) } }), ROUTING)],
    { for: 'traffic', secondsLeft: 20 },
  ],
  [
    'the default grace period, which is over',
    [at('StepTrafficRouting', {}, { networkTime: ago(10) })],
    {
      for: 'traffic',
      text: 'step 2 waits for Services and gateway objects to take on what it says',
      seconds: 250,
    },
  ],
  [
    'what keeps traffic from moving, as the controller says it',
    [at('StepTrafficRouting', {}, { networkTime: ago(1) }, { message: MOVING('the canary Services') })],
    { for: 'traffic', text: 'step 2 waits for the canary Services', seconds: 250 },
  ],
  [
    'the grace period, as the controller says it',
    [at('StepTrafficRouting', {}, { networkTime: ago(1) }, { message: MOVING(GRACE) })],
    { for: 'traffic', text: `step 2 waits for ${GRACE}`, secondsLeft: 2 },
  ],
  [
    'Services, before there are pods',
    [at('BeforeStepUpgrade', {}, {}, { message: MOVING('the stable Services to select the old version only') })],
    { for: 'traffic', text: 'step 2 waits for the stable Services to select the old version only', seconds: 250 },
  ],
  ['the next step', [at('StepReady')], { for: 'controller', text: 'step 2 is over, and the next one begins' }],
  [
    'the closing sequence',
    [
      rollout(
        progressing(
          { finalisingStep: 'ResumeWorkload', currentStepState: 'Completed', currentStepIndex: 3 },
          { reason: 'Finalising', release: { outcome: 'Success' } },
        ),
      ),
    ],
    { for: 'closing', text: 'all steps are done: ResumeWorkload' },
  ],
  [
    'the way back',
    [
      rollout(
        progressing(
          { finalisingStep: 'FinalisingStepRouteTrafficToStable' },
          { reason: 'Cancelling', release: { outcome: 'Abort' } },
        ),
      ),
    ],
    { for: 'closing', text: 'traffic and pods go back to the old version: FinalisingStepRouteTrafficToStable' },
  ],
  [
    'a decision, after an abort',
    [rollout(progressing({}, { reason: 'Paused', release: { outcome: 'Abort' } }))],
    { for: 'decision', commands: ['retry web -n shop', 'undo web -n shop'] },
  ],
  [
    'the old version, before the first step',
    [rollout(progressing({ currentStepState: 'BeforeStepUpgrade' }, { reason: 'Initializing' }))],
    {
      for: 'controller',
      text: 'the release begins, and waits for the old version to get its full size and all traffic',
    },
  ],
  [
    'pods of the old version, before the first step, as the controller says it',
    [beginning('5 ready pods of the old version', false)],
    { for: 'controller', text: 'the release begins, and waits for 5 ready pods of the old version' },
  ],
  [
    'somebody who mends what keeps it from beginning',
    [beginning('its owner, who has paused the workload', true)],
    {
      for: 'obstacle',
      text: 'the release is held, and waits for its owner, who has paused the workload',
      commands: [],
    },
  ],
  [
    'the same before a resume',
    [beginning('its owner', true, { strategy: { paused: true, canary: { steps: [{ replicas: 1 }] } } })],
    { for: 'obstacle' },
  ],
  ['the controller, when it has not begun', [rollout(healthy())], { for: 'controller' }],
  ['the controller, when it does not know the Rollout', [rollout({})], { for: 'controller' }],
  ['what is missing', [rollout({ phase: 'Initial' })], { text: 'what it names is not there yet: see its conditions' }],
])('it waits for %s', (_, changed, wait) => {
  expect(picture(...changed).waits).toEqual([expect.objectContaining(wait)]);
});

test('what was asked for is told before all else', () => {
  const { waits } = picture(at('StepPaused', {}, { request: 'promote' }));
  expect(waits.map((wait) => wait.for)).toEqual(['request', 'approval']);
});

test('blue-green: the old pods are kept for a while after all traffic has moved', () => {
  const { canaryStatus, ...status } = progressing(
    { finalisingStep: 'FinalisingStepRouteTrafficToNew' },
    { reason: 'Finalising', release: { networkTime: ago(10), outcome: 'Success' } },
  );
  const strategy = { blueGreen: { steps: [{ replicas: '100%' }], scaleDownDelaySeconds: 60 } };
  const { waits } = picture(rollout({ ...status, blueGreenStatus: canaryStatus ?? {} }, {}, { strategy }));
  expect(waits).toMatchObject([{ for: 'closing', secondsLeft: 50 }]);
});

test('at rest nothing is waited for, the one version is the stable one, and old ReplicaSets are left out', () => {
  const {
    rollout: state,
    workload,
    waits,
    steps,
    network,
  } = pictureOf(
    observed([
      rollout(healthy({ outcome: 'Success', startTime: ago(7_000), finishTime: ago(3_600) })),
      deployment({ paused: false }, ARMED),
      replicaSet(HASHES.stable, 1, TEMPLATES.stable, { desired: 0 }),
      replicaSet(HASHES.canary, 2, TEMPLATES.canary, { desired: 5 }),
      service('web'),
      virtualService(),
    ]),
    NOW,
  );
  expect(waits).toEqual([]);
  expect(state).toMatchObject({ stage: 'resting', outcome: 'Success', secondsSinceFinish: 3_600 });
  expect(workload.sets.map(({ name, role }) => [name, role])).toEqual([['web-7f8b6d5c9', 'stable']]);
  expect(steps.map(({ place }) => place)).toEqual(['done', 'done', 'done']);
  expect(network.map(({ kind, state: is }) => [kind, is])).toEqual([
    ['Service', 'resting'],
    ['VirtualService', 'resting'],
  ]);
});

test('a version that is held is told by the workload before the status follows: both versions are known', () => {
  const next = template('web:3');
  const stable = TEMPLATE_HASHES.canary;
  const {
    workload,
    rollout: state,
    steps,
  } = pictureOf(
    observed([
      rollout(healthy({ outcome: 'Success' })),
      deployment(
        { template: next },
        directive({ type: 'workload', style: 'partition', stable, paused: true }, { revision: 'third' }),
      ),
      replicaSet(HASHES.canary, 2, TEMPLATES.canary, { desired: 5 }),
      replicaSet(HASHES.stable, 1, TEMPLATES.stable, { desired: 0 }),
    ]),
    NOW,
  );
  expect(state.stage).toBe('held');
  expect(workload.sets.map(({ name, role }) => [name, role])).toEqual([['web-7f8b6d5c9', 'stable']]);
  expect(steps.map(({ place }) => place)).toEqual(['coming', 'coming', 'coming']);
});

test('on the way back the versions keep their roles, though the workload says the old one', () => {
  const back = directive(
    { type: 'workload', style: 'partition', stable: TEMPLATE_HASHES.stable, paused: false },
    { revision: TEMPLATE_HASHES.stable },
  );
  const { workload } = picture(
    rollout(progressing({}, { reason: 'Cancelling', release: { outcome: 'Rollback' } })),
    deployment({ template: TEMPLATES.stable }, back),
  );
  expect(workload.sets.map(({ role, images }) => [role, images])).toEqual([
    ['stable', 'web:1'],
    ['canary', 'web:2'],
  ]);
});

test('in the canary style the new version has a Deployment of its own, which is told beside its ReplicaSet', () => {
  const extra = {
    ...deployment(
      {},
      {},
      { name: 'web-x7k2p', uid: 'extra', labels: { 'rollouts.kruise.io/canary-deployment': 'web' } },
    ),
  };
  const { workload, rollout: state } = picture(
    rollout(progressing(), { enableExtraWorkloadForCanary: true }),
    extra,
    replicaSet(HASHES.canary, 1, template('web:2-patched'), { desired: 2, owner: 'extra' }),
  );
  expect(state.style).toBe('canary');
  expect(workload.sets.map(({ role, deployment: owner }) => [role, owner])).toEqual([
    ['stable', 'web'],
    ['canary', 'web-x7k2p'],
  ]);
});

test('ReplicaSets and pods that the same labels select, but others own, are not its', () => {
  const foreign = replicaSet('foreign', 7, template('other:1'), { owner: 'somebody' });
  const { workload } = picture(foreign, pod('foreign', 'a'));
  expect(workload.sets.map(({ name }) => name)).toEqual(['web-6d5f9c7b8', 'web-7f8b6d5c9']);
});

test('a status of OpenKruise, without hashes of templates, tells versions by its revisions', () => {
  const { release: _, ...status } = progressing();
  const { workload } = picture(rollout(status), deployment({ template: template('web:2') }, {}));
  expect(workload.sets.map(({ role, images }) => [role, images])).toEqual([
    ['stable', 'web:1'],
    ['canary', 'web:2'],
  ]);
});

test('blue-green: its own sub-status, and the last step keeps its pause', () => {
  const { canaryStatus, ...status } = progressing();
  const steps = [
    { replicas: '100%', traffic: '0%', pause: {} },
    { replicas: '100%', traffic: '100%' },
  ];
  const strategy = { blueGreen: { steps, trafficRoutings: [{ service: 'web' }] } };
  const {
    rollout: state,
    steps: told,
    waits,
  } = picture(rollout({ ...status, blueGreenStatus: canaryStatus ?? {} }, {}, { strategy }));
  expect(state).toMatchObject({ style: 'blueGreen', step: 2, state: 'StepPaused' });
  expect(told.map(({ pause }) => pause.type)).toEqual(['approval', 'approval']);
  expect(waits).toMatchObject([{ for: 'approval' }]);
});

test('conditions that are not True are told with their age; those of the release itself are told by the stage', () => {
  const conditions = [
    { type: 'Progressing', status: 'False', reason: 'Completed', message: '' },
    { type: 'Succeeded', status: 'False', reason: '', message: '' },
    { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' },
    { type: 'ScriptsReady', status: 'False', reason: 'ScriptBroken', message: 'line 3', lastTransitionTime: ago(60) },
    { type: 'Expressible', status: 'Unknown', reason: 'Waiting', message: 'for scripts' },
  ];
  expect(picture(rollout(progressing({}, { conditions }))).conditions).toEqual([
    { type: 'ScriptsReady', status: 'False', reason: 'ScriptBroken', message: 'line 3', secondsSince: 60 },
    { type: 'Expressible', status: 'Unknown', reason: 'Waiting', message: 'for scripts' },
  ]);
});

test('what is not there or may not be read is told in its place, and the rest is shown', () => {
  const { workload, network } = pictureOf(
    observed([rollout(progressing()), deployment(), service('web', { 'directive.sluice.dev/web': '{' })], {
      Pod: 'you may not list pods',
      VirtualService: 'you may not get virtualservices',
    }),
    NOW,
  );
  expect(workload).toMatchObject({ state: 'found', reason: 'you may not list pods', sets: [] });
  expect(network).toEqual([
    expect.objectContaining({
      kind: 'Service',
      state: 'unreadable',
      reason: expect.stringContaining('it is not JSON'),
    }),
    expect.objectContaining({ kind: 'VirtualService', state: 'unreadable', reason: 'you may not get virtualservices' }),
  ]);
  expect(pictureOf(observed([rollout(progressing())]), NOW)).toMatchObject({
    workload: { state: 'missing' },
    network: [{ kind: 'Service', state: 'missing' }, { state: 'missing' }],
  });
  const unreadable = pictureOf(observed([rollout(progressing())], { Deployment: 'no' }), NOW);
  expect(unreadable.workload).toMatchObject({ state: 'unreadable', reason: 'no' });
});

test('an Ingress class is steered on the canary Ingress, which is told only while it is there', () => {
  const routing = { trafficRoutings: [{ service: 'web', ingress: { name: 'web' } }] };
  const ingress = (name: string, annotations: JsonMap = {}): JsonMap => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'shop', annotations },
  });
  const action = {
    type: 'gateway',
    contract: 'ingress',
    script: { name: 'ingress/nginx', hash: 'h' },
    routes: [{ stableService: 'web', canaryService: 'web-canary' }],
    weight: 20,
  } as const;
  const base = [rollout(progressing(), routing), deployment(), ingress('web')];
  const told = (objects: JsonMap[]) =>
    pictureOf(observed(objects), NOW).network.map(({ kind, name, state, weight }) => [kind, name, state, weight]);
  expect(
    told([...base, ingress('web-canary', { 'sluice.dev/made-by': Object.values(directive(action))[0] ?? '' })]),
  ).toEqual([
    ['Service', 'web', 'missing', undefined],
    ['Ingress', 'web', 'resting', undefined],
    ['Ingress', 'web-canary', 'steered', 20],
  ]);
  expect(told(base)).not.toContainEqual(expect.arrayContaining(['web-canary']));
});

test('a TrafficRouting is steered while the Rollout holds it, by what it says or what the release asks for on its way', () => {
  const trafficRouting = (annotations: JsonMap, strategy: JsonMap): JsonMap => ({
    apiVersion: 'rollouts.kruise.io/v1alpha1',
    kind: 'TrafficRouting',
    metadata: { name: 'gray', namespace: 'shop', annotations },
    spec: { objectRef: [{ service: 'web' }], strategy },
  });
  const users = { annotations: { 'rollouts.kruise.io/trafficrouting': 'gray' } };
  const told = (...objects: JsonMap[]) => {
    const owner = rollout(progressing(), { trafficRoutings: [] }, {}, users);
    return pictureOf(observed([owner, deployment(), ...objects]), NOW).network.map(
      ({ kind, name, state, weight, matches }) => [kind, name, state, weight, matches],
    );
  };
  const hold = (name: string, weight?: number): JsonMap => ({
    [`hold.sluice.dev/${name}`]: JSON.stringify({
      rollout: name,
      step: 2,
      ...(weight === undefined ? {} : { weight }),
    }),
  });
  const tester = { matches: [{ headers: [{ name: 'tester', value: 'yes' }] }] };
  const one = ['TrafficRouting', 'gray'];
  expect(told()).toEqual([[...one, 'missing', undefined, []]]);
  expect(told(trafficRouting(hold('other'), tester))).toEqual([[...one, 'resting', undefined, []]]);
  expect(told(trafficRouting(hold('web'), tester))).toEqual([[...one, 'steered', undefined, ['header tester=yes']]]);
  expect(told(trafficRouting(hold('web'), { weight: 20 }))).toEqual([[...one, 'steered', 20, []]]);
  expect(told(trafficRouting(hold('web', 10), { weight: 20 }))).toEqual([[...one, 'steered', 10, []]]);
});

test('a Rollout without a workload, a strategy or a status is told without a fault', () => {
  const bare = {
    kind: 'Rollout',
    apiVersion: 'rollouts.kruise.io/v1beta1',
    metadata: { name: 'web', namespace: 'shop' },
  };
  for (const spec of [
    {},
    { spec: { strategy: {} } },
    { spec: { strategy: { canary: {} } }, status: { phase: 'Progressing' } },
  ]) {
    expect(pictureOf(observed([{ ...bare, ...spec } as JsonMap]), NOW).workload.state).toBe('missing');
  }
});

test('a workload of another kind is told without what is below it', () => {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web' };
  const set = { ...deployment(), kind: 'StatefulSet' };
  const { workload } = picture(rollout(progressing(), {}, { workloadRef }), set);
  expect(workload).toMatchObject({ kind: 'StatefulSet', state: 'found', images: 'web:2', sets: [] });
});

test('a held Deployment of this release is one with a directive of the Rollout, not of another', () => {
  const other = { 'directive.sluice.dev/other': HELD['directive.sluice.dev/web'] ?? '' };
  expect(picture(rollout(healthy()), deployment({}, other)).rollout.stage).toBe('resting');
});
