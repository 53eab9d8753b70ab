import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeDirectly } from '../../../src/controller/direct-write.ts';
import { at, type JsonMap } from '../../../src/json/value.ts';
import { decide } from '../../../src/rewrite/decide.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { type Installed, installSluice } from '../installed.ts';
import { ownedBySluice, ownersOf } from '../ownership.ts';
import { bypass } from './bypass.ts';
import { diff } from './diffs.ts';
import { type Mutation, openForeignWebhook } from './foreign-webhook.ts';
import { deployment, type Edit, type Subject, virtualService } from './objects.ts';
import { missingOwners, Pair } from './release.ts';
import { expectHeld, expectRestored } from './steady.ts';
import { told } from './told.ts';
import { TOOLS, type Tool } from './tools.ts';
import { shippedRewriter } from './view.ts';
import { editInRelease } from './written.ts';

const server = cluster();
const [clientSide, serverSide] = TOOLS as readonly [Tool, Tool];
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
  await sluice.rest();
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
  const environment = ['spec', 'template', 'spec', 'containers', 0, 'env'];
  const addEnvironment: Mutation = (object) => {
    if (at(object, environment) !== undefined) return [];
    return [{ op: 'add', path: `/${environment.join('/')}`, value: [{ name: 'INJECTED', value: 'yes' }] }];
  };
  const addTimeout: Mutation = (object) => {
    const rules = at(object, ['spec', 'http']) as readonly JsonMap[];
    const index = rules.findIndex(({ name, timeout }) => name === 'api' && timeout === undefined);
    return index < 0 ? [] : [{ op: 'add', path: `/spec/http/${index}/timeout`, value: '9s' }];
  };
  const seen = ['metadata', 'annotations', 'example.com/seen'];
  /** Where the mark of each is in the object, and, if there, in what the original holds. */
  const cases = [
    {
      what: 'adds an annotation to a VirtualService',
      subject: virtualService,
      mutation: annotate,
      mark: { path: seen, value: 'yes', saved: seen.slice(1) },
    },
    {
      what: 'changes a rule of a VirtualService',
      subject: virtualService,
      mutation: addTimeout,
      mark: { path: ['spec', 'http', 0, 'timeout'], value: '9s', saved: ['spec', 'http', 0, 'timeout'] },
    },
    {
      what: 'adds an annotation to a Deployment',
      subject: deployment,
      mutation: annotate,
      mark: { path: seen, value: 'yes', saved: undefined },
    },
    {
      what: 'changes the template of a Deployment',
      subject: deployment,
      mutation: addEnvironment,
      mark: { path: [...environment, 0, 'name'], value: 'INJECTED', saved: undefined },
    },
  ];
  const orders = ['aaa-stranger', 'zzz-stranger'] as const;
  const tools = [clientSide, serverSide];
  const all = cases.flatMap((each) => orders.flatMap((order) => tools.map((tool) => ({ ...each, order, tool }))));

  test.each(all)('that is called $order and $what, with $tool.name: nothing of either is lost', async (given) => {
    const { order, subject, mutation, mark, tool } = given;
    const pair = await pairOf(subject, tool, `webhook=${order}`);
    const { release } = pair.namespaces;
    const stranger = await openForeignWebhook(server, order, subject, release, mutation);

    async function expectBoth(when: string): Promise<void> {
      await expectHeld(pair, when);
      expect(at(await pair.live(), mark.path), `${when}: the stranger's mark`).toBe(mark.value);
      const kept = mark.saved && at(await pair.original(), mark.saved);
      expect(kept, `${when}: the stranger's mark in the original`).toBe(mark.saved && mark.value);
      const { exitCode, stdout, stderr } = await diff(server, release, pair.source, tool.diffMode ?? 'client-side');
      expect({ exitCode, stdout }, `${when}: kubectl diff`).toEqual({ exitCode: 0, stdout: '' });
      expect(told(stderr, release), `${when}: what kubectl diff says beside it`).toEqual([]);
    }

    try {
      await pair.write();
      expect(stranger.calls().changed, 'writes that the stranger changed').toBe(2);
      await pair.step(subject.steps[0]);
      await expectBoth('in step 1');
      expect(told(await pair.write(), release), 'as it is: with the other webhook every sync is a write').toEqual([]);
      await expectBoth('after a sync');
      await editInRelease(pair, edit(subject, 1));
      await expectBoth('after an edit');
      expect(at(await pair.live(), subject.rewritten.path)).toEqual(subject.rewritten.value);
      await pair.step(subject.steps[1]);
      await pair.write();
      await expectBoth('in step 2');
      expect(at(await pair.live(), subject.rewrittenNext.path)).toEqual(subject.rewrittenNext.value);
      await editInRelease(pair, edit(subject, 2));
      await expectBoth('after an edit in step 2');
      const before = stranger.calls().asked;
      await pair.step(undefined);
      expect(stranger.calls().asked, 'the stranger is asked about the restore').toBeGreaterThan(before);
      await expectRestored(pair);
      expect(at(await pair.live(), mark.path), "the stranger's mark in the end").toBe(mark.value);
    } finally {
      await stranger.close();
    }
  });
});

test('what the controller writes itself, where the webhook was not called, is its own in no field', async () => {
  const pair = await pairOf(virtualService, serverSide);
  await pair.write();
  const owners = ownersOf(await pair.live());
  const reopen = await bypass(server, sluice);
  try {
    const before = await pair.live();
    await pair.step(virtualService.steps[0]);
    const incoming = await pair.live();
    expect(await pair.plain('live'), 'nobody rewrote it').toEqual(await pair.plain('twin'));
    const write = { operation: 'UPDATE', incoming, live: before, byController: true } as const;
    const verdict = decide(write, shippedRewriter());
    if (verdict.verdict !== 'rewritten') throw new Error(JSON.stringify(verdict));
    await writeDirectly(sluice.controller, virtualService.resource, incoming, verdict.operations);
  } finally {
    await reopen();
  }
  expect(at(await pair.live(), virtualService.rewritten.path)).toEqual(virtualService.rewritten.value);
  expect(missingOwners(ownersOf(await pair.live()), owners)).toEqual([]);
  expect(ownedBySluice(await pair.live())).toEqual(['/f:metadata/f:annotations/f:directive.sluice.dev/web']);
  await editInRelease(pair, edit(virtualService, 0));
  await pair.step(undefined);
  await expectRestored(pair);
});
