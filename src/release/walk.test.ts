import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Amount } from './replicas.ts';
import { carriedBy, neededFor, nextBounds, type Room, roomOf, type Walk, walkFields } from './walk.ts';

const MOST = 60;
const percents = fc.integer({ min: 0, max: 100 });
const sizes = fc.integer({ min: 1, max: MOST });

/** Room of which one at least is not 0, as `roomOf` gives it. */
const roomIn = (replicas: number): fc.Arbitrary<Room> =>
  fc
    .record({ surge: fc.nat(replicas), unavailable: fc.nat(replicas) })
    .filter(({ surge, unavailable }) => surge + unavailable > 0);

/** Every place in which a walk may stand, also where pods of the old version were lost or scaled away. */
const walks: fc.Arbitrary<Walk> = sizes.chain((replicas) =>
  fc.record({
    replicas: fc.constant(replicas),
    target: fc.integer({ min: 1, max: replicas }),
    ready: fc.nat(replicas),
    // More than the size, too: it was scaled down a moment ago.
    old: fc.nat(replicas + 10),
    room: roomIn(replicas),
    stableShare: fc.option(percents, { nil: undefined }),
  }),
);

const gone = ({ replicas, old }: Walk) => Math.max(0, replicas - old);

describe('where a walk may go next', () => {
  const holds = (what: (walk: Walk, next: ReturnType<typeof nextBounds>) => void) =>
    fc.assert(
      fc.property(walks, (walk) => void what(walk, nextBounds(walk))),
      { numRuns: 2000 },
    );

  test('never more pods than the size and maxSurge', () => {
    holds(({ room }, { surge }) => {
      expect(surge).toBeGreaterThanOrEqual(0);
      expect(surge).toBeLessThanOrEqual(room.surge);
    });
  });

  test('never fewer ready pods than the size less maxUnavailable, unless they are gone already', () => {
    holds((walk, { unavailable }) => {
      expect(unavailable).toBeLessThanOrEqual(Math.max(gone(walk), walk.ready + walk.room.unavailable));
    });
  });

  test('never fewer old pods than their share of the traffic needs less maxUnavailable, unless they are gone already', () => {
    holds((walk, { unavailable }) => {
      const { replicas, room, stableShare } = walk;
      fc.pre(stableShare !== undefined);
      const least = neededFor(stableShare, replicas) - room.unavailable;
      expect(replicas - unavailable).toBeGreaterThanOrEqual(Math.min(walk.old, least));
    });
  });

  test('an old version that has traffic keeps a pod, whatever its owner allows', () => {
    holds((walk, { unavailable }) => {
      const { replicas, stableShare = 0 } = walk;
      if (stableShare > 0 && walk.old > 0) expect(replicas - unavailable).toBeGreaterThanOrEqual(1);
    });
  });

  test('old pods that are gone stay gone: the native controller brings none back', () => {
    holds((walk, { unavailable }) => expect(unavailable).toBeGreaterThanOrEqual(gone(walk)));
  });

  test('no more new pods than asked for, unless old ones are gone already', () => {
    holds((walk, { unavailable, surge }) => {
      expect(unavailable + surge).toBeLessThanOrEqual(Math.max(gone(walk), walk.target));
    });
  });

  test('short exactly when there are fewer new pods than asked for', () => {
    holds(({ target }, { unavailable, surge, isShort }) => expect(isShort).toBe(unavailable + surge < target));
  });

  test('no old pod goes before its time where maxSurge is enough', () => {
    holds((walk, { unavailable }) => {
      const { target, ready, replicas, room, stableShare } = walk;
      const free = stableShare === undefined ? target : replicas - neededFor(stableShare, replicas);
      const taken = Math.max(gone(walk), Math.min(target, free, ready));
      if (taken + room.surge >= target) expect(unavailable).toBe(taken);
    });
  });

  test('a walk comes to its target where no traffic is in the way, and at its end nothing is beside it', () => {
    const begin = sizes.chain((replicas) =>
      fc.record({
        replicas: fc.constant(replicas),
        target: fc.integer({ min: 1, max: replicas }),
        room: roomIn(replicas),
      }),
    );
    fc.assert(
      fc.property(begin, ({ replicas, target, room }) => {
        let [ready, old, rounds] = [0, replicas, 0];
        for (; ready < target || old > replicas - target; rounds++) {
          if (rounds > 2 * MOST) throw new Error('it never comes to its end');
          const { unavailable, surge } = nextBounds({ replicas, target, ready, old, room, stableShare: undefined });
          [ready, old] = [Math.max(ready, unavailable + surge), Math.min(old, replicas - unavailable)];
        }
        expect([ready, old]).toEqual([target, replicas - target]);
      }),
    );
  });

  test.each<[string, Partial<Walk>, { unavailable: number; surge: number; isShort: boolean }]>([
    ['beside the old pods first', {}, { unavailable: 0, surge: 2, isShort: false }],
    ['in the place of old ones when they are ready', { ready: 2 }, { unavailable: 2, surge: 0, isShort: false }],
    [
      'in the place of old ones that no traffic needs',
      { ready: 2, stableShare: 80 },
      { unavailable: 2, surge: 0, isShort: false },
    ],
    ['beside those that traffic needs', { ready: 2, stableShare: 100 }, { unavailable: 0, surge: 2, isShort: false }],
    [
      'as many as maxSurge allows, and no more',
      { room: { surge: 1, unavailable: 0 } },
      { unavailable: 0, surge: 1, isShort: true },
    ],
    [
      'and in the place of as many as may be missing',
      { room: { surge: 0, unavailable: 1 } },
      { unavailable: 1, surge: 0, isShort: true },
    ],
    [
      'of two pods, one of which may be missing, the last one stays as long as it has traffic',
      { replicas: 2, old: 1, target: 2, ready: 1, room: { surge: 0, unavailable: 1 }, stableShare: 50 },
      { unavailable: 1, surge: 0, isShort: true },
    ],
    [
      'and goes when it has none',
      { replicas: 2, old: 1, target: 2, ready: 1, room: { surge: 0, unavailable: 1 }, stableShare: 0 },
      { unavailable: 2, surge: 0, isShort: false },
    ],
  ])('new pods come %s', (_, place, expected) => {
    const walk: Walk = {
      ...{ replicas: 10, target: 2, ready: 0, old: 10, room: { surge: 3, unavailable: 2 }, stableShare: undefined },
      ...place,
    };
    expect(nextBounds(walk)).toEqual(expected);
  });
});

