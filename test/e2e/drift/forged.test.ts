import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../../../src/api/names.ts';
import { at, type JsonMap } from '../../../src/json/value.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { type Installed, installSluice } from '../installed.ts';
import { bypass } from './bypass.ts';
import { deployment, ingress, type Subject, service } from './objects.ts';
import { Pair } from './release.ts';
import { expectHeld, expectRestored } from './steady.ts';
import { TOOLS, type Tool } from './tools.ts';
import { ownAnnotations } from './view.ts';

const server = cluster();
const [clientSide] = TOOLS as readonly [Tool];
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server);
  await sluice.rest();
});
afterAll(() => sluice.uninstall());

const SUBJECTS_WITH_STATUS = [deployment, service, ingress];

const FORGED = { [ANNOTATIONS.original]: '{"spec":{}}', [`${DIRECTIVE_PREFIX}other`]: '{}' };
const REMOVED = { [ANNOTATIONS.original]: null, [`${DIRECTIVE_PREFIX}web`]: null };
const SWAPPED = { [ANNOTATIONS.original]: '{"spec":{}}', [`${DIRECTIVE_PREFIX}web`]: '{}' };

async function pairOf(subject: Subject): Promise<Pair> {
  const [release, twin] = await Promise.all([server.namespace(), server.namespace()]);
  return new Pair(server, sluice.controller, { subject, tool: clientSide, release, twin });
}

/** A write of the status that brings annotations along. @returns what the writer is told */
async function writeStatus({ subject, namespaces }: Pair, annotations: JsonMap, status: JsonMap = {}): Promise<string> {
  const patch = JSON.stringify({ metadata: { annotations }, status });
  const words = ['patch', subject.kind, 'web', '-n', namespaces.release, '--subresource=status', '--type=merge', '-p'];
  const result = await server.kubectl([...words, patch]);
  succeeded(result);
  return result.stderr;
}

const PUT_BACK = /^Warning: annotations of Sluice .* were put back: only its controller changes them\n$/;

describe.each(SUBJECTS_WITH_STATUS)('annotations of Sluice that come in by the status of a $kind', (subject) => {
  test.each([
    ['added or changed', FORGED, 'controller'],
    ['removed', REMOVED, 'nobody'],
    ['both changed', SWAPPED, 'nobody'],
  ] as const)('in a release are put back with a warning: %s', async (_, annotations, directiveOf) => {
    const pair = await pairOf(subject);
    await pair.write();
    await pair.step(subject.steps[0]);
    const before = await pair.live();
    expect(await writeStatus(pair, annotations)).toMatch(PUT_BACK);
    expect(ownAnnotations(await pair.live())).toEqual(ownAnnotations(before));
    await expectHeld(pair, 'after the write of the status', directiveOf);
    await pair.step(undefined);
    await expectRestored(pair);
  });

  test('at rest are taken off with a warning, and a release begins and ends as ever', async () => {
    const pair = await pairOf(subject);
    await pair.write();
    expect(await writeStatus(pair, { ...FORGED, ...SWAPPED })).toMatch(PUT_BACK);
    await expectRestored(pair);
    await pair.step(subject.steps[0]);
    await expectHeld(pair, 'in step 1');
    await pair.step(undefined);
    await expectRestored(pair);
  });
});

test.each([
  [service, { conditions: [{ type: 'Seen', status: 'True', reason: 'Seen', message: '', lastTransitionTime: now() }] }],
  [ingress, { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }],
] as const)('the status of a $kind that brings forged annotations along is stored', async (subject, status) => {
  const pair = await pairOf(subject);
  await pair.write();
  await pair.step(subject.steps[0]);
  expect(await writeStatus(pair, FORGED, status)).toMatch(PUT_BACK);
  expect((await pair.live())['status']).toMatchObject(status);
  await expectHeld(pair, 'after the write of the status');
});

describe('while the webhooks are away', () => {
  /** A Service in step 1, whose annotations somebody writes by its status while nobody is asked. */
  async function forgedService(annotations: JsonMap): Promise<Pair> {
    const pair = await pairOf(service);
    await pair.write();
    await pair.step(service.steps[0]);
    const reopen = await bypass(server, sluice);
    try {
      expect(await writeStatus(pair, annotations), 'nobody was asked').toBe('');
    } finally {
      await reopen();
    }
    return pair;
  }

  test('an original that is swapped stands, and the next write takes what it does not explain for edits', async () => {
    const pair = await forgedService({ [ANNOTATIONS.original]: '{"spec":{},"apiVersion":"v1"}' });
    expect(await pair.original()).toMatchObject({ spec: {} });
    await pair.write(service.edits[3]);
    await expectHeld(pair, 'after the next write');
    await pair.step(undefined);
    await expectRestored(pair);
  });

  test('a directive that is taken off leaves the object as the step made it, and the next step is refused with a way out', async () => {
    const pair = await forgedService({ [`${DIRECTIVE_PREFIX}web`]: null });
    const saved = await pair.original();
    expect(at(await pair.live(), service.rewritten.path)).toBe(service.rewritten.value);
    await expect(pair.step(service.steps[1])).rejects.toThrow(/earlier release.*kubectl sluice adopt/);
    expect(at(await pair.live(), service.rewritten.path)).toBe(service.rewritten.value);
    expect(await pair.original(), 'what the user means is kept').toEqual(saved);
  });
});

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}
