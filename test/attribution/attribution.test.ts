import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withPath } from '../api-server/fields.ts';
import type { ForeignWebhook } from '../api-server/simulated.ts';
import { type Kind, kinds } from './kinds.ts';
import { Release, type Tool } from './release.ts';
import { scriptHash, testRewriter } from './scripts.ts';

const rewriter = testRewriter();

const tools = fc.constantFrom<Tool>('client-side apply', 'server-side apply', 'forced server-side apply', 'replace');

type Command = { readonly type: (typeof COMMANDS)[number]; readonly choice: number; readonly foreign: number };

const COMMANDS = [
  'step',
  'step',
  'reapply',
  'source',
  'source',
  'hand',
  'hand',
  'bypass source',
  'bypass hand',
] as const;

const commands = fc.array(
  fc.record<Command>({ type: fc.constantFrom(...COMMANDS), choice: fc.nat(1000), foreign: fc.nat(9) }),
  { minLength: 3, maxLength: 9 },
);

/** Most writes meet no other webhook; some meet one before or after ours. */
function foreignFor(choice: number): ForeignWebhook[] {
  const annotate = (object: Parameters<ForeignWebhook['mutate']>[0]) =>
    withPath(object, ['metadata', 'annotations', 'foreign.example.com/seen'], 'yes');
  if (choice === 0) return [{ order: 'after', mutate: annotate }];
  if (choice === 1) return [{ order: 'before', mutate: annotate }];
  return [];
}

function run(kind: Kind, release: Release, { type, choice, foreign }: Command, count: number): void {
  const actions = kind.actions(scriptHash(kind));
  const { server } = release;
  if (type === 'step' || release.directives.size === 0) {
    release.step(actions[choice % actions.length], count + 1);
    return;
  }
  const tag = `t${choice}`;
  const edits = kind.edits(type.endsWith('hand') ? (server.live ?? {}) : release.source, tag);
  const edit = edits[choice % edits.length];
  const webhooks = foreignFor(foreign);
  server.foreign = type.startsWith('bypass') ? [] : webhooks;
  server.bypassed = type.startsWith('bypass');
  let written = true;
  if (type === 'reapply') release.apply();
  else if (type.endsWith('source')) release.apply(edit);
  else if (edit !== undefined) written = release.editByHand(edit);
  if (written && server.foreign.length > 0) {
    release.expected = withPath(release.expected, ['metadata', 'annotations', 'foreign.example.com/seen'], 'yes');
    release.log.push(`with a webhook ${server.foreign[0]?.order} ours`);
  }
  server.foreign = [];
  if (!server.bypassed) return;
  server.bypassed = false;
  // Back again: the next write that we see, the controller's, finds what was written meanwhile.
  release.log.push('bypassed until now');
  // A replace dropped directive and original: nobody can know what was meant, so `kubectl sluice adopt` says it.
  if (release.tool === 'replace' && type === 'bypass source') release.directives.clear();
  release.step(actions[choice % actions.length], count + 1);
}

describe.each(kinds.map((kind) => [kind.name, kind] as const))('%s', (_name, kind) => {
  test('edits from source and by hand, at any step and while we were bypassed, are in the original, in effect and in the restored object', () => {
    fc.assert(
      fc.property(kind.source, tools, commands, (source, tool, sequence) => {
        const release = new Release(kind, rewriter, tool, source);
        sequence.forEach((command, i) => {
          run(kind, release, command, i);
          expect(release.problems(), release.story()).toEqual([]);
        });
        release.step(undefined, 99);
        expect(release.problems(), release.story()).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
