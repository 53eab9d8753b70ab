/**
 * The value in the middle; between the two middle ones of an even count.
 * @throws RangeError for no values.
 */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new RangeError('no values, no median');
  return (low + high) / 2;
}

/**
 * The smallest of the values that at least `percent` % of them do not exceed (nearest rank): always one that was seen.
 * @param percent above 0, at most 100.
 * @throws RangeError for no values.
 */
export function percentile(values: readonly number[], percent: number): number {
  const found = ascending(values)[Math.ceil((percent / 100) * values.length) - 1];
  if (found === undefined) throw new RangeError(`no values, or no such percentile: ${percent}`);
  return found;
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
