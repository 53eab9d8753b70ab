import { describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../../src/api/names.ts';
import type { JsonMap } from '../../src/json/value.ts';
import {
  DESIRED_REPLICAS,
  type DeploymentSync,
  fenceposts,
  MAX_REPLICAS,
  REVISION,
  syncDeployment,
} from './deployment.ts';
import {
  annotation,
  controllerOf,
  mapAt,
  nameAndNamespace,
  numberAt,
  TEMPLATE_HASH,
  templateText,
  timestamp,
  withMetadata,
} from './fields.ts';
import { MAX, Plane, rollingUpdate, templateOf } from './plane.ts';

/** What the webhook writes together with another template: no pod of it ever counts as available. */
const walk = (m: number | string, s: number | string) => ({ ...rollingUpdate(m, s), minReadySeconds: MAX });

/** A release of v2 that stands at a step: T new pods beside the rest. */
function at(replicas: number, step: number): Plane {
  const plane = new Plane(replicas);
  plane.change({ template: templateOf('v2'), ...walk(0, step) }).settle('prompt');
  return plane.change(walk(step, 0)).settle('prompt');
}

/** The same, paused, as a release stands while it waits. */
function resting(replicas: number, step: number): Plane {
  return at(replicas, step).change({ paused: true }).settle('prompt');
}

/** Two full sets. */
function blueGreen(replicas: number): Plane {
  const plane = new Plane(replicas);
  return plane.change({ template: templateOf('v2'), ...walk(0, '100%') }).settle('prompt');
}

function sized(set: JsonMap, replicas: number): JsonMap {
  return { ...set, spec: { ...mapAt(set, 'spec'), replicas } };
}

/** The counts that were measured on Kubernetes 1.36.3: image, replicas/available. */
describe('the model does what was measured', () => {
  test.each<[string, () => Plane, string]>([
    [
      'values of the user return paused: two full sets become one',
      () => blueGreen(4).change({ template: templateOf('v1'), minReadySeconds: undefined, paused: true }),
      'v1 4/4',
    ],
    [
      'values of the user return on the way back: the pods of the new version go first',
      () =>
        at(10, 3).change({ template: templateOf('v1'), minReadySeconds: undefined, ...rollingUpdate('50%', '25%') }),
      'v1 10/10',
    ],
    [
      'the way back with MAX, and room for all: nothing is killed',
      () => blueGreen(4).change({ template: templateOf('v1'), ...walk(0, '100%') }),
      'v1 4/0, v2 4/0',
    ],
    [
      'the way back with MAX, and room for three: the stable set grows to its size',
      () => at(10, 3).change({ template: templateOf('v1'), ...walk(0, 3) }),
      'v1 10/0, v2 3/0',
    ],
    [
      'the way back from a paused step, paused: both sets grow',
      () => resting(10, 3).change({ template: templateOf('v1'), ...walk(0, 3) }),
      'v1 9/0, v2 4/0',
    ],
    [
      'a third version beside two full sets: the second goes, since it never becomes available',
      () => blueGreen(4).change({ template: templateOf('v3') }),
      'v1 4/4, v3 4/0',
    ],
    [
      'MAX is taken off two full sets that are paused: the old one goes',
      () => blueGreen(4).change({ minReadySeconds: undefined, paused: true }),
      'v2 4/4',
    ],
    [
      'the set without traffic is scaled to 0 while paused: the other one stays',
      () =>
        blueGreen(4)
          .change({ template: templateOf('v3'), paused: true })
          .minReadySeconds('v2', 0)
          .settle('prompt')
          .resize('v1', 0)
          .settle('prompt')
          .change({ ...walk(0, '100%'), paused: undefined }),
      'v2 4/4, v3 4/0',
    ],
    [
      'a third version in the middle of a walk: the stable set is never filled up, and the second stays in part',
      () => at(10, 3).change({ template: templateOf('v3'), ...walk(2, 0) }),
      'v1 7/7, v2 1/0, v3 2/0',
    ],
    [
      'a third version, held by Recreate and paused: nothing is scaled while two sets live',
      () => at(10, 3).change({ template: templateOf('v3'), strategy: { type: 'Recreate' }, paused: true }),
      'v1 7/7, v2 3/0',
    ],
    [
      'held so, sets keep the sizes that somebody else gives them; then the walk begins anew',
      () =>
        at(10, 3)
          .change({ template: templateOf('v3'), strategy: { type: 'Recreate' }, paused: true })
          .resize('v1', 10)
          .settle('prompt')
          .resize('v2', 0)
          .settle('prompt')
          .change({ ...walk(0, 1), paused: undefined }),
      'v1 10/10, v3 1/0',
    ],
    [
      'paused with room for the other version: both sets share it',
      () => at(10, 6).change({ template: templateOf('v3'), ...walk(0, 6), paused: true }),
      'v1 6/6, v2 10/0',
    ],
    ['a walk in numbers, halved', () => at(20, 16).change({ replicas: 10 }), 'v2 10/0'],
    ['a walk in numbers, shrunk', () => at(10, 3).change({ replicas: 4 }), 'v1 1/1, v2 3/0'],
    ['a walk in numbers, for the night', () => at(100, 10).change({ replicas: 12 }), 'v1 2/2, v2 10/0'],
    ['a walk in percent, halved', () => at(20, 16).change(walk('80%', 0)).change({ replicas: 10 }), 'v1 2/2, v2 8/0'],
    ['paused at rest, halved', () => resting(20, 16).change({ replicas: 10 }), 'v1 2/2, v2 8/0'],
    ['max-replicas of the new set is of the time before', () => at(10, 3).change({ replicas: 20 }), 'v1 15/15, v2 5/0'],
    ['paused at rest, shrunk so far that a set is lost', () => resting(10, 1).change({ replicas: 4 }), 'v1 4/4'],
    [
      'the same, where a webhook keeps one pod of each set',
      () => {
        const plane = resting(10, 1);
        plane.admit = (set) => (numberAt(set, 0, 'spec', 'replicas') > 0 ? set : sized(set, 1));
        return plane.change({ replicas: 4 });
      },
      'v1 3/3, v2 1/0',
    ],
    ['paused at rest, shrunk to one pod', () => resting(2, 1).change({ replicas: 1 }), 'v2 1/0'],
    ['to 0 and back', () => at(10, 1).change({ replicas: 0 }).settle('prompt').change({ replicas: 10 }), 'v2 10/0'],
    [
      'to 0 and back, paused',
      () => resting(10, 1).change({ replicas: 0 }).settle('prompt').change({ replicas: 10 }),
      'v2 10/0',
    ],
    [
      'to 0 and back, paused and without the set of the new version',
      () =>
        at(10, 1)
          .change({ paused: true, replicas: 0 })
          .settle('prompt')
          .deleteSet('v2')
          .settle('prompt')
          .change({ replicas: 10 }),
      'v1 10/10',
    ],
    [
      'a surge in percent is rounded up',
      () => new Plane(7).change({ template: templateOf('v2'), ...walk(0, '43%') }),
      'v1 7/7, v2 4/0',
    ],
  ])('%s', (_title, plane, sizes) => {
    expect(`${plane().settle('prompt')}`).toBe(sizes);
  });
});

const LAST_APPLIED = ANNOTATIONS.lastApplied;
const NOW = Date.UTC(2026, 0, 1);

function deploymentOf(spec: JsonMap, rest: JsonMap = {}): JsonMap {
  const { deployment } = new Plane(10, spec);
  return { ...deployment, ...rest };
}

type Size = { readonly replicas: number; readonly available?: number; readonly spec?: JsonMap; readonly age?: number };

/** A ReplicaSet of 10-pod Deployments, settled unless told otherwise. */
function setOf(version: string, { replicas, available = replicas, spec = {}, age = 0 }: Size): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      namespace: 'shop',
      name: `web-${version}${age}`,
      uid: `${version}${age}`,
      generation: 1,
      creationTimestamp: timestamp(NOW - age * 1000),
      annotations: { [REVISION]: version.slice(1), [DESIRED_REPLICAS]: '10', [MAX_REPLICAS]: '13' },
      labels: { app: 'web', [TEMPLATE_HASH]: version },
    },
    spec: { replicas, template: labelled(version), ...spec },
    status: { replicas, readyReplicas: available, availableReplicas: available, observedGeneration: 1 },
  };
}

