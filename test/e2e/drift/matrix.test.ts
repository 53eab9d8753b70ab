import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at } from '../../../src/json/value.ts';
import { cluster } from '../../cluster/cluster.ts';
import { type Installed, installSluice } from '../installed.ts';
import { ownersOf } from '../ownership.ts';
import { changedLines, DIFF_MODES, type DiffMode, diff, showsOriginal } from './diffs.ts';
import { Measured } from './measured.ts';
import { type Edit, SUBJECTS, type Subject } from './objects.ts';
import { missingOwners, Pair } from './release.ts';
import { expectHeld, expectRestored, withoutServerFields } from './steady.ts';
import { type Told, told } from './told.ts';
import { TOOLS, type Tool } from './tools.ts';
import { editInRelease } from './written.ts';

const server = cluster();
let sluice: Installed;
beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio', 'httpRoute'] });
  await sluice.rest();
});
afterAll(() => sluice.uninstall());

const DIFF_COLUMNS = {
  'client-side': '`kubectl diff`',
  'server-side': '`kubectl diff --server-side`',
} as const satisfies Record<DiffMode, string>;
const AGAIN = 'the same again';
const EDIT = 'an edit';
const AFTER = 'after the release';
const measured = new Measured([AGAIN, ...Object.values(DIFF_COLUMNS), EDIT, AFTER]);

describe.each(SUBJECTS)('$kind', (subject) => {
  test.concurrent.each(TOOLS)('no drift, no lost edit and an exact restore with $name', (tool) => play(subject, tool));
});

test('docs/gitops.md has the table of the matrix as it was measured', () => {
  const names = TOOLS.map(({ name }) => name);
  const kinds = SUBJECTS.map(({ kind }) => kind);
  expect(readFileSync('docs/gitops.md', 'utf8')).toContain(measured.table('written by', names, kinds, 'no source'));
});

/**
 * A whole release with an edit of the user at each moment; `?` asks `kubectl diff`:
 *
 * ```
 *  write ─ edit ─ ? ─ step 1 ─ ? ─ as it is ─ edit ─ ? ─ step 2 ─ ? ─ edit ─ ? ─ as it is ─ end ─ ? ─ as it is ─ edit
 * ```
 */
async function play(subject: Subject, tool: Tool): Promise<void> {
  const [release, twin] = await Promise.all([server.namespace(), server.namespace()]);
  const pair = new Pair(server, sluice.controller, { subject, tool, release, twin });
  const [before, first, second, after] = subject.edits as [Edit, Edit, Edit, Edit];
  const saw = (column: string, seen: string) => measured.saw(tool.name, column, seen, subject.kind);

  expect(told(await pair.write(), release)).toEqual([]);
  expect(told(await pair.write(before), release)).toEqual([]);
  await expectNoDifference(pair, 'at rest');
  const owners = ownersOf(await pair.live());

  await pair.step(subject.steps[0]);
  expect(at(await pair.live(), subject.rewritten.path), 'step 1 is in effect').toEqual(subject.rewritten.value);
  expect(missingOwners(ownersOf(await pair.live()), owners), 'fields that lost their owner in step 1').toEqual([]);
  await expectHeld(pair, 'in step 1');
  await expectNoDifference(pair, 'in a release');
  saw(AGAIN, await expectNothingChanges(pair, 'in a release'));
  await expectDiffShows(pair, first);

  saw(EDIT, await editInRelease(pair, first));
  expect(at(await pair.live(), subject.rewritten.path), 'step 1 is in effect still').toEqual(subject.rewritten.value);
  await expectNoDifference(pair, 'in a release');

  await pair.step(subject.steps[1]);
  expect(at(await pair.live(), subject.rewrittenNext.path), 'step 2 is in effect').toEqual(subject.rewrittenNext.value);
  await expectHeld(pair, 'in step 2');
  await expectNoDifference(pair, 'in a release');
  saw(EDIT, await editInRelease(pair, second));
  await expectNoDifference(pair, 'in a release');
  saw(AGAIN, await expectNothingChanges(pair, 'in a release'));

  await pair.step(undefined);
  await expectRestored(pair);
  saw(AFTER, 'as the twin');
  await expectNoDifference(pair, 'at rest');
  await expectNothingChanges(pair, 'at rest');
  expect(told(await pair.write(after), release)).toEqual([]);
  await expectRestored(pair);
}

