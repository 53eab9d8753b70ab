import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../../../src/api/names.ts';
import { writeDirectly } from '../../../src/controller/direct-write.ts';
import { at, type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { loadLibrary } from '../../../src/lua/library.ts';
import { decide } from '../../../src/rewrite/decide.ts';
import { createRewriter } from '../../../src/rewrite/rewriter.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { definitionsPath } from '../../cluster/definitions.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { type Mutation, openForeignWebhook } from './foreign-webhook.ts';
import { deployment, type Edit, ingress, type Subject, service, virtualService } from './objects.ts';
import { missingOwners, ownersOf, Pair } from './release.ts';
import { TOOLS, type Tool } from './tools.ts';

const server = cluster();
const [clientSide, serverSide] = TOOLS as readonly [Tool, Tool];
let sluice: Installed;

beforeAll(async () => {
  succeeded(await server.kubectl(['apply', '--server-side', '-f', definitionsPath('istio')]));
  sluice = await installSluice(server);
});
afterAll(() => sluice.uninstall());

async function pairOf(subject: Subject, tool: Tool, label?: string): Promise<Pair> {
  const [release, twin] = await Promise.all([server.namespace(), server.namespace()]);
  if (label !== undefined) succeeded(await server.kubectl(['label', 'namespace', release, twin, label]));
  return new Pair(server, sluice.controller, { subject, tool, release, twin });
}

const edit = (subject: Subject, index: number): Edit => subject.edits[index] as Edit;

describe('a mutating webhook of somebody else', () => {
  const annotate: Mutation = ({ metadata }) => {
    const annotations = at(metadata, ['annotations']) as JsonMap | undefined;
    if (annotations?.['example.com/seen'] !== undefined) return [];
    const there = annotations === undefined ? [{ op: 'add', path: '/metadata/annotations', value: {} }] : [];
    return [...there, { op: 'add', path: '/metadata/annotations/example.com~1seen', value: 'yes' }];
  };
  const addEnvironment: Mutation = (object) => {
    const path = ['spec', 'template', 'spec', 'containers', 0, 'env'];
    if (at(object, path) !== undefined) return [];
    return [{ op: 'add', path: `/${path.join('/')}`, value: [{ name: 'INJECTED', value: 'yes' }] }];
  };
  const addTimeout: Mutation = (object) => {
    const rules = at(object, ['spec', 'http']) as readonly JsonMap[];
    const index = rules.findIndex(({ name, timeout }) => name === 'api' && timeout === undefined);
    return index < 0 ? [] : [{ op: 'add', path: `/spec/http/${index}/timeout`, value: '9s' }];
  };
  const cases: [string, Subject, Mutation][] = [
    ['adds an annotation to a VirtualService', virtualService, annotate],
    ['changes a rule of a VirtualService', virtualService, addTimeout],
    ['adds an annotation to a Deployment', deployment, annotate],
    ['changes the template of a Deployment', deployment, addEnvironment],
  ];
  const orders = ['aaa-stranger', 'zzz-stranger'] as const;
  const tools = [clientSide, serverSide];
  const all = cases.flatMap(([what, subject, mutation]) =>
    orders.flatMap((order) => tools.map((tool) => ({ what, order, subject, mutation, tool }))),
  );

  test.each(all)('that is called $order and $what, with $tool.name: nothing of either is lost', async (given) => {
    const { order, subject, mutation, tool } = given;
    const close = await openForeignWebhook(server, order, subject, mutation);
    try {
      const pair = await pairOf(subject, tool, `webhook=${order}`);
      await pair.write();
      await pair.step(subject.steps[0]);
      await pair.write(); // as it is: with the other webhook every sync is a write
      await pair.write(edit(subject, 0));
      expect(at(await pair.live(), subject.rewritten.path)).toEqual(subject.rewritten.value);
      await pair.step(subject.steps[1]);
      await pair.write();
      await pair.write(edit(subject, 2));
      await pair.step(undefined);
      expect(await pair.plain('live')).toEqual(await pair.plain('twin'));
    } finally {
      await close();
    }
  });
});

describe('annotations forged past the main resource', () => {
  test.each([deployment, service, ingress])('by the status of a $kind are put back', async (subject) => {
    const pair = await pairOf(subject, clientSide);
    await pair.write();
    await pair.step(subject.steps[0]);
    const before = await pair.live();
    const name = { namespace: stringAt(before, 'metadata', 'namespace') ?? '', name: 'web' };
    const forged = {
      metadata: { annotations: { [ANNOTATIONS.original]: '{"spec":{}}', 'directive.sluice.dev/other': '{}' } },
      status: { conditions: [{ type: 'Forged', status: 'True', reason: 'Forged', message: '' }] },
    };
    const body = subject.kind === 'Deployment' ? forged : { metadata: forged.metadata };
    await server.client.patch(subject.resource, name, 'merge', body, { subresource: 'status' });
    expect(await pair.plain('live')).toEqual(await pair.plain('twin').then(() => plainOf(before)));
    expect(ownAnnotations(await pair.live())).toEqual(ownAnnotations(before));
    await pair.step(undefined);
    expect(await pair.plain('live')).toEqual(await pair.plain('twin'));

    function plainOf(object: JsonMap): Json {
      return pair.comparable(object);
    }
  });
});

test('an object that is deleted and made again in a release is the source, and can be released again', async () => {
  const pair = await pairOf(virtualService, clientSide);
  await pair.write();
  await pair.step(virtualService.steps[0]);
  const namespace = stringAt(await pair.live(), 'metadata', 'namespace') ?? '';
  succeeded(await server.kubectl(['delete', 'virtualservice', 'web', '-n', namespace]));
  await pair.write();
  expect(await pair.plain('live')).toEqual(await pair.plain('twin'));
  pair.restart();
  await pair.step(virtualService.steps[0]);
  expect(at(await pair.live(), virtualService.rewritten.path)).toEqual(virtualService.rewritten.value);
  await pair.step(undefined);
  expect(await pair.plain('live')).toEqual(await pair.plain('twin'));
});

test.each([virtualService, service])(
  'a $kind exported in a release and applied elsewhere is what the user meant',
  async (subject) => {
    const pair = await pairOf(subject, clientSide);
    await pair.write();
    await pair.step(subject.steps[0]);
    const { status: _, ...exported } = await pair.live();
    const { name, labels, annotations } = exported['metadata'] as JsonMap;
    const { clusterIP: __, clusterIPs: ___, ...spec } = exported['spec'] as JsonMap;
    const elsewhere = await server.namespace();
    const manifest = { ...exported, metadata: { name, labels, annotations }, spec };
    succeeded(await server.kubectl(['apply', '-n', elsewhere, '-f', '-'], { stdin: JSON.stringify(manifest) }));
    const applied = await server.client.get(subject.resource, { namespace: elsewhere, name: 'web' });
    expect(pair.comparable(applied)).toEqual(await pair.plain('twin'));
    expect(ownAnnotations(applied)).toEqual({});
  },
);

test('what the controller writes itself, where the webhook was not called, is its own in no field', async () => {
  const pair = await pairOf(virtualService, serverSide);
  await pair.write();
  const owners = ownersOf(await pair.live());
  const reopen = await bypass();
  try {
    const before = await pair.live();
    await pair.step(virtualService.steps[0]);
    const incoming = await pair.live();
    expect(await pair.plain('live'), 'nobody rewrote it').toEqual(await pair.plain('twin'));
    const { scripts } = loadLibrary();
    const byHash = new Map([...scripts.values()].map((script) => [script.hash, script]));
    const write = { operation: 'UPDATE', incoming, live: before, byController: true } as const;
    const verdict = decide(
      write,
      createRewriter((hash) => byHash.get(hash)),
    );
    if (verdict.verdict !== 'rewritten') throw new Error(JSON.stringify(verdict));
    await writeDirectly(sluice.controller, virtualService.resource, incoming, verdict.operations);
  } finally {
    await reopen();
  }
  expect(at(await pair.live(), virtualService.rewritten.path)).toEqual(virtualService.rewritten.value);
  expect(missingOwners(ownersOf(await pair.live()), owners)).toEqual([]);
  const ours = [...ownersOf(await pair.live())].filter(([, managers]) => managers.some((m) => m.startsWith('sluice')));
  expect(ours.map(([path]) => path)).toEqual(['/f:metadata/f:annotations/f:directive.sluice.dev/web']);
  await pair.write(edit(virtualService, 0));
  await pair.step(undefined);
  expect(await pair.plain('live')).toEqual(await pair.plain('twin'));
});

/** Takes the webhooks away as an administrator would in an emergency: the controller first, or it puts them back. */
async function bypass(): Promise<() => Promise<void>> {
  const scale = async (replicas: number): Promise<void> => {
    const words = ['scale', 'deployment', 'sluice-controller', '-n', sluice.namespace, `--replicas=${replicas}`];
    succeeded(await server.kubectl(words));
    const wait = ['rollout', 'status', 'deployment/sluice-controller', '-n', sluice.namespace, '--timeout=60s'];
    succeeded(await server.kubectl(wait));
  };
  await scale(0);
  await until('the controllers to be gone', async () => {
    const words = ['get', 'pods', '-n', sluice.namespace, '-l', 'app.kubernetes.io/component=controller', '-o', 'name'];
    return succeeded(await server.kubectl(words)).trim() === '';
  });
  succeeded(await server.kubectl(['delete', 'mutatingwebhookconfiguration', 'zz-sluice-mutating']));
  return async () => {
    await scale(2);
    await until('the webhooks to be back', async () => {
      return (await server.kubectl(['get', 'mutatingwebhookconfiguration', 'zz-sluice-mutating'])).exitCode === 0;
    });
  };
}

function ownAnnotations(object: JsonMap): Record<string, Json> {
  const annotations = (at(object, ['metadata', 'annotations']) ?? {}) as JsonMap;
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => /sluice\.dev|kruise\.io/.test(key)));
}
