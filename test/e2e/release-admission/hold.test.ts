import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../../../src/api/names.ts';
import { at, type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { decodeDirective, directiveKey } from '../../../src/rewrite/directive.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { openForeignWebhook } from '../drift/foreign-webhook.ts';
import { deployment as deploymentSubject } from '../drift/objects.ts';
import { echoDeployment } from '../echo.ts';
import { scale } from '../faults/processes.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { reads } from './requests.ts';

const server = cluster();
const { client, kubectl } = server;
const KEY = directiveKey('web');
let sluice: Installed;

// The controller would arm what it sees: without it only the entry for holds can stop a new version.
beforeAll(async () => {
  sluice = await installSluice(server);
  await sluice.rest();
});
afterAll(() => sluice.uninstall());
afterAll(() => expectNoTakenFields(server.client));

const web = (version: string): JsonMap => echoDeployment({ name: 'web', version, replicas: 2 }) as JsonMap;

/** Waits before its first step: what is seen is what admission did. */
function rollout(name = 'web', workload = name, spec: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: workload },
      strategy: { paused: true, canary: { steps: [{ replicas: '50%' }, { replicas: '100%' }] } },
      ...spec,
    },
  };
}

const documents = (objects: readonly JsonMap[]) => objects.map((object) => JSON.stringify(object)).join('\n---\n');

/** Applies a file; answers what kubectl says beside its result: warnings. */
async function apply(namespace: string, ...objects: JsonMap[]): Promise<string> {
  const result = await kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: documents(objects) });
  succeeded(result);
  return result.stderr;
}

const stored = (namespace: string) => client.get(RESOURCES.deployment, { namespace, name: 'web' });

async function available(namespace: string): Promise<void> {
  succeeded(await kubectl(['rollout', 'status', 'deployment/web', '-n', namespace, '--timeout=60s']));
}

/** The versions of the templates of all ReplicaSets, and of all pods. */
async function versions(namespace: string): Promise<{ sets: string[]; pods: string[] }> {
  const read = async (kind: string, path: readonly string[]) => {
    const { items } = JSON.parse(succeeded(await kubectl(['get', kind, '-n', namespace, '-o', 'json'])));
    return [...new Set((items as Json[]).map((item) => stringAt(item, ...path) ?? ''))].sort();
  };
  return {
    sets: await read('replicasets', ['spec', 'template', 'metadata', 'labels', 'version']),
    pods: await read('pods', ['metadata', 'labels', 'version']),
  };
}

/** A Deployment of version v1 that runs and takes no part. */
async function running(): Promise<string> {
  const namespace = await server.namespace();
  await apply(namespace, web('v1'));
  await available(namespace);
  return namespace;
}

const lists = () => reads(server, 'rollouts', 'LIST', 'namespace');

