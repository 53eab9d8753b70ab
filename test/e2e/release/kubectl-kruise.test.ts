import { afterAll, beforeAll, expect, test } from 'vitest';
import { equal } from '../../../src/json/equal.ts';
import { at, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { backToNormal } from './normal.ts';
import { openShop, routing, type Shop } from './shop.ts';
import { STYLES, type Style } from './strategies.ts';

const server = cluster();
const { client } = server;
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(() => sluice?.uninstall());
afterAll(() => expectNoTakenFields(server.client));

/** The requests of `kubectl-kruise rollout …`, body for body (compat §6). */
function kruise(shop: Shop, style: Style) {
  const { namespace } = shop;
  const name = { namespace, name: 'web' };
  const sub = style === 'blue-green' ? 'blueGreenStatus' : 'canaryStatus';
  const status = (body: JsonMap, version: string) =>
    client.patch(
      { ...RESOURCES.rollout, version },
      name,
      'merge',
      { status: { [sub]: body } },
      { subresource: 'status' },
    );
  const spec = (paused: true | null) =>
    client.patch(RESOURCES.rollout, name, 'merge', { spec: { strategy: { paused } } });
  return {
    /** The client knows both versions of the API. */
    approve: (version: 'v1alpha1' | 'v1beta1' = 'v1beta1') => status({ currentStepState: 'StepReady' }, version),
    pause: () => spec(true),
    resume: () => spec(null),
    undoFast: (step: number) => status({ nextStepIndex: step }, 'v1beta1'),
    async undo() {
      const deployment = await shop.deployment();
      const set = before(deployment, (await client.list(RESOURCES.replicaSet, { namespace })).items);
      const body = [
        { op: 'replace', path: '/spec/template', value: withoutHash(at(set, ['spec', 'template'])) },
        { op: 'replace', path: '/metadata/annotations', value: undone(annotationsOf(deployment), annotationsOf(set)) },
      ];
      await client.patch(RESOURCES.deployment, name, 'json', body);
    },
  };
}

/** Keys of a Deployment that are not taken from a ReplicaSet. */
const BOOKKEEPING = [
  'kubectl.kubernetes.io/last-applied-configuration',
  ...['revision', 'revision-history', 'desired-replicas', 'max-replicas'].map(
    (key) => `deployment.kubernetes.io/${key}`,
  ),
  'deprecated.deployment.rollback.to',
];

/** The ReplicaSet that the client goes back to, of a workload that is paused and `in-progressing`. */
function before(deployment: JsonMap, sets: readonly JsonMap[]): JsonMap {
  const uid = stringAt(deployment, 'metadata', 'uid');
  const revision = (set: JsonMap) => Number(annotationsOf(set)['deployment.kubernetes.io/revision']);
  const [newest = {}, second = {}] = sets
    .filter((set) => stringAt(set, 'metadata', 'ownerReferences', 0, 'uid') === uid)
    .toSorted((a, b) => revision(b) - revision(a));
  expect(annotationsOf(deployment)).toHaveProperty(['rollouts.kruise.io/in-progressing']);
  expect(annotationsOf(deployment)).not.toHaveProperty(['rollouts.kruise.io/deployment-strategy']);
  const isCurrent = equal(withoutHash(at(newest, ['spec', 'template'])), at(deployment, ['spec', 'template']) ?? null);
  return isCurrent ? second : newest;
}

function withoutHash(template: Json | undefined): Json {
  const { 'pod-template-hash': _, ...labels } = at(template, ['metadata', 'labels']) as JsonMap;
  return { ...(template as JsonMap), metadata: { ...(member(template, 'metadata') as JsonMap), labels } };
}

function annotationsOf(object: JsonMap): JsonMap {
  return (at(object, ['metadata', 'annotations']) ?? {}) as JsonMap;
}

/** Sluice's directive is not among what the client keeps; an older one of the ReplicaSet comes in its place. */
function undone(ofDeployment: JsonMap, ofSet: JsonMap): JsonMap {
  const isKept = (key: string) => BOOKKEEPING.includes(key) || key.includes('rollouts.kruise.io/');
  const kept = Object.entries(ofDeployment).filter(([key]) => isKept(key));
  const taken = Object.entries(ofSet).filter(([key]) => !BOOKKEEPING.includes(key));
  return Object.fromEntries([...taken, ...kept]);
}

function strategy(style: Style): JsonMap {
  const pause = {};
  const steps = [
    { replicas: 1, pause },
    { traffic: '20%', replicas: 1, pause },
    { traffic: '50%', replicas: '50%', pause },
  ];
  const trafficRoutings = [routing];
  if (style === 'blue-green') {
    const all = { traffic: '100%', replicas: '100%', pause };
    return { blueGreen: { steps: [...steps, all], trafficRoutings, scaleDownDelaySeconds: 1 } };
  }
  const extra = style === 'canary' ? { enableExtraWorkloadForCanary: true } : {};
  return { canary: { steps: [...steps, { replicas: '100%' }], trafficRoutings, ...extra } };
}

test.concurrent.each(STYLES)(
  '%s: approve, pause, resume, undo --fast and undo, as kubectl-kruise sends them, take a release forth and back',
  async (style) => {
    const shop = await openShop(server, { strategy: strategy(style), replicas: 2 });
    const { approve, pause, resume, undoFast, undo } = kruise(shop, style);
    /** One that comes in the moment of the pause is refused, since it names no step: its user repeats it. */
    const approved = (version?: 'v1alpha1') =>
      until('the approval to be taken', async () => (await approve(version)) !== undefined, 10);

    await shop.release('v2');
    await shop.reaches(1, 'StepPaused');
    await approved();
    await shop.reaches(2, 'StepPaused');
    expect(await shop.weights()).toEqual({ web: 80, 'web-canary': 20 });
    // No blue-green release can be told in v1alpha1.
    await approved(style === 'blue-green' ? undefined : 'v1alpha1');
    await shop.reaches(3, 'StepPaused');

    await pause();
    await shop.becomes('the pause', ({ message }) => String(message).includes('spec.strategy.paused'));
    await resume();
    await shop.becomes('its end', ({ message }) => String(message).includes('manual confirmation'));
    expect(at(await shop.rollout(), ['spec', 'strategy', 'paused'])).toBeUndefined();

    await undoFast(1);
    await shop.reaches(1, 'StepPaused');
    expect(await shop.weights()).toEqual({ web: 100 });
    expect((await shop.pods())['v2']?.ready).toBeGreaterThan(0);

    await undo();
    await shop.ends('Rollback');
    await backToNormal(server, shop, { version: 'v1' });

    await shop.release('v3');
    for (const step of style === 'blue-green' ? [1, 2, 3, 4] : [1, 2, 3]) {
      await shop.reaches(step, 'StepPaused');
      await approved();
    }
    await shop.ends('Success');
    await backToNormal(server, shop, { version: 'v3' });
  },
);
