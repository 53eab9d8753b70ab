import type { JsonMap } from '../../../src/json/value.ts';

/** Where Envoy gets its configuration from, in plain text: nothing here has certificates. */
export const XDS_PORT = 15010;

/**
 * Istio's control plane: one pod, a Service `istiod` that leads to it, and its rights.
 * @param program the path of pilot-discovery
 */
export function istiod(namespace: string, program: string): JsonMap[] {
  const labels = { app: 'istiod' };
  const subjects = [{ kind: 'ServiceAccount', name: 'istiod', namespace }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  const settings = {
    rootNamespace: namespace,
    // Else Envoy waits for certificates without end.
    enableAutoMtls: false,
    enablePrometheusMerge: false,
    defaultConfig: { discoveryAddress: `istiod.${namespace}.svc:${XDS_PORT}` },
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'istiod' } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: namespace },
      roleRef,
      subjects,
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio' }, data: { mesh: JSON.stringify(settings) } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'istiod' },
      spec: { selector: labels, ports: [{ name: 'grpc-xds', port: XDS_PORT }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'istiod' },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'istiod',
            terminationGracePeriodSeconds: 1,
            containers: [discovery(program)],
            volumes: [{ name: 'mesh', configMap: { name: 'istio' } }],
          },
        },
      },
    },
  ];
}

function discovery(program: string): JsonMap {
  return {
    name: 'discovery',
    image: 'program',
    command: [program, 'discovery'],
    args: [
      '--meshConfig=/etc/istio/mesh',
      '--domain=cluster.local',
      '--httpAddr=$(POD_IP):8080',
      `--grpcAddr=$(POD_IP):${XDS_PORT}`,
      '--monitoringAddr=$(POD_IP):15014',
      '--httpsAddr=',
      '--secureGRPCAddr=',
    ],
    env: [
      field('POD_IP', 'status.podIP'),
      field('POD_NAME', 'metadata.name'),
      field('POD_NAMESPACE', 'metadata.namespace'),
      { name: 'CLUSTER_ID', value: 'Kubernetes' },
      // Filters that only Istio's own build of Envoy has.
      { name: 'PILOT_ENABLE_METADATA_EXCHANGE', value: 'false' },
      { name: 'PILOT_MX_ALPN', value: 'false' },
      { name: 'PILOT_ENABLE_ALPN_FILTER', value: 'false' },
    ],
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1 },
    volumeMounts: [{ name: 'mesh', mountPath: '/etc/istio' }],
  };
}

/** A variable of the downward API. */
export function field(name: string, fieldPath: string): JsonMap {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}