async function expectHeld(namespace: string): Promise<void> {
  const object = await stored(namespace);
  expect(at(object, ['spec', 'paused'])).toBe(true);
  expect(at(object, ['spec', 'template', 'metadata', 'labels', 'version'])).toBe('v2');
  const directive = decodeDirective(KEY, stringAt(object, 'metadata', 'annotations', KEY) ?? '');
  expect(directive.action.type).toBe('workload');
  expect(stringAt(object, 'metadata', 'annotations', ANNOTATIONS.original)).toMatch(/^\{"spec":/);
  // The native controller has acted upon this very write, and made nothing of it.
  await until('the native controller to have seen it', async () => {
    const now = await stored(namespace);
    return at(now, ['status', 'observedGeneration']) === at(now, ['metadata', 'generation']);
  });
  expect(await versions(namespace)).toEqual({ sets: ['v1'], pods: ['v1'] });
}

describe('a Rollout and a new version in one file, the Rollout first', () => {
  test('hold the new version before one pod of it exists, and the writer is told', async () => {
    const namespace = await running();
    expect(await apply(namespace, rollout(), web('v2'))).toContain(`Rollout ${namespace}/web releases it step by step`);
    await expectHeld(namespace);
  });

  test('show no drift: the same file applied again changes nothing', async () => {
    const namespace = await running();
    await apply(namespace, rollout(), web('v2'));
    const before = await stored(namespace);
    const result = await kubectl(['diff', '-n', namespace, '-f', '-'], { stdin: documents([web('v2')]) });
    expect(result).toMatchObject({ exitCode: 0, stdout: '' });
    await apply(namespace, rollout(), web('v2'));
    // The native controller may have written status meanwhile.
    const { metadata, spec } = await stored(namespace);
    expect([spec, at(metadata, ['generation']), at(metadata, ['annotations'])]).toEqual([
      before['spec'],
      at(before, ['metadata', 'generation']),
      at(before, ['metadata', 'annotations']),
    ]);
  });

  test('name the workload in v1alpha1 as well', async () => {
    const namespace = await running();
    const { workloadRef } = rollout()['spec'] as JsonMap;
    const old = {
      apiVersion: 'rollouts.kruise.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'web', annotations: { 'rollouts.kruise.io/rolling-style': 'partition' } },
      spec: {
        objectRef: { workloadRef: workloadRef as Json },
        strategy: { paused: true, canary: { steps: [{ weight: 50 }] } },
      },
    };
    await apply(namespace, old, web('v2'));
    await expectHeld(namespace);
  });

  test.each<[string, JsonMap]>([
    ['names another workload', rollout('web', 'other')],
    ['is disabled', rollout('web', 'web', { disabled: true })],
  ])('let the new version run where the Rollout %s', async (_, other) => {
    const namespace = await running();
    await apply(namespace, other, web('v2'));
    await available(namespace);
    const object = await stored(namespace);
    expect(at(object, ['metadata', 'annotations', KEY])).toBeUndefined();
    expect([at(object, ['spec', 'paused']), (await versions(namespace)).sets]).toEqual([undefined, ['v1', 'v2']]);
  });
});

test('of 200 Rollouts in the namespace the right one is found by one list, and a scale costs none', async () => {
  const namespace = await running();
  const others = Array.from({ length: 200 }, (_, i) => rollout(`other-${i}`));
  await apply(namespace, ...others, rollout());
  const before = await lists();
  await apply(namespace, web('v2'));
  expect((await lists()) - before).toBe(1);
  await expectHeld(namespace);
  succeeded(await kubectl(['scale', 'deployment/web', '--replicas=3', '-n', namespace]));
  expect((await lists()) - before).toBe(1);
});

test('the hold is taken back in the same write when a webhook after ours puts the old template back', async () => {
  const namespace = await running();
  succeeded(await kubectl(['label', 'namespace', namespace, 'webhook=zzz-undoes']));
  await apply(namespace, rollout());
  const before = await stored(namespace);
  const template = at(before, ['spec', 'template']) as JsonMap;
  const undoes = await openForeignWebhook(server, 'zzz-undoes', deploymentSubject, namespace, (object) => {
    const isOurs = stringAt(object, 'metadata', 'name') === 'web';
    const isNew = stringAt(object, 'spec', 'template', 'metadata', 'labels', 'version') === 'v2';
    if (!isOurs) return [{ op: 'add', path: '/metadata/labels', value: { seen: 'yes' } }];
    return isNew ? [{ op: 'replace', path: '/spec/template', value: template }] : [];
  });
  const asked = await lists();
  try {
    await apply(namespace, web('v2'));
    expect(undoes.calls().changed).toBeGreaterThan(0);
    expect((await lists()) - asked, 'once in each pass').toBe(2);
  } finally {
    await undoes.close();
  }
  const after = await stored(namespace);
  expect(at(after, ['spec'])).toEqual(at(before, ['spec']));
  const annotations = Object.keys(at(after, ['metadata', 'annotations']) as JsonMap);
  expect(annotations.filter((key) => key.includes('sluice.dev') || key.includes('kruise'))).toEqual([]);
});

test('with the controller there, too, not one pod of the new version exists before the first step', async () => {
  await scale(server, sluice.namespace, 1, ['controller']);
  const namespace = await running();
  await apply(namespace, rollout(), web('v2'));
  await expectHeld(namespace);
});
