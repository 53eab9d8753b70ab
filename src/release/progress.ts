/**
 * How far a state of a release has come, as one text: what stands or falls as a whole, and of what is counted the least
 * and the most that there was since then. A release moves when the text changes; pods that fall ill and recover again and
 * again change it once only, so that they do not keep it from its deadline.
 *
 * @param before the text of the look before; empty when the state was entered
 * @param facts without `|`
 */
export function progressed(before: string, facts: string, counts: readonly number[]): string {
  const [known, ranges = ''] = before.split('|');
  const bounds = known === facts ? ranges.split(' ').map((range) => range.split('-').map(Number)) : [];
  const widened = counts.map((count, i) => {
    const [least = count, most = count] = bounds[i] ?? [];
    return `${Math.min(least, count)}-${Math.max(most, count)}`;
  });
  return `${facts}|${widened.join(' ')}`;
}
