import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equal } from '../../src/json/equal.ts';
import type { Json, JsonMap } from '../../src/json/value.ts';
import { isMap } from '../../src/json/value.ts';
import { decide } from '../../src/rewrite/decide.ts';
import { valueAt, withPath } from '../api-server/fields.ts';
import { type ForeignWebhook, patched } from '../api-server/simulated.ts';
import { kinds } from './kinds.ts';
import { Release, type Tool } from './release.ts';
import { scriptHash, testRewriter } from './scripts.ts';

const rewriter = testRewriter();
const tools = fc.constantFrom<Tool>('client-side apply', 'server-side apply', 'forced server-side apply');

/** What a person sees of an object: everything but the server's own fields. */
function visible(object: JsonMap | undefined): Json {
  return withPath(object ?? {}, ['metadata', 'managedFields'], undefined);
}

/** Webhooks of others that change labels, annotations or the spec, before and after ours. */
const foreign = fc.record({
  order: fc.constantFrom<'before' | 'after'>('before', 'after'),
  path: fc.constantFrom(
    ['metadata', 'labels', 'foreign'],
    ['metadata', 'annotations', 'foreign.example.com/x'],
    ['spec', 'foreign'],
  ),
});

function webhookOf({ order, path }: { order: 'before' | 'after'; path: readonly string[] }): ForeignWebhook {
  return { order, mutate: (object) => withPath(object, path, 'yes') };
}

