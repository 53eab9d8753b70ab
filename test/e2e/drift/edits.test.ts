import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonMap } from '../../../src/json/value.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { type Installed, installSluice } from '../installed.ts';
import { Measured } from './measured.ts';
import { MEETINGS, type Meeting } from './meeting.ts';
import { deployment, type Edit, ingress, type Subject, service } from './objects.ts';
import { Pair } from './release.ts';
import { expectHeld, expectRestored } from './steady.ts';
import { told } from './told.ts';
import { TOOLS, type Tool } from './tools.ts';
import { keepsOther } from './view.ts';
import { editInRelease } from './written.ts';

const server = cluster();
let sluice: Installed;
beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio', 'httpRoute'] });
  await sluice.rest();
});
afterAll(() => sluice.uninstall());

/** One of each sort: the others send the same. */
const TRIED = TOOLS.filter(({ name }) => !['helm upgrade', 'merge patch'].includes(name));

const COLUMN = 'what becomes of it';
const measured = new Measured([COLUMN]);
const rowOf = ({ subject }: Meeting, { title }: Edit) => `${subject.kind}: ${title}`;
const byHand = (edit: Edit): Edit => ({ ...edit, title: `${edit.title}, by hand` });

async function pairOf(subject: Subject, tool: Tool): Promise<Pair> {
  const [release, twin] = await Promise.all([server.namespace(), server.namespace()]);
  return new Pair(server, sluice.controller, { subject, tool, release, twin });
}

describe.each(MEETINGS)('$subject.kind', (meeting) => {
  test.concurrent.each(TRIED)('edits that meet the rewrite are kept, by $name', (tool) => play(meeting, tool));
});

test('docs/gitops.md says what becomes of each edit, as it was measured', () => {
  const rows = MEETINGS.flatMap((meeting) => {
    const inSteps = meeting.inStep.flatMap((edits, i) => {
      const hand = meeting.byHand[i];
      return hand === undefined ? edits : [...edits, byHand(hand)];
    });
    return inSteps.map((edit) => rowOf(meeting, edit));
  });
  const names = TRIED.map(({ name }) => name);
  expect(readFileSync('docs/gitops.md', 'utf8')).toContain(measured.table('edit', rows, names, 'not measured'));
});

async function play(meeting: Meeting, tool: Tool): Promise<void> {
  const { subject, before, inStep } = meeting;
  const pair = await pairOf(subject, tool);
  await pair.write();
  for (const edit of before) await pair.write(edit);
  for (const [i, edits] of inStep.entries()) {
    await pair.step(subject.steps[i]);
    await expectHeld(pair, `in step ${i + 1}`);
    for (const edit of edits) {
      measured.saw(rowOf(meeting, edit), COLUMN, await editInRelease(pair, edit), tool.name);
    }
    const hand = meeting.byHand[i];
    if (tool.from === 'source' || hand === undefined) continue;
    measured.saw(rowOf(meeting, byHand(hand)), COLUMN, await putBack(pair, hand), tool.name);
  }
  await pair.step(undefined);
  await expectRestored(pair);
}

/** Somebody sets what the rewrite decides: the object and the original stay as they are, and the answer says so. */
async function putBack(pair: Pair, edit: Edit): Promise<string> {
  const before = await pair.live();
  const said = told(await pair.writeByHand(edit), pair.namespaces.release);
  const after = await pair.live();
  expect(pair.comparable(after), `${edit.title}, by hand`).toEqual(pair.comparable(before));
  expect(keepsOther(before, after), 'the original changes').toBe(false);
  expect(said).toEqual(['not in effect']);
  await expectHeld(pair, `after ${edit.title}, by hand`);
  return 'put back, warned';
}

describe('kubectl patch --type=strategic in a release', () => {
  const container = (change: JsonMap): JsonMap => ({
    spec: { template: { spec: { nodeSelector: { nowhere: 'yes' }, containers: [{ name: 'web', ...change }] } } },
  });
  const cases: [Subject, string, JsonMap, 'not in effect'?][] = [
    [service, 'adds a port to the keyed list', { spec: { ports: [{ name: 'admin', port: 82, targetPort: 8082 }] } }],
    [service, 'changes a port by its key', { spec: { ports: [{ port: 80, targetPort: 8083 }] } }],
    [service, 'takes a port away by its key', { spec: { ports: [{ $patch: 'delete', port: 82 }] } }],
    [service, 'adds a key to the selector', { spec: { selector: { tier: 'front' } } }],
    [service, 'replaces the selector', { spec: { selector: { $patch: 'replace', app: 'web' } } }, 'not in effect'],
    [deployment, 'adds an environment variable by its key', container({ env: [{ name: 'A', value: '1' }] })],
    [deployment, 'changes it by its key', container({ env: [{ name: 'A', value: '2' }] })],
    [deployment, 'takes it away by its key', container({ env: [{ $patch: 'delete', name: 'A' }] })],
    [ingress, 'sets the TLS secret', { spec: { tls: [{ hosts: ['web.example.com'], secretName: 'web-tls' }] } }],
  ];
  const kinds = [service, deployment, ingress].map((subject) => ({
    subject,
    kind: subject.kind,
    patches: cases.flatMap(([owner, title, patch, says]) => (owner === subject ? [{ title, patch, says }] : [])),
  }));

  test.concurrent.each(kinds)('on a $kind means what it means without one', async ({ subject, patches }) => {
    const pair = await pairOf(subject, TOOLS[0] as Tool);
    await pair.write();
    for (const step of subject.steps) {
      await pair.step(step);
      for (const { title, patch, says } of patches) {
        const { release, twin } = pair.namespaces;
        const words = ['patch', subject.kind, 'web', '--type=strategic', '-p', JSON.stringify(patch), '-n'];
        const [result, other] = await Promise.all([release, twin].map((each) => server.kubectl([...words, each])));
        if (result === undefined || other === undefined) throw new Error('nothing was patched');
        succeeded(result);
        succeeded(other);
        // Who takes the step's own key away is told that it stays.
        expect(told(result.stderr, release), title).toEqual(says === undefined ? [] : [says]);
        await expectHeld(pair, title);
      }
    }
    await pair.step(undefined);
    await expectRestored(pair);
  });
});
