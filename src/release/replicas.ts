import type { Style } from '../rewrite/directive.ts';

/** A number of pods or a percentage of them (`intstr.IntOrString`). */
export type Amount = number | string;

/**
 * How many pods of the new version a step asks for (compat §3.3): a number, or the percentage of all pods rounded up;
 * never more than there are, and where both versions live in one Deployment one pod of the old version stays until a
 * step says exactly `100%`.
 *
 * @param replicas what the workload is scaled to.
 * @returns 0 to `replicas`.
 */
export function stepReplicas(amount: Amount, replicas: number, style: Style): number {
  const asked = Math.min(Math.max(0, resolved(amount, replicas, 'up')), replicas);
  const isPart = typeof amount === 'string' && amount !== '100%';
  return isPart && replicas > 1 && style !== 'canary' ? Math.min(asked, replicas - 1) : asked;
}

/** Resolves an amount of `total` as Kubernetes does. Text that is no percentage counts as 0. */
export function resolved(amount: Amount, total: number, rounding: 'up' | 'down'): number {
  if (typeof amount === 'number') return amount;
  const percent = /^(\d+)%$/.exec(amount)?.[1];
  // Whole numbers first: 0.07 * 100 is more than 7.
  const exact = percent === undefined ? 0 : (Number(percent) * total) / 100;
  return rounding === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

/** Pods of the new version: what a step wants of them, and what there is. */
export type Pods = { readonly created: number; readonly ready: number };

/**
 * Whether so many pods of the new version are there and ready (compat §3.3). `failureThreshold` of them may be unready,
 * but not all.
 */
export function isReached(target: number, { created, ready }: Pods, failureThreshold: Amount = 0): boolean {
  const tolerated = resolved(failureThreshold, created, 'up');
  return created >= target && ready + tolerated >= target && (target === 0 || ready > 0);
}
