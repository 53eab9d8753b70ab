import type { JsonMap } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { virtualService } from '../virtual-service.ts';
import { VIRTUAL_SERVICES } from './latency-objects.ts';
import { NODE } from './ready-pods.ts';
import type { Creation } from './size-objects.ts';

export const RELEASE_STYLES = ['partition', 'canary', 'blue-green'] as const;
export type ReleaseStyle = (typeof RELEASE_STYLES)[number];

/** The weights of the first two steps, in each style. */
export const WEIGHTS: readonly [number, number] = [20, 40];
const ROUTES = 10;

/** Steps that wait for an approval, and a last one without. */
const APPROVED: readonly JsonMap[] = [
  ...WEIGHTS.map((weight) => ({ traffic: `${weight}%`, replicas: `${weight}%`, pause: {} })),
  { replicas: '100%' },
];
/** The same, with pauses of a second. */
const TIMED: readonly JsonMap[] = APPROVED.map((step) =>
  'pause' in step ? { ...step, pause: { duration: 1 } } : step,
);

/** The strategy of a release whose grace period is the default. */
export function strategyOf(style: ReleaseStyle, name: string, isApproved: boolean): JsonMap {
  const steps = isApproved ? APPROVED : TIMED;
  const refs = [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name }];
  const trafficRoutings = [{ service: name, customNetworkRefs: refs }];
  if (style === 'partition') return { canary: { steps, trafficRoutings } };
  if (style === 'canary') return { canary: { enableExtraWorkloadForCanary: true, steps, trafficRoutings } };
  return { blueGreen: { steps: [...steps.slice(0, 2), ...ALL_TRAFFIC], trafficRoutings, scaleDownDelaySeconds: 1 } };
}

const ALL_TRAFFIC: readonly JsonMap[] = [{ replicas: '100%', traffic: '100%', pause: { duration: 0 } }];

/** A workload with its Service, a VirtualService of ten routes and the Rollout. */
export function releaseObjects(namespace: string, name: string, replicas: number, strategy: JsonMap): Creation[] {
  const metadata = { namespace, name };
  const text = JSON.stringify(virtualService(ROUTES, name)).replaceAll('"host":"checkout"', `"host":"${name}"`);
  return [
    {
      resource: RESOURCES.service,
      object: {
        ...{ apiVersion: 'v1', kind: 'Service', metadata },
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 8080, targetPort: 8080 }] },
      },
    },
    { resource: VIRTUAL_SERVICES, object: { ...(JSON.parse(text) as JsonMap), metadata } },
    {
      resource: RESOURCES.deployment,
      object: {
        ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata },
        spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name) },
      },
    },
    {
      resource: RESOURCES.rollout,
      object: {
        ...{ apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata },
        spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, strategy },
      },
    },
  ];
}

function template(app: string): JsonMap {
  return {
    metadata: { labels: { app } },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 8080 }] }],
    },
  };
}

/** What a user's `kubectl set image` sends. */
export function versionPatch(version: number): JsonMap {
  return { spec: { template: { spec: { containers: [{ name: 'web', image: `web:${version}` }] } } } };
}
