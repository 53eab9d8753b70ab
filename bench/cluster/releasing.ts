import { setTimeout as sleep } from 'node:timers/promises';
import { type member, stringAt } from '../../src/json/value.ts';
import { quantileOf, scrapedHistogram } from './histogram.ts';
import { type ReleaseBenchOptions, withReleases } from './release-bench.ts';
import { strategyOf } from './release-objects.ts';
import type { Memory } from './sluice-process.ts';

/** Many releases at once. */
export type Releasing = {
  readonly rollouts: number;
  readonly steps: number;
  /** From the first write of a template to the end of the last release. */
  readonly seconds: number;
  /** Writes of the controller for each step of each Rollout, without Events, and the Events. */
  readonly writesPerStep: number;
  readonly eventsPerStep: number;
  readonly writesBy: Readonly<Record<string, number>>;
  readonly reconciles: number;
  /** Milliseconds, from the metrics' histograms: exact to their bounds. */
  readonly reconcile: { readonly p50: number; readonly p99: number };
  readonly wait: { readonly p50: number; readonly p99: number };
  readonly memory: Memory;
  readonly cpuSeconds: number;
  readonly longestBusy: number;
};

const REPLICAS = 4;
const PER_NAMESPACE = 10;
const STEPS = 3;
const PATIENCE_SECONDS = 400;
const AT_REST_MILLISECONDS = 3_000;

/** So many Rollouts (partition, pauses of a second, the default grace) get a new version at the same moment. */
export function measureReleasing(options: ReleaseBenchOptions & { readonly rollouts: number }): Promise<Releasing> {
  return withReleases({ ...options, patienceSeconds: PATIENCE_SECONDS }, async (bench) => {
    const shops = Array.from({ length: options.rollouts }, (_, i) => {
      const name = `web-${i}`;
      const namespace = `shop-${Math.floor(i / PER_NAMESPACE)}`;
      return { namespace, name, strategy: strategyOf('partition', name, false) };
    });
    await bench.prepare(shops, REPLICAS);
    const { controller } = bench;
    await sleep(AT_REST_MILLISECONDS);
    const [before, text, cpu] = [await controller.observe(), await controller.metrics(), controller.cpu()];
    options.say(`releasing ${shops.length} Rollouts at once`);
    const started = performance.now();
    await Promise.all(shops.map((shop) => bench.release(shop, 2)));
    const isOver = (status: Parameters<typeof member>[0]) =>
      stringAt(status, 'release', 'outcome') === 'Success' && stringAt(status, 'phase') === 'Healthy';
    await Promise.all(shops.map((shop) => bench.stands(shop, 'the end', isOver)));
    const seconds = (performance.now() - started) / 1000;
    await sleep(AT_REST_MILLISECONDS); // Events are written in the background
    const [after, later] = [await controller.observe(), await controller.metrics()];
    const all = Object.entries(after.requests).map(([what, count]) => [what, count - (before.requests[what] ?? 0)]);
    const writes = all.filter(([what, count]) => /^(POST|PUT|PATCH|DELETE) /.test(String(what)) && Number(count) > 0);
    const isEvent = ([what]: readonly (string | number)[]) => String(what).endsWith(' events');
    const ofLease = ([what]: readonly (string | number)[]) => String(what).endsWith(' leases');
    const sum = (entries: readonly (readonly (string | number)[])[]) =>
      entries.reduce((total, [, count]) => total + Number(count), 0);
    const parts = shops.length * STEPS;
    const reconcile = scrapedHistogram(text, later, 'sluice_reconcile_duration_seconds');
    const wait = scrapedHistogram(text, later, 'sluice_queue_wait_seconds');
    return {
      ...{ rollouts: shops.length, steps: STEPS, seconds },
      writesPerStep: sum(writes.filter((each) => !isEvent(each) && !ofLease(each))) / parts,
      eventsPerStep: sum(writes.filter(isEvent)) / parts,
      writesBy: Object.fromEntries(writes),
      reconciles: reconcile.at(-1)?.count ?? 0,
      reconcile: { p50: 1000 * quantileOf(reconcile, 0.5), p99: 1000 * quantileOf(reconcile, 0.99) },
      wait: { p50: 1000 * quantileOf(wait, 0.5), p99: 1000 * quantileOf(wait, 0.99) },
      memory: controller.memory(),
      cpuSeconds: (controller.cpu() - cpu) / 1000,
      longestBusy: after.longestBusy,
    };
  });
}