function labelled(version: string): JsonMap {
  const template = templateOf(version);
  return { ...template, metadata: { labels: { app: 'web', [TEMPLATE_HASH]: version } } };
}

/** `web-v10: 3`, one text for each write. */
function written({ writes }: DeploymentSync): string[] {
  return writes.map(({ write, replicaSet }) => {
    const { name } = nameAndNamespace(replicaSet);
    return write === 'update' ? `${name}: ${numberAt(replicaSet, 0, 'spec', 'replicas')}` : `${write} ${name}`;
  });
}

const sync = (deployment: JsonMap, sets: readonly JsonMap[], pods: readonly JsonMap[] = []) =>
  syncDeployment(deployment, sets, pods, NOW);

describe('bounds of a rolling update', () => {
  test.each<[JsonMap, number, { surge: number; unavailable: number }]>([
    [{ maxSurge: '25%', maxUnavailable: '25%' }, 10, { surge: 3, unavailable: 2 }],
    [{ maxSurge: '1%', maxUnavailable: '99%' }, 1, { surge: 1, unavailable: 0 }],
    [{ maxSurge: 0, maxUnavailable: '10%' }, 5, { surge: 0, unavailable: 1 }],
    [{ maxSurge: '0%', maxUnavailable: 0 }, 5, { surge: 0, unavailable: 1 }],
    [{ maxSurge: 2, maxUnavailable: 0 }, 5, { surge: 2, unavailable: 0 }],
    [{}, 5, { surge: 0, unavailable: 1 }],
  ])('%j of %d', (bounds, replicas, pods) => {
    expect(fenceposts(bounds, replicas)).toEqual(pods);
  });
});

