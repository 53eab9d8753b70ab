/**
 * Groups whose writes must never wait for Sluice, and why. Together with the rules of {@link refusedGroup} nobody can make
 * Sluice a gate for what a cluster needs to run, by naming it in a Rollout.
 */
export const REFUSED_GROUPS: Readonly<Record<string, string>> = {
  '': 'core kinds (Secrets, ConfigMaps, Pods, Nodes, …) are no gateway objects; Services are known already',
  apps: 'workloads are named in spec.workloadRef',
  'admissionregistration.k8s.io': 'webhook configurations decide who is called: a mistake there could not be mended',
  'apiextensions.k8s.io': 'CustomResourceDefinitions are no gateway objects',
  'apiregistration.k8s.io': 'APIServices are no gateway objects',
  'authentication.k8s.io': 'reviews of tokens are not stored',
  'authorization.k8s.io': 'reviews of access are not stored',
  'certificates.k8s.io': 'certificate requests are no gateway objects',
  'coordination.k8s.io': 'Leases are renewed every few seconds by what keeps the cluster alive',
  'rbac.authorization.k8s.io': 'roles decide who may do what',
  'rollouts.kruise.io': 'Rollouts are not released by Rollouts',
  'sluice.dev': "Sluice's own objects are not released by Rollouts",
};

/** The only group of `k8s.io` whose kinds steer traffic, besides Ingresses, which are known already. */
const GATEWAY_API = 'gateway.networking.k8s.io';

/** Why no object of this API group can carry the traffic of a Rollout; undefined when it can. */
export function refusedGroup(group: string): string | undefined {
  if (Object.hasOwn(REFUSED_GROUPS, group)) return REFUSED_GROUPS[group];
  if (!group.includes('.')) return `${group} is a built-in group of Kubernetes`;
  if (group.endsWith('.k8s.io') && group !== GATEWAY_API) return `${group} is a group of Kubernetes itself`;
  return undefined;
}

/** The same for a kind that a Rollout names as a gateway object: Ingresses are the one built-in kind that is. */
export function refusedGateway({ group, kind }: { readonly group: string; readonly kind: string }): string | undefined {
  return group === 'networking.k8s.io' && kind === 'Ingress' ? undefined : refusedGroup(group);
}