describe('pods and shares of the traffic', () => {
  test.each([
    [0, 10, 0],
    [1, 10, 1],
    [80, 10, 8],
    [81, 10, 9],
    [100, 10, 10],
    [7, 100, 7],
    [50, 7, 4],
    [50, 0, 0],
  ])('%i %% need, of %i pods, %i', (share, replicas, pods) => {
    expect(neededFor(share, replicas)).toBe(pods);
  });

  test('needed are the fewest pods that are at least the share', () => {
    fc.assert(
      fc.property(percents, fc.nat(10_000), (share, replicas) => {
        const pods = neededFor(share, replicas);
        expect(100 * pods).toBeGreaterThanOrEqual(share * replicas);
        expect(100 * (pods - 1)).toBeLessThan(Math.max(1, share * replicas));
      }),
    );
  });

  test('carried is the largest whole share that needs no more pods than are ready or may be missing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), sizes, fc.nat(MOST), (ready, replicas, unavailable) => {
        const share = carriedBy(ready, replicas, unavailable);
        expect(share).toBeLessThanOrEqual(100);
        expect(neededFor(share, replicas)).toBeLessThanOrEqual(ready + unavailable);
        if (share < 100) expect(neededFor(share + 1, replicas)).toBeGreaterThan(ready + unavailable);
      }),
    );
  });

  test.each([
    ['without a ready pod nothing, however many may be missing', 0, 10, 10, 0],
    ['nothing of a workload without pods', 3, 0, 0, 0],
    ['a third of three pods is not quite a third of the traffic', 1, 3, 0, 33],
    ['more pods than there should be, no more than everything', 12, 10, 0, 100],
    ['with two of ten that may be missing', 6, 10, 2, 80],
  ])('carried is %s', (_, ready, replicas, unavailable, share) => {
    expect(carriedBy(ready, replicas, unavailable)).toBe(share);
  });
});