describe('one sync', () => {
  const V2 = { template: templateOf('v2') };

  test('gives the current set its annotations and minReadySeconds first, and does nothing else; old sets keep theirs', () => {
    const deployment = withMetadata(deploymentOf({ ...V2, minReadySeconds: MAX }), {
      annotations: { note: 'x', [LAST_APPLIED]: '{}' },
    });
    const old = setOf('v1', { replicas: 10, spec: { minReadySeconds: 5 } });
    const outcome = sync(deployment, [old, setOf('v2', { replicas: 1 })]);
    expect(written(outcome)).toEqual(['web-v20: 1']);
    const [after] = outcome.writes;
    expect(numberAt(after?.replicaSet, 0, 'spec', 'minReadySeconds')).toBe(MAX);
    expect(mapAt(after?.replicaSet, 'metadata', 'annotations')).toMatchObject({ note: 'x', [REVISION]: '2' });
    expect(annotation(after?.replicaSet ?? {}, LAST_APPLIED)).toBeUndefined();
    expect([outcome.status, outcome.revision]).toEqual([mapAt(deployment, 'status'), undefined]);
  });

  test('goes on to scale when the Deployment is paused', () => {
    const deployment = deploymentOf({ ...V2, minReadySeconds: MAX, paused: true, replicas: 5 });
    const outcome = sync(deployment, [setOf('v1', { replicas: 8, age: 9 }), setOf('v2', { replicas: 2 })]);
    // 10 pods, and 5 and a surge of 2 are allowed: the larger set would go to 8·7/13 = 4, but only 3 have to go.
    expect(written(outcome)).toEqual(['web-v20: 2', 'web-v19: 5', 'web-v20: 2']);
  });

  test('makes no set of a new template while paused, also where no set has pods', () => {
    const deployment = deploymentOf({ ...V2, paused: true });
    expect(written(sync(deployment, [setOf('v1', { replicas: 10 })]))).toEqual([]);
    expect(written(sync(deployment, [setOf('v1', { replicas: 0 })]))).toEqual(['web-v10: 10']);
    expect(written(sync(deployment, []))).toEqual([]);
  });

  test('makes the set of a new template with what the surge allows', () => {
    const outcome = sync(deploymentOf({ ...V2, ...rollingUpdate(0, '30%'), minReadySeconds: 7 }), [
      setOf('v1', { replicas: 10 }),
    ]);
    const { replicaSet = {} } = outcome.writes[0] ?? {};
    expect(outcome.writes[0]?.write).toBe('create');
    expect(replicaSet).toMatchObject({ spec: { replicas: 3, minReadySeconds: 7 } });
    expect(mapAt(replicaSet, 'metadata', 'annotations')).toEqual({
      [REVISION]: '2',
      [DESIRED_REPLICAS]: '10',
      [MAX_REPLICAS]: '13',
    });
    expect(outcome.revision).toBe('2');
    expect(templateText(mapAt(replicaSet, 'spec', 'template'))).toBe(templateText(templateOf('v2')));
    expect(controllerOf(replicaSet)).toBe('web');
  });

  test('gives another name to the set where its name was taken', () => {
    const nameIn = (status: JsonMap) => sync(deploymentOf(V2, { status }), []).writes[0]?.replicaSet;
    expect(nameIn({})).not.toEqual(nameIn({ collisionCount: 1 }));
  });

  test('finds the set of an old template again, and counts its revision up', () => {
    const [v1, v2] = [setOf('v1', { replicas: 0, age: 9 }), setOf('v2', { replicas: 10 })];
    const { writes } = sync(deploymentOf({}), [v2, v1]);
    expect(mapAt(writes[0]?.replicaSet, 'metadata', 'annotations')).toMatchObject({
      [REVISION]: '3',
      'deployment.kubernetes.io/revision-history': '1',
    });
  });

  test('takes the oldest of several sets with the same template', () => {
    const sets = [setOf('v1', { replicas: 1 }), setOf('v1', { replicas: 2, age: 5 })];
    expect(written(sync(deploymentOf({ ...rollingUpdate(0, 1) }), sets))).toEqual(['web-v15: 2']);
  });

  test('takes pods that are not available from old sets first, then others from the oldest set on, within maxUnavailable', () => {
    const sets = [
      setOf('v1', { replicas: 5, age: 9 }),
      setOf('v2', { replicas: 5, available: 4, age: 5 }),
      setOf('v3', { replicas: 0 }),
    ];
    const deployment = deploymentOf({ template: templateOf('v3'), ...rollingUpdate(3, 0) });
    expect(written(sync(deployment, sets))).toEqual(['web-v25: 4', 'web-v19: 3']);
  });

  test('does nothing more at a set of which more pods are available than it is to have', () => {
    const lagging = setOf('v1', { replicas: 5, available: 7, age: 9 });
    const sets = [lagging, setOf('v2', { replicas: 5, available: 1, age: 5 }), setOf('v3', { replicas: 3 })];
    expect(written(sync(deploymentOf({ template: templateOf('v3'), ...rollingUpdate(3, 3) }), sets))).toEqual([]);
  });

  test('of a Deployment that is being deleted counts, and touches nothing', () => {
    const deployment = withMetadata(deploymentOf(V2), { deletionTimestamp: timestamp(NOW) });
    const outcome = sync(deployment, [setOf('v1', { replicas: 4 })]);
    expect(outcome.writes).toEqual([]);
    expect(outcome.status).toMatchObject({ observedGeneration: 1, replicas: 4, availableReplicas: 4 });
  });

  test('counts the pods of all sets, and those of the current one', () => {
    const sets = [setOf('v1', { replicas: 7, age: 9 }), setOf('v2', { replicas: 3, available: 1 })];
    const deployment = withMetadata(deploymentOf({ ...V2, paused: true, ...rollingUpdate(3, 3) }), { generation: 4 });
    expect(sync(deployment, sets).status).toEqual({
      observedGeneration: 4,
      replicas: 10,
      updatedReplicas: 3,
      readyReplicas: 8,
      availableReplicas: 8,
      unavailableReplicas: 2,
      terminatingReplicas: 0,
    });
  });
});

