import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIRECTIVE_PREFIX } from '../../../src/api/names.ts';
import { at, type Json, type JsonMap, member } from '../../../src/json/value.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { definitionsPath } from '../../cluster/definitions.ts';
import { type Installed, installSluice } from '../installed.ts';
import { type Edit, SUBJECTS, type Subject } from './objects.ts';
import { missingOwners, ownersOf, Pair } from './release.ts';
import { TOOLS, type Tool } from './tools.ts';

const server = cluster();
let sluice: Installed;
beforeAll(async () => {
  for (const name of ['istio', 'httpRoute'] as const) {
    succeeded(await server.kubectl(['apply', '--server-side', '-f', definitionsPath(name)]));
  }
  sluice = await installSluice(server);
});
afterAll(() => sluice.uninstall());

/** What was seen of each tool and kind, for the table in the documentation. */
const measured = new Map<string, Map<string, Set<string>>>();

function saw(pair: Pair, what: (typeof COLUMNS)[number], seen: string): void {
  const cells = measured.get(pair.tool.name) ?? new Map<string, Set<string>>();
  measured.set(pair.tool.name, cells.set(what, (cells.get(what) ?? new Set()).add(seen)));
}

const COLUMNS = [
  'the same again',
  '`kubectl diff`',
  '`kubectl diff --server-side`',
  'an edit',
  'after the release',
] as const;

/** Strategic merge patches and in-place rules of built-in kinds do not concern every pair, but each must hold. */
describe.each(SUBJECTS)('$kind', (subject) => {
  test.concurrent.each(TOOLS)('no drift, no lost edit and an exact restore with $name', (tool) => play(subject, tool));
});

test('the documentation has the table as it was measured, the same for all kinds', () => {
  const rows = TOOLS.map(({ name }) => {
    const cells = measured.get(name);
    const texts = COLUMNS.map((column) => [...(cells?.get(column) ?? ['no source'])].sort().join('; '));
    return `| ${[name, ...texts].join(' | ')} |`;
  });
  const head = [`| written by | ${COLUMNS.join(' | ')} |`, `|${' --- |'.repeat(COLUMNS.length + 1)}`];
  expect(readFileSync('docs/gitops.md', 'utf8')).toContain([...head, ...rows].join('\n'));
});

/**
 * A whole release with an edit of the user at each moment:
 *
 * ```
 *  write ─ edit ─ step 1 ─ as it is ─ edit ─ step 2 ─ edit ─ as it is ─ end ─ as it is ─ edit
 * ```
 */
async function play(subject: Subject, tool: Tool): Promise<void> {
  const [release, twin] = await Promise.all([server.namespace(), server.namespace()]);
  const pair = new Pair(server, sluice.controller, { subject, tool, release, twin });
  const [before, first, second, after] = subject.edits as [Edit, Edit, Edit, Edit];

  await pair.write();
  await pair.write(before);
  const owners = ownersOf(await pair.live());

  await pair.step(subject.steps[0]);
  expect(at(await pair.live(), subject.rewritten.path), 'step 1 is in effect').toEqual(subject.rewritten.value);
  expect(missingOwners(ownersOf(await pair.live()), owners), 'fields that lost their owner in step 1').toEqual([]);
  await expectSteady(pair);
  await expectNothingChanges(pair, 'in a release');

  await pair.write(first);
  await expectSteady(pair);
  expect(at(await pair.live(), subject.rewritten.path), 'step 1 is in effect still').toEqual(subject.rewritten.value);
  saw(pair, 'an edit', 'in effect, in the original');

  await pair.step(subject.steps[1]);
  await expectSteady(pair);
  await pair.write(second);
  await expectSteady(pair);
  await expectNothingChanges(pair, 'in a release');

  await pair.step(undefined);
  expect(await pair.plain('live'), 'the restored object').toEqual(await pair.plain('twin'));
  expect(ownKeys(await pair.live()), 'nothing of ours is left').toEqual([]);
  const twinOwners = ownersOf(await pair.twin());
  expect(missingOwners(ownersOf(await pair.live()), twinOwners), 'owners after the release').toEqual([]);
  saw(pair, 'after the release', 'as the twin');
  await expectNothingChanges(pair, 'at rest');
  await pair.write(after);
  expect(await pair.plain('live'), 'an edit after the release').toEqual(await pair.plain('twin'));
}

/** In a release: the tools find nothing to do, the original is what the twin is, the controller owns its directive only. */
async function expectSteady(pair: Pair): Promise<void> {
  for (const { mode, exitCode, stdout, stderr } of await pair.diffs()) {
    expect({ mode, exitCode, stdout }).toEqual({ mode, exitCode: 0, stdout: '' });
    // The other mode's dry run writes a list back without any sign that it comes from a source: that may be warned of.
    if (mode === pair.tool.diffMode) expect(stderr).toBe('');
    saw(pair, mode === 'client-side' ? COLUMNS[1] : COLUMNS[2], `exit ${exitCode}`);
  }
  const original = await pair.original();
  expect(original, 'the original').toEqual(heldIn(original, await pair.plain('twin')));
  const owned = ownedByController(await pair.live());
  // After a replace, which left it out, the directive is nobody's until the controller's next write.
  if (pair.tool.name !== 'replace' || owned.length > 0) {
    expect(owned).toEqual([`/f:metadata/f:annotations/f:${DIRECTIVE_PREFIX}web`]);
  }
}

/** Writing the same source again changes nothing that is stored. */
async function expectNothingChanges(pair: Pair, moment: 'in a release' | 'at rest'): Promise<void> {
  if (pair.tool.from === 'view') return;
  const before = await pair.live();
  const printed = await pair.write();
  const after = await pair.live();
  // A replace drops our annotations, and is told that they are put back.
  const isTold = pair.tool.name === 'replace' && moment === 'in a release';
  expect(warningsIn(printed)).toMatch(isTold ? / only Sluice writes these annotations, so they are put back / : /^$/);
  expect(withoutServerFields(after)).toEqual(withoutServerFields(before));
  if (moment === 'in a release') saw(pair, 'the same again', isTold ? 'changes nothing, is warned' : 'changes nothing');
}

function warningsIn(printed: string): string {
  return printed
    .split('\n')
    .filter((line) => /^warning/i.test(line))
    .join('\n');
}

function ownedByController(object: JsonMap): string[] {
  return [...ownersOf(object)]
    .filter(([, managers]) => managers.some((manager) => manager.startsWith('sluice-controller')))
    .map(([path]) => path);
}

function ownKeys(object: JsonMap): string[] {
  const annotations = member(object['metadata'], 'annotations');
  return Object.keys((annotations as JsonMap | undefined) ?? {}).filter((key) => /sluice\.dev|kruise\.io/.test(key));
}

/** Originals of workloads and Services hold only the fields that a rewrite may change. */
function heldIn(original: Json, plain: Json): Json {
  const spec = member(original, 'spec') as JsonMap;
  const labels = member(original, 'labels') as JsonMap;
  if (Object.keys(labels).length > 0) return plain;
  const held = Object.keys(spec).map((key) => [key, at(plain, ['spec', key])]);
  return { spec: Object.fromEntries(held), labels: {}, annotations: {} };
}

/** Without what every write of the same content may change. */
function withoutServerFields(object: JsonMap): JsonMap {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = member(object, 'metadata') as JsonMap;
  const { status: ____, ...rest } = object;
  const { 'deployment.kubernetes.io/revision': _____, ...kept } = metadata['annotations'] as JsonMap;
  return { ...rest, metadata: { ...metadata, annotations: kept } };
}
