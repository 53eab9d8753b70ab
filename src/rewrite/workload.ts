import { isMap, type Json } from '../json/value.ts';
import type { Declared } from './declared.ts';
import type { WorkloadAction } from './directive.ts';

/** `minReadySeconds` under which no new pod ever counts as available (int32 limit minus one). */
export const NEVER_AVAILABLE = 2147483646;
/** `progressDeadlineSeconds` that never passes; the API wants it larger than minReadySeconds. */
export const NO_DEADLINE = 2147483647;
/** With fewer, the native controller would clean an empty stable ReplicaSet away. */
const KEPT_REVISIONS = 10;

/**
 * Holds a Deployment (`paused`), or lets it walk: new pods up to `maxSurge`, old pods down by `maxUnavailable`, no new pod
 * ever counting as available, so that the native controller stops there (design §5).
 */
export function rewriteDeployment(original: Declared, { paused, walk, still }: WorkloadAction): Declared {
  const { paused: _, ...rest } = isMap(original.spec) ? original.spec : {};
  // The API server does not store `paused: false`.
  const held: { [key: string]: Json } = paused ? { ...rest, paused: true } : { ...rest };
  if (walk === undefined) return { ...original, spec: held };
  const revisions = rest['revisionHistoryLimit'];
  return {
    ...original,
    spec: {
      ...held,
      strategy: still
        ? { type: 'Recreate' }
        : {
            type: 'RollingUpdate',
            rollingUpdate: { maxSurge: walk.maxSurge, maxUnavailable: walk.maxUnavailable },
          },
      minReadySeconds: NEVER_AVAILABLE,
      progressDeadlineSeconds: NO_DEADLINE,
      revisionHistoryLimit: typeof revisions === 'number' ? Math.max(revisions, KEPT_REVISIONS) : KEPT_REVISIONS,
    },
  };
}
