import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { equal } from '../../../src/json/equal.ts';
import { type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { deployment, type Edit, SUBJECTS, type Subject, virtualService } from '../drift/objects.ts';
import { missingOwners, Pair } from '../drift/release.ts';
import { TOOLS } from '../drift/tools.ts';
import { type Installed, installSluice } from '../installed.ts';
import { ownersOf } from '../ownership.ts';
import { application, argoCd } from './argocd.ts';
import { asTool, type Deployer, type Status } from './deployer.ts';
import { documented, documentedVerdicts } from './document.ts';
import { flux } from './flux.ts';

const DIFF = 'ServerSideDiff=true';
const WITH_WEBHOOKS = `${DIFF},IncludeMutationWebhook=true`;
const APPLY = 'ServerSideApply=true';

const DEPLOYERS: readonly Deployer[] = [
  argoCd('Argo CD with client-side apply', {
    'Argo CD, defaults': application(''),
    [`Argo CD, ${DIFF}`]: application(DIFF),
    [`Argo CD, ${WITH_WEBHOOKS}`]: documented('Application'),
  }),
  argoCd('Argo CD with server-side apply', {
    [`Argo CD, ${APPLY}`]: application('', [APPLY]),
    [`Argo CD, ${APPLY}, ${DIFF}`]: application(DIFF, [APPLY]),
    [`Argo CD, ${APPLY}, ${WITH_WEBHOOKS}`]: application(WITH_WEBHOOKS, [APPLY]),
  }),
  flux('Flux', { force: false }),
  flux('Flux, force: true', { force: true }),
];

const server = cluster();
let sluice: Installed;
beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio', 'httpRoute'] });
  await sluice.rest();
});
afterAll(() => sluice.uninstall());

const table = documentedVerdicts();

test('docs/gitops.md has a row for each setting and a column for each kind', () => {
  expect([...table.keys()]).toEqual(DEPLOYERS.flatMap(({ settings }) => settings));
  for (const row of table.values()) expect([...row.keys()]).toEqual(SUBJECTS.map(({ kind }) => kind));
});

describe.each(SUBJECTS)('$kind', (subject) => {
  test.concurrent.each(DEPLOYERS)(
    'the verdicts of $name are the documented ones, and its syncs lose nothing',
    (deployer) => play(subject, deployer),
  );
});

type Statuses = readonly Status[];

async function start(subject: Subject, deployer: Deployer) {
  const [release, twin] = await Promise.all([server.namespace(), server.namespace()]);
  const pair = new Pair(server, sluice.controller, { subject, tool: asTool(deployer), release, twin });
  /** What the deployer says of one of the two, setting by setting. */
  const statuses = async (which: 'release' | 'twin', edit?: Edit): Promise<Statuses> => {
    const source = edit === undefined ? pair.source : edit.apply(pair.source);
    const namespace = which === 'release' ? release : twin;
    return (await deployer.verdicts(server, { namespace, source })).map(({ status }) => status);
  };
  await pair.write();
  return { pair, statuses };
}

/**
 * ```
 *  sync ─ step 1 ─ syncs ─ edits in Git ─ step 2 ─ syncs ─ edit in Git ─ edit by hand ─ sync ─ end
 * ```
 * with the verdicts asked for at each moment, and each write made to a twin without Sluice, too.
 */
