/**
 * Namespaces whose objects no webhook of ours ever sees: what a cluster and Sluice itself need to run must not wait for it.
 * Sorted, each once.
 */
export function neverMatched(own: string, excluded: readonly string[]): string[] {
  return [...new Set(['kube-system', own, ...excluded])].sort();
}
