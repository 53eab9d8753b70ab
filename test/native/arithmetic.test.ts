import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fenceposts } from './deployment.ts';
import { type Kubelet, MAX, Plane, rollingUpdate, templateOf } from './plane.ts';

/** A walk of v2 to m pods fewer of the old version and s pods beyond the size. */
function walked(replicas: number, m: number | string, s: number | string, kubelet: Kubelet = 'prompt'): Plane {
  const plane = new Plane(replicas);
  const walk = { template: templateOf('v2'), minReadySeconds: MAX, ...rollingUpdate(m, s) };
  return plane.change(walk).settle(kubelet);
}

/** How a step of T of R is written (design §5): maxUnavailable is rounded down by the controller, maxSurge up. */
const unavailableFor = (step: number, replicas: number) => `${Math.ceil((100 * step) / replicas)}%`;
const surgeFor = (step: number, replicas: number) => `${Math.floor((100 * step) / replicas)}%`;

function* upTo(most: number, least = 0): Generator<number> {
  for (let n = least; n <= most; n++) yield n;
}

const kubelets = fc.constantFrom<Kubelet>('prompt', 'late');

describe('with MAX the walk holds R − m old and m + s new pods', () => {
  const holds = (replicas: number, m: number, s: number, kubelet: Kubelet) => {
    const plane = walked(replicas, m, s, kubelet);
    expect([plane.size('v1'), plane.size('v2')], `R=${replicas} m=${m} s=${s} ${kubelet}`).toEqual([
      replicas - m,
      Math.min(replicas, m + s),
    ]);
  };

  test('for every R up to 12', () => {
    for (const replicas of upTo(12, 1))
      for (const m of upTo(replicas))
        for (const s of upTo(replicas)) {
          if (m + s === 0) continue; // the API refuses both at 0
          holds(replicas, m, s, 'prompt');
          holds(replicas, m, s, 'late');
        }
  });

  test('for R up to 300', () => {
    const walk = fc
      .integer({ min: 1, max: 300 })
      .chain((replicas) => fc.tuple(fc.constant(replicas), fc.nat(replicas), fc.nat(replicas), kubelets))
      .filter(([, m, s]) => m + s > 0);
    fc.assert(fc.property(walk, ([replicas, m, s, kubelet]) => holds(replicas, m, s, kubelet)));
  });

  test('from step to step: pods first, then the old pods', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(40), { maxLength: 5 }), (replicas, cuts) => {
        const steps = [...new Set(cuts.map((cut) => 1 + (cut % replicas)))].sort((a, b) => a - b);
        const plane = new Plane(replicas);
        let before = 0;
        for (const step of steps) {
          const more = { template: templateOf('v2'), minReadySeconds: MAX, ...rollingUpdate(before, step - before) };
          plane.change(more).settle('late');
          expect([plane.size('v1'), plane.size('v2')]).toEqual([replicas - before, step]);
          plane.change(rollingUpdate(step, 0)).settle('late');
          expect([plane.size('v1'), plane.size('v2')]).toEqual([replicas - step, step]);
          before = step;
        }
      }),
    );
  });
});

describe('percentages', () => {
  test('ceil(100·T/R) % unavailable and floor(100·s/R) % surge come to T and s exactly, for every R up to 100', () => {
    for (const replicas of upTo(100, 1))
      for (const step of upTo(replicas)) {
        const bounds = { maxSurge: surgeFor(step, replicas), maxUnavailable: unavailableFor(step, replicas) };
        const isAtRest = step === 0; // both at 0 count as one pod unavailable
        expect(fenceposts(bounds, replicas)).toEqual({ surge: step, unavailable: isAtRest ? 1 : step });
      }
  });

  test('beyond 100 a percentage may miss the step', () => {
    expect(fenceposts({ maxSurge: '0%', maxUnavailable: unavailableFor(1, 300) }, 300).unavailable).toBe(3);
  });
});

/** A release that stands at a step of T of R with all its pods ready. */
const walking = (replicas: number, step: number) =>
  walked(replicas, 0, surgeFor(step, replicas))
    .change(rollingUpdate(unavailableFor(step, replicas), 0))
    .settle('prompt');
/** Where a percentage may miss the step, it was walked to in numbers. */
const paused = (replicas: number, step: number) =>
  (replicas <= 100
    ? walking(replicas, step)
    : walked(replicas, 0, step).change(rollingUpdate(step, 0)).settle('prompt')
  )
    .change({ paused: true })
    .settle('prompt');
const resumed = (replicas: number, step: number) => paused(replicas, step).change({ paused: undefined });