describe('Recreate', () => {
  const deployment = deploymentOf({ template: templateOf('v2'), strategy: { type: 'Recreate' } });
  const pod: JsonMap = {
    metadata: { ownerReferences: [{ uid: 'v10', controller: true }], deletionTimestamp: timestamp(NOW) },
    status: { phase: 'Running' },
  };

  test('empties old sets, waits until their pods are gone, and makes the new one with its full size', () => {
    expect(written(sync(deployment, [setOf('v1', { replicas: 10 })]))).toEqual(['web-v10: 0']);
    const counted = { ...setOf('v1', { replicas: 0 }), status: { replicas: 3 } };
    expect(written(sync(deployment, [counted]))).toEqual([]);
    const empty = setOf('v1', { replicas: 0 });
    expect(written(sync(deployment, [empty], [pod]))).toEqual([]);
    const { writes } = sync(deployment, [empty], [{ ...pod, status: { phase: 'Succeeded' } }]);
    expect([writes[0]?.write, numberAt(writes[0]?.replicaSet, 0, 'spec', 'replicas')]).toEqual(['create', 10]);
  });
});

describe('revisionHistoryLimit', () => {
  const complete = { updatedReplicas: 10, replicas: 10, availableReplicas: 10, observedGeneration: 9 };
  const old = ['v4', 'v3', 'v2', 'v1'].map((version) => setOf(version, { replicas: 0 }));
  const limited = (spec: JsonMap, sets = old) =>
    written(
      sync(deploymentOf({ template: templateOf('v5'), revisionHistoryLimit: 2, ...spec }, { status: complete }), [
        ...sets,
        setOf('v5', { replicas: 10 }),
      ]),
    );

  test('keeps so many old sets, those with the highest revisions', () => {
    expect(limited({})).toEqual(['delete web-v10', 'delete web-v20']);
    expect(limited({ paused: true })).toEqual(['delete web-v10', 'delete web-v20']);
    expect(limited({ revisionHistoryLimit: 2147483647 })).toEqual([]);
  });

  test('keeps sets that have pods, or may have got some', () => {
    const [v4 = {}, v3 = {}, v2 = {}, v1 = {}] = old;
    expect(limited({}, [v4, v3, { ...v2, status: { replicas: 1, observedGeneration: 1 } }, v1])).toEqual([
      'delete web-v10',
    ]);
    expect(limited({}, [v4, v3, v2, withMetadata(v1, { generation: 2 })])).toEqual(['delete web-v20']);
  });

  test('cleans up nothing while a rolling update is not complete', () => {
    const deployment = deploymentOf({ template: templateOf('v5'), revisionHistoryLimit: 0 }, { status: {} });
    expect(written(sync(deployment, [...old, setOf('v5', { replicas: 10 })]))).toEqual([]);
  });
});