/** `kubectl diff` on the user's source finds nothing, in either mode; what it says beside that is recorded. */
async function expectNoDifference(pair: Pair, moment: 'at rest' | 'in a release'): Promise<void> {
  const { tool, namespaces, source, subject } = pair;
  if (tool.from === 'view') return;
  for (const found of await Promise.all(DIFF_MODES.map((mode) => diff(server, namespaces.release, source, mode)))) {
    const { mode, conflicts, exitCode, stdout, stderr } = found;
    const says = told(stderr, namespaces.release);
    expect({ mode, exitCode, stdout }).toEqual({ mode, exitCode: 0, stdout: '' });
    // The other mode's dry run writes a list back without any sign that it comes from a source: that may be warned of.
    const mayBeSaid = moment === 'in a release' && mode !== tool.diffMode ? ['not in effect'] : [];
    expect(
      says.filter((each) => !mayBeSaid.includes(each)),
      `${mode}: what is said beside it ${moment}`,
    ).toEqual([]);
    if (mode === tool.diffMode) expect(conflicts, `${mode}: the owner meets no conflict ${moment}`).toBe(false);
    if (moment === 'at rest' && conflicts) {
      // Not Sluice's: a source without the defaults of a custom resource differs from what is stored.
      expect((await diff(server, namespaces.twin, source, mode)).conflicts, 'a conflict without Sluice').toBe(true);
    }
    if (moment === 'at rest') continue;
    const quiet = conflicts ? 'conflicts; exit 0 with `--force-conflicts`' : 'exit 0';
    measured.saw(tool.name, DIFF_COLUMNS[mode], says.length === 0 ? quiet : `${quiet}, warned`, subject.kind);
  }
}

/** `kubectl diff` on an edited source exits 1 and shows that edit as it shows it of the twin, and nothing of the release. */
async function expectDiffShows(pair: Pair, edit: Edit): Promise<void> {
  const { tool, namespaces, subject } = pair;
  if (tool.from === 'view') return;
  const source = edit.apply(pair.source);
  for (const mode of DIFF_MODES) {
    const [here, there] = await Promise.all([
      diff(server, namespaces.release, source, mode),
      diff(server, namespaces.twin, source, mode),
    ]);
    expect([here.exitCode, there.exitCode], `${mode} diff of ${edit.title}`).toEqual([1, 1]);
    const shown = changedLines(there);
    expect(shown.length, 'lines of the edit').toBeGreaterThan(0);
    expect(changedLines(here), `${mode} diff of ${edit.title}`).toEqual(edit.isHidden === true ? [] : shown);
    expect(showsOriginal(here), 'the edit reaches the original').toBe(
      subject.held === 'whole' || edit.isHidden === true,
    );
  }
}

/** Writing the same source again changes nothing that is stored. @returns what is said of it */
async function expectNothingChanges(pair: Pair, moment: 'in a release' | 'at rest'): Promise<string> {
  const before = await pair.live();
  const said = told(await pair.write(), pair.namespaces.release);
  expect(said, 'what is said of the same again').toEqual(moment === 'at rest' ? [] : expectedOfTheSame(pair));
  expect(withoutServerFields(await pair.live())).toEqual(withoutServerFields(before));
  if (pair.tool.from === 'view') return 'no source';
  return said.length === 0 ? 'changes nothing' : 'changes nothing, warned';
}

function expectedOfTheSame({ tool, subject }: Pair): Told[] {
  // A replace drops our annotations, and is told that they are put back.
  if (tool.name === 'replace') return ['annotations are put back'];
  // Helm merges built-in kinds with what is live and leaves no sign that it did: it might be a hand that undoes the step.
  return tool.name === 'helm upgrade' && subject.kind === 'Deployment' ? ['not in effect'] : [];
}
