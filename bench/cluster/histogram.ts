/** A bucket of Prometheus: how many values were at most `bound`. */
export type Bucket = { readonly bound: number; readonly count: number };

/** What came into a histogram between two scrapes, all of its series added up; ascending. */
export function scrapedHistogram(before: string, after: string, metric: string): Bucket[] {
  const earlier = new Map(bucketsOf(before, metric).map(({ bound, count }) => [bound, count]));
  return bucketsOf(after, metric).map(({ bound, count }) => ({ bound, count: count - (earlier.get(bound) ?? 0) }));
}

function bucketsOf(text: string, metric: string): Bucket[] {
  const counts = new Map<number, number>();
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${metric}_bucket{`)) continue;
    const bound = /le="([^"]+)"/.exec(line)?.[1] ?? '';
    const key = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
    counts.set(key, (counts.get(key) ?? 0) + Number(line.split(' ').at(-1)));
  }
  return [...counts].map(([bound, count]) => ({ bound, count })).sort((a, b) => a.bound - b.bound);
}

/** The value that a share of all does not exceed, within its bucket in proportion, as PromQL's `histogram_quantile`. */
export function quantileOf(buckets: readonly Bucket[], share: number): number {
  const rank = share * (buckets.at(-1)?.count ?? 0);
  let below: Bucket = { bound: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank && bucket.count > below.count) {
      if (bucket.bound === Number.POSITIVE_INFINITY) return below.bound;
      return below.bound + ((bucket.bound - below.bound) * (rank - below.count)) / (bucket.count - below.count);
    }
    below = bucket;
  }
  return Number.NaN;
}
