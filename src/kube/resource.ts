/** Where the objects of one kind are served. */
export type Resource = {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** The plural in paths: `deployments`. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
};

/** One object of a kind; `namespace` is left out for cluster-scoped kinds. */
export type ObjectName = { readonly namespace?: string; readonly name: string };

/** `apps/v1`, `v1` for the core group. */
export function apiVersionOf({ group, version }: Pick<Resource, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Reads `apps/v1` or `v1`. */
export function groupVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  if (slash < 0) return { group: '', version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** `/apis/apps/v1/namespaces/default/deployments`; without a namespace all of them. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`;
  const inNamespace = namespace === undefined || !resource.namespaced ? '' : `/namespaces/${segment(namespace)}`;
  return `${root}/${resource.version}${inNamespace}/${resource.plural}`;
}

/**
 * The path of one object, or of one of its subresources.
 * @throws for a namespaced kind without a namespace: the path would be that of something else.
 */
export function objectPath(resource: Resource, { namespace, name }: ObjectName, subresource?: string): string {
  if (resource.namespaced && !namespace) throw new Error(`${resource.kind} ${name}: its namespace is not known`);
  const end = subresource === undefined ? '' : `/${subresource}`;
  return `${collectionPath(resource, namespace)}/${segment(name)}${end}`;
}

/** Names of objects may hold `%`, and `.` or `..` would change the path. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..') throw new Error(`"${name}" is no name of an object`);
  return encodeURIComponent(name);
}

/** The kinds that Sluice itself reads or writes; others are found by discovery. */
export const RESOURCES = {
  rollout: resource('rollouts.kruise.io', 'v1beta1', 'rollouts', 'Rollout'),
  trafficRouting: resource('rollouts.kruise.io', 'v1alpha1', 'trafficroutings', 'TrafficRouting'),
  deployment: resource('apps', 'v1', 'deployments', 'Deployment'),
  replicaSet: resource('apps', 'v1', 'replicasets', 'ReplicaSet'),
  service: resource('', 'v1', 'services', 'Service'),
  ingress: resource('networking.k8s.io', 'v1', 'ingresses', 'Ingress'),
  configMap: resource('', 'v1', 'configmaps', 'ConfigMap'),
  secret: resource('', 'v1', 'secrets', 'Secret'),
  event: resource('events.k8s.io', 'v1', 'events', 'Event'),
  lease: resource('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  endpointSlice: resource('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice'),
  pod: resource('', 'v1', 'pods', 'Pod'),
  clusterRole: clusterResource('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole'),
  customResourceDefinition: clusterResource(
    'apiextensions.k8s.io',
    'v1',
    'customresourcedefinitions',
    'CustomResourceDefinition',
  ),
  mutatingWebhookConfiguration: clusterResource(
    'admissionregistration.k8s.io',
    'v1',
    'mutatingwebhookconfigurations',
    'MutatingWebhookConfiguration',
  ),
  validatingWebhookConfiguration: clusterResource(
    'admissionregistration.k8s.io',
    'v1',
    'validatingwebhookconfigurations',
    'ValidatingWebhookConfiguration',
  ),
} as const;

function resource(group: string, version: string, plural: string, kind: string): Resource {
  return { group, version, plural, kind, namespaced: true };
}

function clusterResource(group: string, version: string, plural: string, kind: string): Resource {
  return { group, version, plural, kind, namespaced: false };
}
