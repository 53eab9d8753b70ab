import { convertObjects } from './convert.ts';
import { floorHandler } from './floor.ts';
import { type GatewayOptions, gatewayHandler } from './gateway.ts';
import { holdHandler } from './hold.ts';
import { podHandler } from './pod.ts';
import { rolloutHandler } from './rollout.ts';
import { rolloutStatusHandler } from './rollout-status.ts';
import type { AdmissionHandler, FailurePolicy, Route, Rule } from './route.ts';
import { statusHandler } from './status.ts';

/** One webhook: where it is served, and for which writes the API server calls it. */
export type RouteEntry = {
  readonly path: string;
  /** The kind of configuration that names the path. */
  readonly configuration: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration';
  readonly failurePolicy: FailurePolicy;
  /** How long the API server waits for an answer. */
  readonly timeoutSeconds: number;
  readonly rules: readonly Rule[];
};

/** Where the CRDs send objects to be converted. */
export const CONVERSION_PATH = '/convert';

const WRITES = ['CREATE', 'UPDATE'] as const;

/**
 * The one table of webhooks: the server is built from it, and `webhook-config/` is held to it by a test.
 *
 * Only kinds that have a script or a rewrite of our own appear, in the storage version of their CRD (`matchPolicy:
 * Equivalent` brings the others in that shape); never `*`, and never Secrets, Leases, RBAC or admission itself.
 */
export const ROUTE_TABLE = {
  gateway: {
    path: '/mutate/gateway',
    configuration: 'MutatingWebhookConfiguration',
    failurePolicy: 'Fail',
    timeoutSeconds: 10,
    rules: [
      // Istio's v1beta1 is served since 1.5 and by every release since; its v1 only since 1.22.
      {
        apiGroups: ['networking.istio.io'],
        apiVersions: ['v1beta1'],
        resources: ['virtualservices', 'destinationrules'],
        operations: WRITES,
      },
      { apiGroups: ['gateway.networking.k8s.io'], apiVersions: ['v1'], resources: ['httproutes'], operations: WRITES },
      { apiGroups: ['networking.k8s.io'], apiVersions: ['v1'], resources: ['ingresses'], operations: WRITES },
      { apiGroups: [''], apiVersions: ['v1'], resources: ['services'], operations: WRITES },
    ],
  },
  workload: {
    path: '/mutate/workload',
    configuration: 'MutatingWebhookConfiguration',
    failurePolicy: 'Fail',
    timeoutSeconds: 10,
    rules: [{ apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], operations: WRITES }],
  },
  status: {
    path: '/mutate/status',
    configuration: 'MutatingWebhookConfiguration',
    failurePolicy: 'Ignore',
    timeoutSeconds: 1,
    rules: [
      {
        apiGroups: ['networking.k8s.io'],
        apiVersions: ['v1'],
        resources: ['ingresses/status'],
        operations: ['UPDATE'],
      },
      { apiGroups: [''], apiVersions: ['v1'], resources: ['services/status'], operations: ['UPDATE'] },
      { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments/status'], operations: ['UPDATE'] },
    ],
  },
  // After the entry for workloads, which takes off what others claim to be a directive; what this one adds stays then.
  hold: {
    path: '/mutate/hold',
    configuration: 'MutatingWebhookConfiguration',
    failurePolicy: 'Ignore',
    timeoutSeconds: 2,
    rules: [{ apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], operations: ['UPDATE'] }],
  },
  floor: {
    path: '/mutate/replicaset',
    configuration: 'MutatingWebhookConfiguration',
    failurePolicy: 'Ignore',
    timeoutSeconds: 1,
    rules: [{ apiGroups: ['apps'], apiVersions: ['v1'], resources: ['replicasets'], operations: ['UPDATE'] }],
  },
  // Also called for pods that take part in no release: a pod does not say what its ReplicaSet is in.
  pod: {
    path: '/mutate/pod',
    configuration: 'MutatingWebhookConfiguration',
    failurePolicy: 'Ignore',
    timeoutSeconds: 1,
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
  },
  rollout: {
    path: '/validate/rollout',
    configuration: 'ValidatingWebhookConfiguration',
    failurePolicy: 'Fail',
    timeoutSeconds: 10,
    rules: [
      {
        apiGroups: ['rollouts.kruise.io'],
        apiVersions: ['v1alpha1', 'v1beta1'],
        resources: ['rollouts'],
        operations: WRITES,
      },
    ],
  },
  rolloutStatus: {
    path: '/validate/rollout-status',
    configuration: 'ValidatingWebhookConfiguration',
    failurePolicy: 'Fail',
    timeoutSeconds: 10,
    rules: [
      {
        apiGroups: ['rollouts.kruise.io'],
        apiVersions: ['v1alpha1', 'v1beta1'],
        resources: ['rollouts/status'],
        operations: ['UPDATE'],
      },
    ],
  },
} as const satisfies Record<string, RouteEntry>;

/**
 * The entries whose failure policy an installation may choose. API servers read it from the configurations; a server has to know
 * it too, since it decides how a failure is answered.
 */
export type FailurePolicies = Readonly<Record<'gateway' | 'workload' | 'pod', FailurePolicy>>;

/** The policies of the table. */
export const FAILURE_POLICIES: FailurePolicies = { gateway: 'Fail', workload: 'Fail', pod: 'Ignore' };

/** The routes of a server: every entry of the table with its handler, and the conversion. */
export function admissionRoutes(options: GatewayOptions, policies = FAILURE_POLICIES): Route[] {
  // Gateway objects, Services and workloads differ in their directive only; one handler lets them share its memory.
  const rewrite = gatewayHandler(options);
  const handlers = {
    gateway: (request) => rewrite(request),
    workload: (request) => rewrite(request),
    status: statusHandler,
    hold: holdHandler(options.inventory, rewrite),
    floor: floorHandler(options.controllerUser),
    pod: podHandler(options.inventory),
    rollout: rolloutHandler(options.inventory),
    rolloutStatus: rolloutStatusHandler(options.controllerUser),
  } satisfies Record<keyof typeof ROUTE_TABLE, AdmissionHandler>;
  return [
    ...Object.entries(handlers).map(([name, handle]): Route => {
      const entry = ROUTE_TABLE[name as keyof typeof handlers]; // Object.entries forgets the keys
      const failurePolicy = policies[name as keyof FailurePolicies] ?? entry.failurePolicy;
      return { review: 'AdmissionReview', path: entry.path, failurePolicy, handle };
    }),
    { review: 'ConversionReview', path: CONVERSION_PATH, handle: convertObjects },
  ];
}