async function play(subject: Subject, deployer: Deployer): Promise<void> {
  const { pair, statuses } = await start(subject, deployer);
  // Kubernetes' own controllers write a new Deployment some times, and a comparison in between sees that.
  const resting = await until('the same verdict on both before the release', async () => {
    const [inRelease, twin] = [await statuses('release'), await statuses('twin')];
    return equal(inRelease, twin) ? inRelease : undefined;
  });
  const [first, second, third, byHand] = subject.edits as [Edit, Edit, Edit, Edit];
  for (const [step, edits] of [
    [subject.steps[0], [first, second]],
    [subject.steps[1], [third]],
  ] as const) {
    await pair.step(step);
    const inStep = await statuses('release');
    expect(cells(resting, inStep), 'the verdicts in docs/gitops.md').toEqual(
      deployer.settings.map((setting) => table.get(setting)?.get(subject.kind)),
    );
    await expectSyncsChangeNothing(pair);
    for (const edit of edits) {
      const [seen, expected] = await Promise.all([statuses('release', edit), statuses('twin', edit)]);
      const before = await pair.plain('live');
      await pair.write(edit);
      const shows = !equal(before, await pair.plain('live'));
      // Argo CD takes what webhooks change for nothing, unless told otherwise: an edit that the step hides waits.
      const blind = (setting: string) => !shows && setting.endsWith(DIFF);
      expect(seen, `${edit.title}, before its sync`).toEqual(
        expected.map((status, i) => (blind(deployer.settings[i] ?? '') ? 'Synced' : status)),
      );
      expect(await statuses('release'), `${edit.title}, after its sync`).toEqual(inStep);
    }
  }
  await editByHand(pair, byHand);
  await pair.write();
  await pair.step(undefined);
  expect(await pair.plain('live'), 'the restored object').toEqual(await pair.plain('twin'));
  expect(await statuses('release'), 'after the release').toEqual(await statuses('twin'));
}

/** As the document's table says it. */
function cells(resting: Statuses, inStep: Statuses): string[] {
  return inStep.map((status, i) => (resting[i] === 'Synced' ? status : `${resting[i]}, also at rest`));
}

/** Automated syncs and self-heal, again and again, leave no trace. */
async function expectSyncsChangeNothing(pair: Pair): Promise<void> {
  const before = { shown: await pair.plain('live'), original: await pair.original(), object: await pair.live() };
  for (const printed of [await pair.write(), await pair.write()]) {
    expect(printed.trim(), 'the same source is no reason for a warning').toBe('');
  }
  const object = await pair.live();
  expect({ shown: await pair.plain('live'), original: await pair.original() }).toEqual({
    shown: before.shown,
    original: before.original,
  });
  expect(generation(object), 'no controller is woken by a new generation').toEqual(generation(before.object));
  expect(missingOwners(ownersOf(object), ownersOf(before.object)), 'fields that lost their owner').toEqual([]);
}

function generation(object: JsonMap): Json | undefined {
  return member(object['metadata'], 'generation');
}

/** `kubectl patch` on what the cluster shows, of both. */
async function editByHand(pair: Pair, edit: Edit): Promise<void> {
  const patch = TOOLS.find(({ name }) => name === 'merge patch');
  if (patch === undefined) throw new Error('there is no merge patch');
  for (const live of [await pair.live(), await pair.twin()]) {
    const namespace = stringAt(live, 'metadata', 'namespace') ?? '';
    await patch.write(server, { namespace, source: pair.source, live }, edit);
  }
}

test('an edit in Git that a step hides from ServerSideDiff=true is seen when the release ends, and its sync brings it', async () => {
  const deployer = argoCd('Argo CD', { [DIFF]: application(DIFF) });
  const { pair, statuses } = await start(deployment, deployer);
  const [edit] = deployment.edits as [Edit];
  await pair.step(deployment.steps[0]);
  expect(await statuses('release', edit)).toEqual(['Synced']);
  await pair.step(undefined);
  expect(await statuses('release', edit)).toEqual(['OutOfSync']);
  await pair.write(edit);
  expect(await pair.plain('live')).toEqual(await pair.plain('twin'));
  expect(await statuses('release')).toEqual(['Synced']);
});

test('the flag for all Applications in docs/gitops.md ends the difference that Argo CD finds by its defaults', async () => {
  const plain = { 'the flag': application('') };
  const without = argoCd('Argo CD without the flag', plain);
  const withFlag = argoCd('Argo CD with the flag', plain, [documented('ConfigMap')]);
  const { pair } = await start(virtualService, without);
  await pair.step(virtualService.steps[0]);
  const committed = {
    namespace: stringAt(await pair.live(), 'metadata', 'namespace') ?? '',
    source: pair.source,
  };
  expect(await without.verdicts(server, committed)).toMatchObject([{ status: 'OutOfSync' }]);
  expect(await withFlag.verdicts(server, committed)).toMatchObject([{ status: 'Synced' }]);
});