describe("the user's own room (apps/v1 RollingUpdateDeployment)", () => {
  test.each<[Amount | undefined, Amount | undefined, number, Room]>([
    [undefined, undefined, 10, { surge: 3, unavailable: 2 }],
    [undefined, undefined, 1, { surge: 1, unavailable: 0 }],
    [undefined, 0, 4, { surge: 1, unavailable: 0 }],
    [0, undefined, 4, { surge: 0, unavailable: 1 }],
    [1, 0, 10, { surge: 1, unavailable: 0 }],
    ['10%', '10%', 15, { surge: 2, unavailable: 1 }],
    ['100%', '100%', 7, { surge: 7, unavailable: 7 }],
    // Both at 0 would let nothing move.
    [0, 0, 10, { surge: 0, unavailable: 1 }],
    ['0%', '0%', 10, { surge: 0, unavailable: 1 }],
    [0, '10%', 5, { surge: 0, unavailable: 1 }],
    [0, '25%', 3, { surge: 0, unavailable: 1 }],
    // No more can be missing than there are, but more can be beside them.
    [2, 20, 10, { surge: 2, unavailable: 10 }],
    [20, 0, 10, { surge: 20, unavailable: 0 }],
  ])('maxSurge %s and maxUnavailable %s of %i pods', (maxSurge, maxUnavailable, replicas, room) => {
    expect(roomOf(maxSurge, maxUnavailable, replicas)).toEqual(room);
  });

  test('something may always move', () => {
    const amounts = fc.oneof(
      fc.nat(MOST),
      percents.map((percent) => `${percent}%`),
    );
    fc.assert(
      fc.property(fc.option(amounts), fc.option(amounts), sizes, (maxSurge, maxUnavailable, replicas) => {
        const { surge, unavailable } = roomOf(maxSurge ?? undefined, maxUnavailable ?? undefined, replicas);
        expect(surge + unavailable).toBeGreaterThan(0);
        expect(unavailable).toBeLessThanOrEqual(replicas);
      }),
    );
  });
});

describe('bounds as fields of a Deployment', () => {
  const bounds = (most: number) =>
    fc
      .integer({ min: 1, max: most })
      .chain((replicas) => fc.tuple(fc.constant(replicas), fc.nat(replicas), fc.nat(2 * replicas)));

  test('come back as the same numbers when the native controller rounds them, for every size up to 60', () => {
    for (let replicas = 1; replicas <= MOST; replicas++)
      for (let unavailable = 0; unavailable <= replicas; unavailable++)
        for (let surge = unavailable === 0 ? 1 : 0; surge <= replicas; surge++) {
          const { maxSurge, maxUnavailable } = walkFields({ unavailable, surge }, replicas);
          const back = roomOf(maxSurge, maxUnavailable, replicas);
          if (back.surge !== surge || back.unavailable !== unavailable)
            expect(back, `of ${replicas}`).toEqual({ surge, unavailable });
        }
  });

  test('and for larger ones, with more beside them than there are', () => {
    fc.assert(
      fc.property(bounds(1000), ([replicas, unavailable, surge]) => {
        fc.pre(unavailable + surge > 0);
        const { maxSurge, maxUnavailable } = walkFields({ unavailable, surge }, replicas);
        expect(roomOf(maxSurge, maxUnavailable, replicas)).toEqual({ surge, unavailable });
      }),
    );
  });

  test('are never both 0, which the API server refuses', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), fc.nat(1000), (replicas, unavailable, surge) => {
        const { maxSurge, maxUnavailable } = walkFields({ unavailable, surge }, replicas);
        expect([maxSurge, maxUnavailable].filter((each) => each !== 0 && each !== '0%')).not.toEqual([]);
      }),
    );
  });

  test('are percentages of up to 100 pods, so that scaling keeps them in proportion, and numbers beyond', () => {
    expect(walkFields({ unavailable: 2, surge: 3 }, 10)).toEqual({ maxSurge: '30%', maxUnavailable: '20%' });
    expect(walkFields({ unavailable: 1, surge: 0 }, 3)).toEqual({ maxSurge: 0, maxUnavailable: '34%' });
    expect(walkFields({ unavailable: 0, surge: 1 }, 3)).toEqual({ maxSurge: '33%', maxUnavailable: 0 });
    expect(walkFields({ unavailable: 1, surge: 1 }, 100)).toEqual({ maxSurge: '1%', maxUnavailable: '1%' });
    expect(walkFields({ unavailable: 2, surge: 3 }, 101)).toEqual({ maxSurge: 3, maxUnavailable: 2 });
    expect(walkFields({ unavailable: 0, surge: 0 }, 10)).toEqual({ maxSurge: 0, maxUnavailable: 1 });
  });
});
