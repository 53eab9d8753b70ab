import { refusedGateway } from '../api/gateway-groups.ts';
import type { Rollout } from '../api/generated.ts';
import { GROUP } from '../api/names.ts';
import type { FieldPath } from '../api/violation.ts';
import { type Target, targetsOf } from '../rollout/targets.ts';
import { routingName, trafficRoutingOf } from '../rollout/traffic-routing.ts';

/** A kind, whatever the version: `group` is empty for the core group. */
export type GroupKind = { readonly group: string; readonly kind: string };

/** An object that a Rollout names, and the field that names it. */
export type Reference = GroupKind & {
  /** `routing`: a TrafficRouting, which names gateway objects in its turn. */
  readonly role: 'workload' | 'service' | 'gateway' | 'routing';
  /** In the Rollout's namespace. */
  readonly name: string;
  readonly path: FieldPath;
};

/** Workloads that can be released, by `group/Kind`, and the value of the label that says so (compat §2.10). */
export const WORKLOAD_TYPES: ReadonlyMap<string, string> = new Map([['apps/Deployment', 'deployment']]);

export const TRAFFIC_ROUTING: GroupKind = { group: GROUP, kind: 'TrafficRouting' };

/** Under which key a TrafficRouting is worked on: that of no Rollout. */
export function trafficRoutingKey(namespace: string, name: string): string {
  return `${namespace}/${routingName(name)}`;
}

/** Whether objects of the reference's kind are of any use: a workload that cannot be released is not watched. */
export function isWatched(reference: Reference): boolean {
  if (reference.role === 'gateway') return refusedGateway(reference) === undefined;
  if (reference.role === 'routing') return false; // all of them are watched, whole
  return reference.role !== 'workload' || WORKLOAD_TYPES.has(kindKey(reference));
}

/** `group/Kind`, for maps. */
export function kindKey({ group, kind }: GroupKind): string {
  return `${group}/${kind}`;
}

/** `group/Kind/namespace/name`, for maps: which object a reference of a Rollout in this namespace means. */
export function referenceKey(reference: GroupKind & { readonly name: string }, namespace: string): string {
  return `${kindKey(reference)}/${namespace}/${reference.name}`;
}

/** `apps/v1` → `apps`, `v1` → the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/** All objects that a Rollout (v1beta1) names; one that several fields name comes once for each of them. */
export function referencesOf(rollout: Rollout): Reference[] {
  const { workloadRef, strategy } = rollout.spec ?? {};
  const style = strategy?.canary === undefined ? 'blueGreen' : 'canary';
  const routings = strategy?.[style]?.trafficRoutings ?? [];
  const routing = trafficRoutingOf(rollout);
  return [
    ...(routing === undefined ? [] : [{ role: 'routing', ...TRAFFIC_ROUTING, ...routing } as const]),
    ...(workloadRef === undefined ? [] : [workloadReference(workloadRef)]),
    ...routings.flatMap((routing, index) => {
      const path = ['spec', 'strategy', style, 'trafficRoutings', index];
      return routingReferences(routing, path);
    }),
  ];
}

function workloadReference({ apiVersion, kind, name }: { apiVersion: string; kind: string; name: string }): Reference {
  return { role: 'workload', group: groupOf(apiVersion), kind, name, path: ['spec', 'workloadRef'] };
}

type Routing = NonNullable<
  NonNullable<NonNullable<NonNullable<Rollout['spec']>['strategy']['canary']>['trafficRoutings']>[number]
>;

function routingReferences({ service, customNetworkRefs, ingress, gateway }: Routing, path: FieldPath): Reference[] {
  const custom = (customNetworkRefs ?? []).map(
    ({ apiVersion, kind, name }, index): Reference => ({
      role: 'gateway',
      group: groupOf(apiVersion),
      kind,
      name,
      path: [...path, 'customNetworkRefs', index],
    }),
  );
  const found: Reference[] = [
    { role: 'service', group: '', kind: 'Service', name: service, path: [...path, 'service'] },
    ...custom,
  ];
  if (ingress !== undefined) {
    const named = { group: 'networking.k8s.io', kind: 'Ingress', name: ingress.name };
    found.push({ role: 'gateway', ...named, path: [...path, 'ingress', 'name'] });
  }
  if (gateway?.httpRouteName !== undefined) {
    const named = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: gateway.httpRouteName };
    found.push({ role: 'gateway', ...named, path: [...path, 'gateway', 'httpRouteName'] });
  }
  return found;
}

/** A gateway object and the first field of the Rollout that names it. */
export type PlacedTarget = { readonly target: Target; readonly group: string; readonly path: FieldPath };

/** The gateway objects of a Rollout, each with its place. */
export function placedTargets(rollout: Rollout, references: readonly Reference[]): PlacedTarget[] {
  return targetsOf(rollout).map((target) => {
    const group = groupOf(target.apiVersion);
    const place = references.find((ref) => ref.role === 'gateway' && isSame(ref, { ...target, group }));
    return { target, group, path: place?.path ?? [] };
  });
}

function isSame(a: GroupKind & { name: string }, b: GroupKind & { name: string }): boolean {
  return a.group === b.group && a.kind === b.kind && a.name === b.name;
}
