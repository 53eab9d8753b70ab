import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, isList, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';
import { type Installed, installSluice } from './installed.ts';
import { deployment, ingress, rollout, service } from './rollout-controller.ts';

const server = cluster();
const { client, kubectl, apply } = server;
const CRD = { name: 'rollouts.rollouts.kruise.io' };
let sluice: Installed;
let shop = '';

beforeAll(async () => {
  sluice = await installSluice(server);
  shop = await server.namespace();
  await until('the conversion to be wired', async () => {
    const crd = await client.get(RESOURCES.customResourceDefinition, CRD);
    return stringAt(crd, 'spec', 'conversion', 'strategy') === 'Webhook';
  });
});
afterAll(() => sluice?.uninstall());

type Version = 'v1alpha1' | 'v1beta1';

/** How kubectl is told in which version to speak of Rollouts. */
const kindIn = (version: Version) => `rollouts.${version}.rollouts.kruise.io`;

async function readIn(version: Version, name: string): Promise<JsonMap> {
  return JSON.parse(succeeded(await kubectl(['get', kindIn(version), name, '-n', shop, '-o', 'json'])));
}

/** What an author writes and sees of a Rollout. */
const specIn = async (version: Version, name: string) => (await readIn(version, name))['spec'];
const generation = async (name: string) => at(await readIn('v1beta1', name), ['metadata', 'generation']);

/** What a tool does that reads an object, changes nothing, and writes it; the controller may write its status in between. */
async function writeBack(version: Version, name: string): Promise<void> {
  await until(`${name} to be written back`, async () => {
    const stdin = JSON.stringify(await readIn(version, name));
    return succeeded(await kubectl(['replace', '-f', '-'], { stdin })) !== '';
  });
}

/** A Rollout as it was written years ago: with a weight only, with the style in an annotation, with an id of its own. */
function oldRollout(name: string): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name, annotations: { 'rollouts.kruise.io/rolling-style': 'canary' } },
    spec: {
      objectRef: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name } },
      rolloutID: 'release-7',
      disabled: false,
      strategy: {
        canary: {
          steps: [{ weight: 20 }, { weight: 40, replicas: '50%', pause: { duration: 60 } }],
          trafficRoutings: [{ service: name, ingress: { classType: 'nginx', name } }],
        },
      },
    },
  };
}

