/** What was to be reached. `at most` where little is good (times), `at least` where much is (rates). */
export type Goal = { readonly bound: 'at most' | 'at least'; readonly ratio: number };

/** One thing measured on both sides in one run. */
export type Measurement = {
  /** Starts with the letter of its part: `(a) …`. */
  readonly name: string;
  readonly ours: number;
  readonly other: number;
  readonly unit: string;
  readonly goal?: Goal;
  /** What belongs to this measurement and has no goal of its own: percentiles of a rate. Their names go on from its. */
  readonly details?: readonly Measurement[];
};

/** A measurement as `--json` prints it; `goal` is the ratio to reach, `met` null where there is none. */
export type Line = {
  readonly name: string;
  readonly ours: number;
  readonly other: number;
  readonly unit: string;
  readonly ratio: number;
  readonly goal: number | null;
  readonly met: boolean | null;
};

/** Ours in terms of the other's. */
export function ratioOf({ ours, other }: Measurement): number {
  return ours / other;
}

/** Whether the goal was reached; undefined without a goal. */
export function isMet(measurement: Measurement): boolean | undefined {
  const { goal } = measurement;
  if (goal === undefined) return undefined;
  const ratio = ratioOf(measurement);
  return goal.bound === 'at most' ? ratio <= goal.ratio : ratio >= goal.ratio;
}

/** The lines of measurements and of their details, in order. Figures have four significant digits. */
export function linesOf(measurements: readonly Measurement[]): Line[] {
  return measurements.flatMap((measurement) => [lineOf(measurement), ...linesOf(measurement.details ?? [])]);
}

function lineOf(measurement: Measurement): Line {
  const { name, ours, other, unit, goal } = measurement;
  return {
    name,
    ours: significant(ours),
    other: significant(other),
    unit,
    ratio: significant(ratioOf(measurement)),
    goal: goal?.ratio ?? null,
    met: isMet(measurement) ?? null,
  };
}

function significant(value: number): number {
  return Number(value.toPrecision(4));
}
