import { ANNOTATIONS } from '../../src/api/names.ts';
import type { JsonMap } from '../../src/json/value.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { virtualService } from '../virtual-service.ts';
import { VIRTUAL_SERVICES } from './latency-objects.ts';

/** An object and where it is created. */
export type Creation = { readonly resource: Resource; readonly object: JsonMap };

const PER_NAMESPACE = 100;
const ROUTES = 10;

/** Namespaces for so many Rollouts, 100 in each. */
export function namespacesFor(rollouts: number): string[] {
  return Array.from({ length: Math.ceil(rollouts / PER_NAMESPACE) }, (_, i) => namespaceOf(i * PER_NAMESPACE));
}

function namespaceOf(index: number): string {
  return `team-${String(Math.floor(index / PER_NAMESPACE)).padStart(3, '0')}`;
}

/** A Rollout with what it names, as `kubectl apply` makes them: with a last-applied text beside the object. */
export function creationsOf(index: number, withGateways: boolean): Creation[] {
  const name = `service-${String(index).padStart(5, '0')}`;
  return creationsIn(namespaceOf(index), name, index, withGateways);
}

/** The same under names of one's own; `index` makes templates differ in size. */
export function creationsIn(namespace: string, name: string, index: number, withGateways = false): Creation[] {
  const workload = [
    { resource: RESOURCES.deployment, object: applied(deployment(namespace, name, index)) },
    { resource: RESOURCES.rollout, object: applied(rollout(namespace, name, withGateways)) },
  ];
  if (!withGateways) return workload;
  return [
    { resource: RESOURCES.service, object: applied(service(namespace, name)) },
    { resource: VIRTUAL_SERVICES, object: applied(routesTo(namespace, name)) },
    ...workload,
  ];
}

function applied(object: JsonMap): JsonMap {
  const metadata = object['metadata'] as JsonMap; // of the objects below
  const annotations = { ...(metadata['annotations'] as JsonMap), [ANNOTATIONS.lastApplied]: JSON.stringify(object) };
  return { ...object, metadata: { ...metadata, annotations } };
}

function metadataOf(namespace: string, name: string): JsonMap {
  return {
    ...{ namespace, name },
    labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'shop', team: namespace },
    annotations: { 'shop.example.com/owner': `${namespace}@example.com` },
  };
}

/** Its template has 2 to 8 KB, by the number of variables: charts differ in that most of all. */
function deployment(namespace: string, name: string, index: number): JsonMap {
  const labels = { app: name, version: 'base' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(namespace, name),
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels, annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090' } },
        spec: {
          serviceAccountName: name,
          terminationGracePeriodSeconds: 45,
          containers: [container(name, 8 + ((index * 7) % 56)), container('sidecar', 4)],
          volumes: [
            { name: 'config', configMap: { name: `${name}-config` } },
            { name: 'cache', emptyDir: { sizeLimit: '1Gi' } },
          ],
        },
      },
    },
  };
}

function container(name: string, variables: number): JsonMap {
  return {
    name,
    image: `images.example.com/shop/${name}:1.4.2`,
    ports: [{ name: 'http', containerPort: 8080 }],
    env: Array.from({ length: variables }, (_, i) => ({
      name: `SETTING_NUMBER_${i}`,
      value: `value-${i}-of-${name}.example.com:8080/path`,
    })),
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 5 },
    livenessProbe: { httpGet: { path: '/live', port: 8080 }, periodSeconds: 20, failureThreshold: 5 },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/service', readOnly: true },
      { name: 'cache', mountPath: '/var/cache/service' },
    ],
    securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
  };
}

function rollout(namespace: string, name: string, withGateways: boolean): JsonMap {
  const refs = [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name }];
  const steps = [5, 20, 50, 100].map((percent) => ({
    // Above half of the pods a release in place cannot steer traffic.
    ...(withGateways && percent <= 50 ? { traffic: `${percent}%` } : {}),
    replicas: `${percent}%`,
    pause: percent < 100 ? { duration: 600 } : {},
  }));
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: metadataOf(namespace, name),
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      strategy: {
        canary: {
          steps,
          ...(withGateways
            ? { trafficRoutings: [{ service: name, gracePeriodSeconds: 10, customNetworkRefs: refs }] }
            : {}),
        },
      },
    },
  };
}

function service(namespace: string, name: string): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(namespace, name),
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 8080, targetPort: 8080 }] },
  };
}

function routesTo(namespace: string, name: string): JsonMap {
  const text = JSON.stringify(virtualService(ROUTES, name)).replaceAll('"host":"checkout"', `"host":"${name}"`);
  return { ...(JSON.parse(text) as JsonMap), metadata: metadataOf(namespace, name) };
}