type Scaling = { readonly replicas: number; readonly step: number; readonly after: number; readonly kubelet: Kubelet };

/** What happens while a release at a step is scaled: the fewest ready pods, and the most of v2 to which a pod was added. */
function scaled(
  plane: Plane,
  { replicas, step, after, kubelet }: Scaling,
): { readonly fewest: number; readonly started: number } {
  expect([plane.size('v1'), plane.ready('v2')]).toEqual([replicas - step, step]);
  let [fewest, started, before] = [plane.readyPods, 0, plane.size('v2')];
  plane.onChange = () => {
    const now = plane.size('v2');
    if (now > before) started = Math.max(started, now);
    before = now;
    fewest = Math.min(fewest, plane.readyPods);
  };
  plane.change({ replicas: after }).settle(kubelet);
  return { fewest, started };
}

function scalings(most: number): fc.Arbitrary<Scaling> {
  const size = fc.integer({ min: 1, max: most });
  return fc
    .record({ replicas: size, after: size, part: fc.double({ min: 0, max: 1, noNaN: true }), kubelet: kubelets })
    .map(({ part, ...rest }) => ({ ...rest, step: 1 + Math.floor(part * (rest.replicas - 1)) }));
}

function* everyScaling(most: number): Generator<Scaling> {
  for (const kubelet of ['prompt', 'late'] as const)
    for (const replicas of upTo(most, 1))
      for (const step of upTo(replicas, 1)) for (const after of upTo(most, 1)) yield { replicas, step, after, kubelet };
}

describe.each([
  ['paused at rest', paused, 300, 0],
  // Sizes in percent round once more than the sets do, and a pod of the old version goes before the new one is ready.
  ['walking again after a rest', resumed, 100, 1],
] as const)('scaling a release that stands at a step of T of R to R′, %s', (_title, stands, most, rounding) => {
  const keepsItsPromise = (scaling: Scaling) => {
    const { replicas, step, after } = scaling;
    const { fewest, started } = scaled(stands(replicas, step), scaling);
    const about = JSON.stringify(scaling);
    expect(started, about).toBeLessThanOrEqual(Math.ceil((step * after) / replicas) + 1);
    expect(fewest, about).toBeGreaterThanOrEqual(Math.min(replicas, after) - rounding);
  };

  const promise = `starts no pod of the new version beyond ceil(T·R′/R) + 1, and leaves no fewer ready pods than the smaller size − ${rounding}`;
  test(`${promise}: all R, R′ up to 12`, () => {
    for (const scaling of everyScaling(12)) keepsItsPromise(scaling);
  });

  test(`${promise}: R, R′ up to ${most}`, () => {
    fc.assert(fc.property(scalings(most), keepsItsPromise), { numRuns: 300 });
  });
});

describe('why a release rests paused', () => {
  test('a walk in percent starts no pod beyond ceil(T·R′/R) + 1 either, R, R′ up to 100', () => {
    const startsFew = (scaling: Scaling) => {
      const { replicas, step, after } = scaling;
      const { started } = scaled(walking(replicas, step), scaling);
      expect(started, JSON.stringify(scaling)).toBeLessThanOrEqual(Math.ceil((step * after) / replicas) + 1);
    };
    fc.assert(fc.property(scalings(100), startsFew), { numRuns: 300 });
  });

  test('but its new set remembers the surge that it came with, is scaled down too far, and ready pods are missing', () => {
    const { fewest } = scaled(walking(19, 12), { replicas: 19, step: 12, after: 11, kubelet: 'prompt' });
    expect(fewest).toBe(8);
  });

  test('and beyond 100 pods a percentage starts more than the step', () => {
    const { started } = scaled(walking(99, 1), { replicas: 99, step: 1, after: 990, kubelet: 'prompt' });
    expect(started).toBe(19);
  });
});

describe('scaling a release that is paused at rest keeps both versions in proportion', () => {
  const keepsProportion = ({ replicas, step, after, kubelet }: Scaling) => {
    const plane = paused(replicas, step).change({ replicas: after }).settle(kubelet);
    expect(plane.size('v1') + plane.size('v2')).toBe(after);
    const share = (step * after) / replicas;
    expect(Math.abs(plane.size('v2') - share), JSON.stringify({ replicas, step, after })).toBeLessThanOrEqual(1);
  };

  test('to within a pod, for all R, R′ up to 12', () => {
    for (const scaling of everyScaling(12)) keepsProportion(scaling);
  });

  test('to within a pod, for R, R′ up to 300', () => {
    fc.assert(fc.property(scalings(300), keepsProportion), { numRuns: 300 });
  });
});
