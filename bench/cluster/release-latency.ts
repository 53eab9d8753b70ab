import { member, stringAt } from '../../src/json/value.ts';
import { percentile } from '../statistics.ts';
import { type ReleaseBench, type ReleaseBenchOptions, type Released, withReleases } from './release-bench.ts';
import { RELEASE_STYLES, type ReleaseStyle, strategyOf, WEIGHTS } from './release-objects.ts';

/** Milliseconds from a user's write to the watch event of the rewritten gateway object. */
export type ReleaseTimes = {
  readonly style: ReleaseStyle;
  readonly releases: number;
  /** The template's patch → the weight of step 1. */
  readonly begin: { readonly p50: number; readonly p99: number };
  /** The approval → the weight of step 2. */
  readonly approve: { readonly p50: number; readonly p99: number };
};

const REPLICAS = 5;
/** Rollouts of a style, each in a namespace of its own, take their releases in turns. */
const SHOPS = 5;

/**
 * Releases of each style. What is measured is done by one release at a time; meanwhile others may wait for their grace
 * periods, or finish.
 */
export function measureReleases(options: ReleaseBenchOptions & { readonly releases: number }): Promise<ReleaseTimes[]> {
  const { releases, say } = options;
  return withReleases(options, async (bench) => {
    const shops = RELEASE_STYLES.flatMap((style) =>
      Array.from({ length: Math.min(SHOPS, releases) }, (_, i) => {
        const name = `web-${style}-${i}`;
        return { style, namespace: name, name, strategy: strategyOf(style, name, true) };
      }),
    );
    await bench.prepare(shops, REPLICAS);
    const alone = oneAtATime();
    const times = shops.map(() => ({ begin: [] as number[], approve: [] as number[] }));
    const left = new Map<ReleaseStyle, number>(RELEASE_STYLES.map((style) => [style, releases]));
    const work = async (shop: (typeof shops)[number], index: number): Promise<void> => {
      for (let version = 2; (left.get(shop.style) ?? 0) > 0; version++) {
        left.set(shop.style, (left.get(shop.style) ?? 0) - 1);
        const { begin, approve } = await played(bench, shop, version, alone);
        times[index]?.begin.push(begin);
        times[index]?.approve.push(approve);
        say(`  ${shop.name}: ${begin.toFixed(0)} ms, ${approve.toFixed(0)} ms`);
      }
    };
    await Promise.all(shops.map(work));
    return RELEASE_STYLES.map((style) => {
      const of = (what: 'begin' | 'approve') =>
        shops.flatMap((shop, index) => (shop.style === style ? (times[index]?.[what] ?? []) : []));
      return { style, releases, begin: percentiles(of('begin')), approve: percentiles(of('approve')) };
    });
  });
}

type Alone = (work: () => Promise<void>) => Promise<number>;

/** One release from its beginning to its end. */
async function played(bench: ReleaseBench, shop: Released, version: number, alone: Alone) {
  const [first, second] = WEIGHTS;
  const begin = await alone(async () => {
    const rewritten = bench.weight(shop, first);
    await Promise.all([bench.release(shop, version), rewritten]);
  });
  await bench.stands(shop, 'the pause of step 1', (status) => isPaused(status, 1));
  const sub = shop.name.includes('blue-green') ? 'blueGreenStatus' : 'canaryStatus';
  const approve = await alone(async () => {
    const rewritten = bench.weight(shop, second);
    const approval = { status: { [sub]: { currentStepState: 'StepReady' }, release: { approvedStep: 1 } } };
    await Promise.all([bench.status(shop, approval), rewritten]);
  });
  await bench.stands(shop, 'the pause of step 2', (status) => isPaused(status, 2));
  await bench.status(shop, { status: { release: { request: 'promote' } } });
  await bench.stands(shop, 'the end', (status) => stringAt(status, 'phase') === 'Healthy');
  return { begin, approve };
}

function isPaused(status: Parameters<typeof member>[0], step: number): boolean {
  return stringAt(status, 'currentStepState') === 'StepPaused' && member(status, 'currentStepIndex') === step;
}

/** @returns a function that does one work after the other, and says how many milliseconds it took */
function oneAtATime(): Alone {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const run = last.then(async () => {
      const started = performance.now();
      await work();
      return performance.now() - started;
    });
    last = run.catch(() => undefined);
    return run;
  };
}

function percentiles(values: readonly number[]): { p50: number; p99: number } {
  return { p50: percentile(values, 50), p99: percentile(values, 99) };
}
