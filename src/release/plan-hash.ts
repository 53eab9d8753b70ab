import { createHash } from 'node:crypto';
import type { BlueGreenStrategy, CanaryStrategy, Rollout } from '../api/generated.ts';
import { canonicalJson } from '../json/text.ts';
import type { Json } from '../json/value.ts';

/** No vowels and no digits that look like letters, as in the names of ReplicaSets. */
const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * The hash of a Rollout's plan, as `status.*.rolloutHash` holds it (compat §2.5): of the strategy without what may change
 * at any time, which are failureThreshold, the pauses of steps, deadlines and delays.
 *
 * @returns 64 characters.
 */
export function planHash({ spec }: Rollout): string {
  const strategy: CanaryStrategy & BlueGreenStrategy = spec?.strategy.canary ?? spec?.strategy.blueGreen ?? {};
  const { steps = [], failureThreshold: _1, progressDeadlineSeconds: _2, onFailure: _3, ...rest } = strategy;
  const { scaleDownDelaySeconds: _4, ...plan } = rest;
  const text = canonicalJson({ ...plan, steps: steps.map(({ pause: _, ...step }) => step) } as unknown as Json);
  const digest = createHash('sha256').update(text).digest('hex');
  return [...Buffer.from(digest)].map((byte) => SAFE[byte % SAFE.length]).join('');
}