describe('a Rollout that is applied as v1alpha1', () => {
  beforeAll(() => apply(shop, oldRollout('old')));

  test('is read as it was written, and as v1beta1 says the same', async () => {
    expect(await specIn('v1alpha1', 'old')).toMatchObject(oldRollout('old')['spec'] as JsonMap);
    expect(await specIn('v1beta1', 'old')).toMatchObject({
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'old' },
      strategy: {
        canary: {
          enableExtraWorkloadForCanary: true,
          steps: [
            { traffic: '20%', replicas: '20%' },
            { traffic: '40%', replicas: '50%', pause: { duration: 60 } },
          ],
          trafficRoutings: [{ service: 'old', ingress: { classType: 'nginx', name: 'old' } }],
        },
      },
    });
  });

  test.each(['v1alpha1', 'v1beta1'] as const)('is the same object when it is written back as %s', async (version) => {
    const before = [await specIn('v1alpha1', 'old'), await specIn('v1beta1', 'old'), await generation('old')];
    await writeBack(version, 'old');
    expect([await specIn('v1alpha1', 'old'), await specIn('v1beta1', 'old'), await generation('old')]).toEqual(before);
  });

  test('has no drift from its source, whatever version it is stored in', async () => {
    const { exitCode, stdout } = await kubectl(['diff', '-n', shop, '-f', '-'], {
      stdin: JSON.stringify(oldRollout('old')),
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  });
});

describe('a change', () => {
  const patch = async (version: Version, operation: JsonMap) => {
    const words = ['patch', kindIn(version), 'both', '-n', shop, '--type=json', '-p', JSON.stringify([operation])];
    succeeded(await kubectl(words));
  };
  const step = async (version: Version) => at(await specIn(version, 'both'), ['strategy', 'canary', 'steps', 1]);

  test('of v1alpha1 is seen in v1beta1, and the other way round', async () => {
    await apply(shop, oldRollout('both'));
    await patch('v1alpha1', { op: 'replace', path: '/spec/strategy/canary/steps/1/weight', value: 45 });
    expect(await step('v1beta1')).toMatchObject({ traffic: '45%', replicas: '50%' });
    await patch('v1beta1', { op: 'replace', path: '/spec/strategy/canary/steps/1/replicas', value: '70%' });
    await patch('v1beta1', { op: 'replace', path: '/spec/strategy/canary/steps/1/traffic', value: '60%' });
    expect(await step('v1alpha1')).toMatchObject({ weight: 60, replicas: '70%' });
    expect(at(await specIn('v1alpha1', 'both'), ['rolloutID'])).toBe('release-7');
  });
});

describe('several Rollouts', () => {
  /** Something that v1alpha1 has no field for. */
  const matches: Json = [{ path: { type: 'PathPrefix', value: '/new' }, method: 'GET' }];

  test('come in a list, all in the version that is asked for', async () => {
    const { spec, ...rest } = rollout();
    const steps = [{ replicas: '50%', matches }, { replicas: '100%' }];
    const newer = JSON.parse(JSON.stringify({ ...rest, spec }));
    newer.metadata.name = 'newer';
    newer.spec.workloadRef.name = 'newer';
    newer.spec.strategy.canary.enableExtraWorkloadForCanary = true;
    newer.spec.strategy.canary.steps = steps;
    await apply(shop, oldRollout('one'), oldRollout('two'), newer);
    for (const version of ['v1alpha1', 'v1beta1'] as const) {
      const list = JSON.parse(succeeded(await kubectl(['get', kindIn(version), '-n', shop, '-o', 'json'])));
      const named = (list.items as JsonMap[]).filter((item) =>
        ['one', 'two', 'newer'].includes(stringAt(item, 'metadata', 'name') ?? ''),
      );
      expect(named.map((item) => item['apiVersion'])).toEqual(Array(3).fill(`rollouts.kruise.io/${version}`));
    }
  });

  test('that say more than v1alpha1 can lose nothing by a tool that writes them back in it', async () => {
    const before = await specIn('v1beta1', 'newer');
    expect(at(before, ['strategy', 'canary', 'steps', 0, 'matches'])).toMatchObject(matches as Json[]);
    await writeBack('v1alpha1', 'newer');
    expect(await specIn('v1beta1', 'newer')).toEqual(before);
  });
});

describe('kubectl apply of a Rollout that cannot work exits with 1, and says field and remedy', () => {
  const bad = (object: JsonMap) => kubectl(['apply', '-n', shop, '-f', '-'], { stdin: JSON.stringify(object) });

  /** The same Rollout with other steps. */
  function withSteps(object: JsonMap, name: string, steps: Json): JsonMap {
    const copy = JSON.parse(JSON.stringify(object));
    copy.metadata.name = name;
    copy.spec.strategy.canary.steps = steps;
    return copy;
  }

  test.each<[string, JsonMap, string]>([
    [
      'v1beta1',
      withSteps(rollout(), 'bad-beta', [{ replicas: '20%' }, { replicas: '10%' }]),
      'spec.strategy.canary.steps[1].replicas: 10% are fewer than the 20% of the step before; write at least as many',
    ],
    [
      'v1alpha1',
      withSteps(oldRollout('bad'), 'bad-alpha', [{ weight: 20 }, { weight: 101 }]),
      'spec.strategy.canary.steps[1].weight: 101 is no share of traffic; write a whole number from 1 to 100',
    ],
  ])('of the version that it is written in: %s', async (_, object, reason) => {
    const { exitCode, stderr } = await bad(object);
    const name = stringAt(object, 'metadata', 'name') ?? '';
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`The Rollout "${name}" is invalid: ${reason}\n`);
    expect((await kubectl(['get', 'rollout', name, '-n', shop])).stderr).toContain('not found');
  });

  test('on a change, too, which leaves the Rollout as it was', async () => {
    await apply(shop, oldRollout('kept'));
    const before = await specIn('v1alpha1', 'kept');
    const { exitCode, stderr } = await bad(withSteps(oldRollout('kept'), 'kept', []));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('spec.strategy.canary.steps: a release needs at least one step; write one with');
    expect(await specIn('v1alpha1', 'kept')).toEqual(before);
  });
});

test('of an armed Deployment the controller owns the directive and the type of the workload, and nothing else', async () => {
  const { metadata, ...rest } = deployment();
  const labelled = { ...rest, metadata: { ...(metadata as JsonMap), labels: { app: 'web' } } };
  const namespace = await server.namespace();
  await apply(namespace, labelled, service(), ingress(), rollout());
  const owned = await until('the Deployment to be armed', async () => {
    const object = await client.get(RESOURCES.deployment, { namespace, name: 'web' });
    const entries = at(object, ['metadata', 'managedFields']);
    const ours = (isList(entries) ? entries : []).filter((entry) =>
      (stringAt(entry, 'manager') ?? '').includes('sluice'),
    );
    return ours.length > 0 && ours;
  });
  expect(owned).toEqual([
    expect.objectContaining({
      manager: 'sluice-controller',
      fieldsV1: {
        'f:metadata': {
          'f:annotations': { 'f:directive.sluice.dev/web': {} },
          'f:labels': { 'f:rollouts.kruise.io/workload-type': {} },
        },
      },
    }),
  ]);
});