describe.each(kinds.map((kind) => [kind.name, kind] as const))('%s', (_name, kind) => {
  test('applying the unchanged source in any step changes nothing, and a diff of it is empty', () => {
    fc.assert(
      fc.property(kind.source, tools, fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }), (source, tool, steps) => {
        const release = new Release(kind, rewriter, tool, source);
        const actions = kind.actions(scriptHash(kind));
        steps.forEach((choice, i) => {
          release.step(actions[choice % actions.length], i + 1);
          const before = visible(release.server.live);
          const forced = tool === 'forced server-side apply';
          const dryRun =
            tool === 'client-side apply'
              ? release.server.applyClientSide(source, true)
              : release.server.applyServerSide(source, 'argo', forced, true);
          expect(visible(dryRun), release.story()).toEqual(before);
          release.apply();
          expect(visible(release.server.live), release.story()).toEqual(before);
          expect(release.server.warnings).toEqual([]);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('the controller owns nothing but its annotation', () => {
    fc.assert(
      fc.property(kind.source, tools, (source, tool) => {
        const release = new Release(kind, rewriter, tool, source);
        const owners = release.server.ownersOf(['spec']);
        for (const [i, action] of kind.actions(scriptHash(kind)).entries()) release.step(action, i + 1);
        expect(release.server.ownersOf(['spec'])).toEqual(owners);
        expect(release.server.ownersOf(['metadata', 'labels'])).not.toContain('sluice-controller');
      }),
      { numRuns: 20 },
    );
  });

  test('asking again changes nothing, whatever another webhook changed in between', () => {
    fc.assert(
      fc.property(kind.source, tools, foreign, fc.nat(1000), fc.boolean(), (source, tool, other, choice, byHand) => {
        const release = new Release(kind, rewriter, tool, source);
        const actions = kind.actions(scriptHash(kind));
        release.step(actions[choice % actions.length], 1);
        release.server.foreign = [webhookOf(other)];
        const edits = kind.edits(source, `t${choice}`);
        const edit = edits[choice % edits.length];
        if (!byHand) release.apply(edit);
        else if (edit !== undefined && !release.editByHand(edit)) return;
        release.expected = withPath(release.expected, other.path, 'yes');
        expect(release.problems(), release.story()).toEqual([]);
        release.server.foreign = [];
        release.step(actions[(choice + 1) % actions.length], 2);
        expect(release.problems(), release.story()).toEqual([]);
        release.step(undefined, 3);
        expect(release.problems(), release.story()).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('the answer to its own answer is no change', () => {
    fc.assert(
      fc.property(kind.source, tools, fc.nat(1000), (source, tool, choice) => {
        const release = new Release(kind, rewriter, tool, source);
        const actions = kind.actions(scriptHash(kind));
        release.step(actions[choice % actions.length], 1);
        // An API server always says who manages what: without, nobody could tell our original from a forged one.
        const managed = [
          { manager: 'kubectl', operation: 'Update', fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': {} } },
        ];
        const live = withPath(release.server.live ?? {}, ['metadata', 'managedFields'], managed);
        const edits = kind.edits(source, `t${choice}`);
        const incoming = edits[choice % edits.length]?.apply(live) ?? live;
        const write = { operation: 'UPDATE' as const, incoming, live, byController: false };
        const first = decide(write, rewriter);
        if (first.verdict === 'denied') throw new Error(first.message);
        const once = first.verdict === 'untouched' ? incoming : patched(incoming, first.operations);
        const second = decide({ ...write, incoming: once }, rewriter);
        expect(second.verdict === 'rewritten' ? second.operations : [], release.story()).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('with two Rollouts on one object each directive is applied, and each can end first', () => {
    fc.assert(
      fc.property(kind.source, tools, fc.nat(1000), fc.boolean(), (source, tool, choice, swap) => {
        const release = new Release(kind, rewriter, tool, source);
        const actions = kind.actions(scriptHash(kind));
        const [first, second] = swap ? ['blue', 'web'] : ['web', 'blue'];
        release.step(actions[0], 1, first);
        try {
          release.step(actions[1 % actions.length], 1, second);
        } catch (error) {
          // A script may refuse what another Rollout has already made of the object; then nothing changed.
          expect(error).toBeInstanceOf(Error);
          release.directives.delete(`directive.sluice.dev/${second}`);
        }
        const edits = kind.edits(source, `t${choice}`);
        release.apply(edits[choice % edits.length]);
        expect(release.problems(), release.story()).toEqual([]);
        for (const name of [first, second]) {
          release.step(undefined, 2, name);
          expect(release.problems(), release.story()).toEqual([]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('nobody but the controller changes directive or original, by whatever means', () => {
    const change = fc.constantFrom<(annotations: JsonMap) => JsonMap>(
      (all) =>
        Object.fromEntries(Object.entries(all).map(([key, text]) => [key, key.startsWith('directive.') ? 'x' : text])),
      (all) => Object.fromEntries(Object.entries(all).filter(([key]) => !key.startsWith('directive.'))),
      (all) => Object.fromEntries(Object.entries(all).filter(([key]) => !key.includes('original'))),
      (all) => ({ ...all, 'directive.sluice.dev/forged': '{"format":1}' }),
      (all) => ({ ...all, 'rollouts.kruise.io/original-spec-configuration': '{"spec":{}}' }),
      (all) => ({ ...all, 'rollouts.kruise.io/original-spec-configuration': 'gzip:AAAA' }),
      (all) => Object.fromEntries(Object.entries(all).filter(([key]) => !/sluice|kruise/.test(key))),
    );
    fc.assert(
      fc.property(kind.source, tools, change, fc.nat(9), (source, tool, forge, choice) => {
        const release = new Release(kind, rewriter, tool, source);
        const actions = kind.actions(scriptHash(kind));
        release.step(actions[choice % actions.length], 1);
        const before = visible(release.server.live);
        release.server.edit((live) => {
          const annotations = valueAt(live, ['metadata', 'annotations']);
          return withPath(live, ['metadata', 'annotations'], forge(isMap(annotations) ? annotations : {}));
        });
        expect(visible(release.server.live), release.story()).toEqual(before);
        expect(release.server.warnings.length).toBe(1);
      }),
      { numRuns: 60 },
    );
  });

  test('an exported object, also of an earlier step, comes in as its original: over a release and as a new object', () => {
    fc.assert(
      fc.property(kind.source, tools, fc.nat(1000), (source, tool, choice) => {
        const release = new Release(kind, rewriter, tool, source);
        const actions = kind.actions(scriptHash(kind));
        release.step(actions[choice % actions.length], 1);
        const exported = release.server.live ?? {};
        const edits = kind.edits(source, `t${choice}`);
        release.apply(edits[choice % edits.length]);
        release.step(actions[(choice + 1) % actions.length], 2);
        // The backup is restored in the middle of the release: the edit made since is gone, by the user's own will.
        release.server.replace(withoutLastApplied(exported));
        release.expected = source;
        expect(release.problems(), release.story()).toEqual([]);

        const elsewhere = new Release(kind, rewriter, 'replace', exported);
        elsewhere.expected = source;
        expect(elsewhere.problems(), elsewhere.story()).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

function withoutLastApplied(object: JsonMap): JsonMap {
  return withPath(object, ['metadata', 'annotations', 'kubectl.kubernetes.io/last-applied-configuration'], undefined);
}

test('equal objects have equal originals, whatever the order of their keys', () => {
  expect(equal({ a: 1, b: { c: [] } }, { b: { c: [] }, a: 1 })).toBe(true);
});
