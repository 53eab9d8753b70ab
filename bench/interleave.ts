import { median } from './statistics.ts';

/** Does its work `iterations` times and gives the time it took, in nanoseconds. */
export type Side = (iterations: number) => number | Promise<number>;

export type Plan = {
  /** Rounds that count. */
  readonly rounds: number;
  /** How long one side works in one round, about. */
  readonly milliseconds: number;
};

/**
 * Measures several sides in turns, so that whatever else the machine does meets all of them: nanoseconds for one
 * iteration of each, medians over the rounds. Before that each side is warmed up for as long as two rounds take, which
 * also tells how many iterations fill one.
 */
export async function interleaved<K extends string>(sides: Record<K, Side>, plan: Plan): Promise<Record<K, number>> {
  const names = Object.keys(sides) as K[]; // the keys of its own type
  const nanoseconds = new Map<K, number[]>(names.map((name) => [name, []]));
  const counts = new Map<K, number>();
  for (const name of names) counts.set(name, await warmedUp(sides[name], plan.milliseconds));
  for (let round = 0; round < plan.rounds; round++) {
    // Every second round goes backwards: what a side leaves behind (garbage, heat) is not always the same one's burden.
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const count = counts.get(name) ?? 1;
      nanoseconds.get(name)?.push((await sides[name](count)) / count);
    }
  }
  return Object.fromEntries([...nanoseconds].map(([name, values]) => [name, median(values)])) as Record<K, number>;
}

/** Gives the number of iterations that take about `milliseconds` once the side is warm. */
async function warmedUp(side: Side, milliseconds: number): Promise<number> {
  let iterations = 1;
  let spent = 0;
  for (;;) {
    const elapsed = (await side(iterations)) / 1e6;
    spent += elapsed;
    const wanted = Math.max(1, Math.round((iterations * milliseconds) / Math.max(elapsed, 0.001)));
    if (spent >= 2 * milliseconds) return wanted;
    iterations = Math.min(wanted, 4 * iterations);
  }
}

/** A side that runs in this thread. */
export function inThisThread(work: () => unknown): Side {
  return (iterations) => {
    const started = process.hrtime.bigint();
    for (let i = 0; i < iterations; i++) work();
    return Number(process.hrtime.bigint() - started);
  };
}
