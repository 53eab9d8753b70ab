import type { JsonMap } from '../json/value.ts';
import { type StoredRollout, storedRollout } from './rollout-entry.ts';

/** A Rollout (v1beta1) of Deployment `web` with an Istio VirtualService, as the API server stores it. */
export function rolloutObject(change: { metadata?: JsonMap; spec?: JsonMap; status?: JsonMap } = {}): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: {
      namespace: 'shop',
      name: 'web',
      uid: 'rollout-uid',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...change.metadata,
    },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: {
        canary: {
          steps: [{ traffic: '20%', replicas: '20%' }, { replicas: '100%' }],
          trafficRoutings: [
            {
              service: 'web',
              customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'web' }],
            },
          ],
        },
      },
      ...change.spec,
    },
    ...(change.status === undefined ? {} : { status: change.status }),
  };
}

export function aRollout(change: Parameters<typeof rolloutObject>[0] = {}): StoredRollout {
  return storedRollout(rolloutObject(change));
}
