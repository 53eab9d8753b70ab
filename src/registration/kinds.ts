/** A kind as a webhook rule names it. */
export type RuleKind = {
  readonly group: string;
  /** The version that its CRD stores: reviews bring objects in this one, whatever version was written. */
  readonly version: string;
  readonly plural: string;
  readonly scope: 'Namespaced' | 'Cluster';
};

/**
 * Groups whose writes must never wait for Sluice, and why. Together with the rules of {@link refusalOf} nobody can make
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

/** RFC 1123 labels and names, as API groups, versions and plurals must be. No wildcard and no subresource fits. */
const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Why no rule is made for a kind that a Rollout names; undefined when it may have one. */
export function refusalOf({ group, version, plural }: RuleKind): string | undefined {
  const named = Object.hasOwn(REFUSED_GROUPS, group) ? REFUSED_GROUPS[group] : undefined;
  if (named !== undefined) return named;
  if (![group, version, plural].every((part) => NAME.test(part)))
    return `"${group}/${version}/${plural}" is no kind of the API`;
  if (!group.includes('.')) return `${group} is a built-in group of Kubernetes`;
  if (group.endsWith('.k8s.io') && group !== GATEWAY_API) return `${group} is a group of Kubernetes itself`;
  return undefined;
}
