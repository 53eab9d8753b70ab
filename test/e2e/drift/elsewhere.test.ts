import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, type JsonMap } from '../../../src/json/value.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { type Installed, installSluice } from '../installed.ts';
import { destinationRule, type Edit, httpRoute, SUBJECTS, type Subject, virtualService } from './objects.ts';
import { Pair } from './release.ts';
import { expectHeld, expectRestored } from './steady.ts';
import { told } from './told.ts';
import { TOOLS, type Tool } from './tools.ts';
import { ownAnnotations } from './view.ts';
import { editInRelease } from './written.ts';

const server = cluster();
const [clientSide, serverSide] = TOOLS as readonly [Tool, Tool];
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio', 'httpRoute'] });
  await sluice.rest();
});
afterAll(() => sluice.uninstall());

async function pairOf(subject: Subject, tool: Tool): Promise<Pair> {
  const [release, twin] = await Promise.all([server.namespace(), server.namespace()]);
  return new Pair(server, sluice.controller, { subject, tool, release, twin });
}

test.concurrent.each(SUBJECTS)(
  'a $kind that is deleted and made again in a release is the source, and can be released again',
  async (subject) => {
    const pair = await pairOf(subject, clientSide);
    await pair.write();
    await pair.step(subject.steps[0]);
    await pair.write(subject.edits[1]);
    succeeded(await server.kubectl(['delete', subject.kind, 'web', '-n', pair.namespaces.release]));
    await pair.write();
    await expectRestored(pair);
    pair.restart();
    await pair.step(subject.steps[0]);
    expect(at(await pair.live(), subject.rewritten.path)).toEqual(subject.rewritten.value);
    await expectHeld(pair, 'in the next release');
    await pair.step(undefined);
    await expectRestored(pair);
  },
);

test.concurrent.each(SUBJECTS)(
  'a $kind exported in a release and applied elsewhere is what the user meant, with their edits',
  async (subject) => {
    const pair = await pairOf(subject, clientSide);
    await pair.write();
    await pair.step(subject.steps[0]);
    await pair.write(subject.edits[1]);
    const { status: _, ...exported } = await pair.live();
    const { name, labels, annotations } = exported['metadata'] as JsonMap;
    const { clusterIP: __, clusterIPs: ___, ...spec } = exported['spec'] as JsonMap;
    const elsewhere = await server.namespace();
    const manifest = { ...exported, metadata: { name, labels, annotations }, spec } as JsonMap;
    const stdin = JSON.stringify(manifest);
    succeeded(await server.kubectl(['apply', '-n', elsewhere, '-f', '-'], { stdin }));
    const applied = await server.client.get(subject.resource, { namespace: elsewhere, name: 'web' });
    expect(pair.comparable(applied)).toEqual(await pair.plain('twin'));
    expect(ownAnnotations(applied)).toEqual({});
  },
);

describe('a write in another version of the API than the one that is stored', () => {
  const cases = [virtualService, destinationRule].flatMap((subject) =>
    ['v1', 'v1alpha3'].map((version) => ({ kind: subject.kind, subject, version })),
  );
  const all = [...cases, { kind: httpRoute.kind, subject: httpRoute, version: 'v1beta1' }];

  test.concurrent.each(all)('a $kind patched as $version in a release keeps the edit', async ({ subject, version }) => {
    const pair = await pairOf(subject, patchAs(version));
    const [first, second, third] = subject.edits as [Edit, Edit, Edit];
    await pair.write();
    await pair.step(subject.steps[0]);
    await editInRelease(pair, first);
    await pair.step(subject.steps[1]);
    await editInRelease(pair, third);
    await editInRelease(pair, second);
    await pair.step(undefined);
    await expectRestored(pair);
  });

  test.concurrent.each(all.flatMap((each) => [clientSide, serverSide].map((tool) => ({ ...each, tool }))))(
    'a $kind whose source becomes $version in a release: nothing of $tool.name is lost',
    async ({ subject, version, tool }) => {
      const pair = await pairOf(subject, tool);
      await pair.write();
      await pair.step(subject.steps[0]);
      pair.source = { ...pair.source, apiVersion: `${subject.resource.group}/${version}` };
      expect(told(await pair.write(), pair.namespaces.release)).toEqual([]);
      await expectHeld(pair, `applied as ${version}`);
      await editInRelease(pair, subject.edits[1] as Edit);
      await pair.step(undefined);
      await expectRestored(pair);
    },
  );
});

/** `kubectl patch` that names the version of the kind. */
function patchAs(version: string): Tool {
  const merge = TOOLS.find(({ name }) => name === 'merge patch');
  if (merge === undefined) throw new Error('there is no merge patch');
  return {
    ...merge,
    write(cluster, kept, edit) {
      const kubectl: typeof cluster.kubectl = (args, options) => {
        const [command, kind = ''] = args;
        const [group] = String(kept.source['apiVersion']).split('/');
        const named =
          command === 'patch' ? [command, `${kind.toLowerCase()}.${version}.${group}`, ...args.slice(2)] : args;
        return cluster.kubectl(named, options);
      };
      return merge.write({ ...cluster, kubectl }, kept, edit);
    },
  };
}
