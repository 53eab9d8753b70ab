import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonMap } from '../json/value.ts';
import { encodeHold, holdKey } from '../rollout/traffic-routing.ts';
import { RolloutIndex } from './rollout-index.ts';
import { aRollout } from './rollouts.testing.ts';
import { RoutingBook } from './routing-book.ts';
import { routingEntry, storedRouting } from './routing-entry.ts';

type Holds = { readonly [rollout: string]: number | undefined };

function routing(strategy: JsonMap, holds: Holds = {}, metadata: JsonMap = {}) {
  const annotations = Object.entries(holds).map(([name, weight]) => [
    holdKey(name),
    encodeHold(name, { step: 2, weight }),
  ]);
  return storedRouting({
    metadata: { namespace: 'shop', name: 'gray', uid: 'u', annotations: Object.fromEntries(annotations), ...metadata },
    spec: { objectRef: [{ service: 'web', ingress: { name: 'web' } }], strategy },
  });
}

/** A book of Rollouts in a release: `a` and `b`, which use `gray`, and `c`, which uses none; and `rests`, which is in none. */
function book(): RoutingBook {
  const index = new RolloutIndex();
  for (const [name, uses] of [
    ['a', 'gray'],
    ['b', 'gray'],
    ['c', undefined],
    ['rests', 'gray'],
  ] as const) {
    const annotations = uses === undefined ? {} : { 'rollouts.kruise.io/trafficrouting': uses };
    index.set(
      `shop/${name}`,
      aRollout({
        metadata: { name, uid: name, annotations },
        status: { phase: name === 'rests' ? 'Healthy' : 'Progressing' },
      }),
    );
  }
  return new RoutingBook(index);
}

const progressing = (name: string) => ({ finalizers: [`progressing.rollouts.kruise.io/${name}`] });

describe('a TrafficRouting is to do', () => {
  test.each<[string, JsonMap, Holds, JsonMap, boolean, number | undefined]>([
    ['nothing while no release uses it', { weight: 20 }, {}, {}, false, undefined],
    ['what it says while one does', { weight: 20 }, { a: undefined }, {}, true, undefined],
    ['less while the release that uses it is on its way', { weight: 20 }, { a: 10 }, {}, true, 10],
    ['all of it once the release gives the new version everything', { weight: 20 }, { a: 100 }, {}, true, 100],
    ['the least of what several ask for', { weight: 20 }, { a: 10, b: 5 }, {}, true, 5],
    ['what it says where another one asks for more', { weight: 20 }, { a: 100, b: undefined }, {}, true, undefined],
    [
      'its matches while one needs them, whatever weight another asks for',
      {},
      { a: 100, b: undefined },
      {},
      true,
      undefined,
    ],
    ['nothing for a Rollout that is gone', { weight: 20 }, { gone: undefined }, {}, false, undefined],
    ['nothing for a Rollout that is in no release', { weight: 20 }, { rests: undefined }, {}, false, undefined],
    ['nothing for a Rollout that uses another one', { weight: 20 }, { c: undefined }, {}, false, undefined],
    ['what it says for a finalizer of something else', { weight: 20 }, {}, progressing('job'), true, undefined],
    [
      'nothing for a finalizer that OpenKruise left for a Rollout',
      { weight: 20 },
      {},
      progressing('a'),
      false,
      undefined,
    ],
    [
      'nothing while it is being deleted',
      { weight: 20 },
      { a: undefined },
      { deletionTimestamp: 'now' },
      false,
      undefined,
    ],
  ])('%s', (_, strategy, holds, metadata, isHeld, weight) => {
    expect(book().wishOf(routing(strategy, holds, metadata))).toEqual({ isHeld, weight });
  });
});

test('to a release its gateway objects are in effect only for what they were last asked for', () => {
  const all = book();
  const [before, after] = [routing({ weight: 20 }), routing({ weight: 20 }, { a: undefined })];
  all.settle(before, true);
  expect(all.gatewayFor('a', before)).toEqual({ traffic: 'none', weight: undefined, isInEffect: true });
  const traffic = { step: 2, weight: undefined };
  expect(all.gatewayFor('a', after)).toEqual({ traffic, weight: 20, isInEffect: false });
  expect(all.settle(after, true)).toBe(true);
  expect(all.settle(after, true)).toBe(false);
  expect(all.gatewayFor('a', after).isInEffect).toBe(true);
  expect(all.gatewayFor('b', after)).toEqual({ traffic: 'none', weight: undefined, isInEffect: true });
});

test('a hold says what it was written for, whatever the name of its Rollout', () => {
  const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,80}[a-z0-9])?$/);
  fc.assert(
    fc.property(name, fc.nat(50), fc.option(fc.nat(100), { nil: undefined }), (rollout, step, weight) => {
      const annotations = {
        [holdKey(rollout)]: encodeHold(rollout, { step, weight }),
        'hold.sluice.dev/X': 'anything',
      };
      const { holds } = storedRouting({ metadata: { namespace: 'shop', name: 'gray', annotations } });
      expect(holds).toEqual([{ rollout, key: holdKey(rollout), traffic: { step, weight } }]);
    }),
  );
});

test('it names its objects by its own fields, and a weight that is none is told', () => {
  const { references, problems, key } = routingEntry(routing({ weight: 120 }));
  expect(key).toBe('shop/TrafficRouting.gray');
  expect(references.map(({ path }) => path)).toEqual([
    ['spec', 'objectRef', 0, 'service'],
    ['spec', 'objectRef', 0, 'ingress', 'name'],
  ]);
  expect(problems).toEqual(['spec.strategy.weight: is 120; write a percentage from 0 to 100']);
});
