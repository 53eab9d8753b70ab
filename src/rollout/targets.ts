import type { Rollout, TrafficRoutingRef } from '../api/generated.ts';
import { canaryName } from '../api/names.ts';
import type { ScriptRequest } from '../lua/library.ts';

/** A stable Service and what carries the new version: another Service, or the same one when none is generated. */
export type ServicePair = { readonly stableService: string; readonly canaryService: string };

/**
 * A gateway object whose traffic a Rollout steers. Entries of `trafficRoutings` that name the same object are one target
 * with several pairs of Services.
 */
export type Target = {
  readonly apiVersion: string;
  readonly kind: string;
  /** For an Ingress class: the stable Ingress; the object that is rewritten is the canary Ingress beside it. */
  readonly name: string;
  readonly request: ScriptRequest;
  readonly routes: readonly ServicePair[];
};

/** All gateway objects of a Rollout (v1beta1), in the order custom, ingress, gateway within each entry (compat §1.4). */
export function targetsOf(rollout: Rollout): Target[] {
  const strategy = rollout.spec?.strategy.canary ?? rollout.spec?.strategy.blueGreen;
  const targets = new Map<string, Target>();
  for (const routing of strategy?.trafficRoutings ?? []) {
    const stableService = routing.service;
    const canaryService = strategy?.disableGenerateCanaryService ? stableService : canaryName(stableService);
    for (const target of routingTargets(routing)) {
      const key = [target.apiVersion, target.kind, target.name].join('\n');
      const routes = [...(targets.get(key)?.routes ?? []), { stableService, canaryService }];
      targets.set(key, { ...target, routes });
    }
  }
  return [...targets.values()];
}

function routingTargets({ customNetworkRefs, ingress, gateway }: TrafficRoutingRef): Omit<Target, 'routes'>[] {
  const custom = (customNetworkRefs ?? []).map(({ apiVersion, kind, name }) => ({
    apiVersion,
    kind,
    name,
    request: { contract: 'custom' as const, group: groupOf(apiVersion), kind },
  }));
  const ingresses = ingress === undefined ? [] : [ingressTarget(ingress.name, ingress.classType)];
  const routes = gateway?.httpRouteName === undefined ? [] : [httpRouteTarget(gateway.httpRouteName)];
  return [...custom, ...ingresses, ...routes];
}

function ingressTarget(name: string, classType: string | undefined): Omit<Target, 'routes'> {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    name,
    request: { contract: 'ingress', classType: classType || 'nginx' },
  };
}

function httpRouteTarget(name: string): Omit<Target, 'routes'> {
  const group = 'gateway.networking.k8s.io';
  return {
    apiVersion: `${group}/v1`,
    kind: 'HTTPRoute',
    name,
    request: { contract: 'custom', group, kind: 'HTTPRoute' },
  };
}

/** The group in script keys: what stands before the slash; for core kinds `v1` (compat §4.7). */
function groupOf(apiVersion: string): string {
  return apiVersion.split('/')[0] ?? apiVersion;
}
