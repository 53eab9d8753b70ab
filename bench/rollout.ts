import { V1ALPHA1 } from '../src/api/names.ts';
import type { JsonMap } from '../src/json/value.ts';

/** A Rollout of four steps in v1alpha1 as an API server sends it to be converted: status and managed fields included. */
export function oldRollout(): JsonMap {
  return {
    apiVersion: V1ALPHA1,
    kind: 'Rollout',
    metadata: {
      name: 'checkout',
      namespace: 'shop',
      uid: '7e9a1f3c-5d0b-4c39-9a51-0f5f3f0a6a01',
      resourceVersion: '918273',
      generation: 4,
      creationTimestamp: '2026-01-12T09:31:44Z',
      labels: { 'app.kubernetes.io/name': 'checkout', 'app.kubernetes.io/part-of': 'shop' },
      annotations: {
        'rollouts.kruise.io/rolling-style': 'partition',
        'shop.example.com/owner': 'payments@example.com',
      },
      managedFields: [
        {
          manager: 'kubectl-client-side-apply',
          operation: 'Update',
          apiVersion: V1ALPHA1,
          time: '2026-01-12T09:31:44Z',
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:metadata': { 'f:annotations': { '.': {} }, 'f:labels': { '.': {} } },
            'f:spec': { '.': {}, 'f:objectRef': { '.': {}, 'f:workloadRef': {} }, 'f:strategy': { 'f:canary': {} } },
          },
        },
      ],
    },
    spec: {
      objectRef: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'checkout' } },
      strategy: {
        canary: {
          steps: [
            { weight: 5, replicas: '10%', pause: { duration: 600 } },
            {
              matches: [{ headers: [{ type: 'Exact', name: 'x-user-group', value: 'beta' }] }],
              replicas: '20%',
              pause: {},
            },
            { weight: 50, replicas: '50%', pause: { duration: 1800 } },
            { weight: 100, replicas: '100%', pause: { duration: 60 } },
          ],
          trafficRoutings: [
            {
              service: 'checkout',
              gracePeriodSeconds: 10,
              customNetworkRefs: [
                { apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'checkout' },
                { apiVersion: 'networking.istio.io/v1beta1', kind: 'DestinationRule', name: 'checkout' },
              ],
            },
          ],
        },
      },
    },
    status: {
      observedGeneration: 4,
      phase: 'Progressing',
      message: 'Rollout is in step(2/4), and you need manually confirm to enter the next step',
      canaryStatus: {
        observedWorkloadGeneration: 12,
        observedRolloutID: '12',
        rolloutHash: 'f55bvd874d5f2fzvw46bv966x4bwbdv4wx6bd9f7b46ww788954b8z8w29b7wxfd',
        stableRevision: '6c8f7d5b9d',
        canaryRevision: '5b8f6c7d9f',
        podTemplateHash: '5b8f6c7d9f',
        canaryReplicas: 2,
        canaryReadyReplicas: 2,
        currentStepIndex: 2,
        currentStepState: 'StepPaused',
        lastUpdateTime: '2026-01-14T10:02:11Z',
      },
      conditions: [
        {
          type: 'Progressing',
          status: 'True',
          reason: 'InRolling',
          message: 'Rollout is in Progressing',
          lastTransitionTime: '2026-01-14T09:55:00Z',
          lastUpdateTime: '2026-01-14T09:55:00Z',
        },
      ],
    },
  };
}
