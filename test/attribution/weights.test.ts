import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equal } from '../../src/json/equal.ts';
import { isList, isMap, type Json, type JsonMap } from '../../src/json/value.ts';
import { valueAt } from '../api-server/fields.ts';
import { httpRoute, openShiftRoute, virtualService } from './kinds.ts';
import { Release, type Tool } from './release.ts';
import { scriptHash, testRewriter } from './scripts.ts';

const rewriter = testRewriter();
const tools = fc.constantFrom<Tool>('client-side apply', 'server-side apply', 'replace');

/** Sets every weight of the view by hand, as somebody does who wants the canary to have all or nothing. */
function withWeights(value: Json, weight: number): Json {
  if (isList(value)) return value.map((element) => withWeights(element, weight));
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, key === 'weight' ? weight : withWeights(entry, weight)]),
  );
}

describe.each([virtualService, httpRoute, openShiftRoute].map((kind) => [kind.name, kind] as const))(
  '%s',
  (_name, kind) => {
    test.each([false, true])(
      'weights set by hand never reach the original (while we were bypassed: %s)',
      (bypassed) => {
        fc.assert(
          fc.property(kind.source, tools, fc.constantFrom(0, 7, 50, 100), (source, tool, weight) => {
            const release = new Release(kind, rewriter, tool, source);
            const [step, next] = kind.actions(scriptHash(kind));
            release.step(step, 1);
            const before = release.server.live ?? {};
            const spec = withWeights(valueAt(before, ['spec']) ?? null, weight);
            // Without a stable backend nothing is rewritten, and a weight is the user's like any other field.
            const view = valueAt(before, ['spec']) ?? null;
            fc.pre(!equal(view, valueAt(source, ['spec'])) && !equal(spec, view));
            fc.pre(!JSON.stringify(source).includes('other'));
            release.server.bypassed = bypassed;
            release.server.edit((live): JsonMap => ({ ...live, spec }));
            release.server.bypassed = false;
            if (bypassed) release.step(next, 2);
            expect(release.problems(), release.story()).toEqual([]);
            if (!bypassed) expect(release.server.warnings).toEqual([expect.stringContaining('kubectl sluice abort')]);
            release.step(undefined, 3);
            expect(release.problems(), release.story()).toEqual([]);
          }),
          { numRuns: 60 },
        );
      },
    );
  },
);
