import { canaryName } from '../api/names.ts';
import { isList, isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { copiedMetadata } from './copied-metadata.ts';
import type { ServicePair } from './targets.ts';

/**
 * The canary Ingress beside a stable one (compat §4.6): same class, TLS, hosts and paths, but only the paths that lead to
 * a stable Service, and those lead to its canary Service. Its annotations are what the class's script makes of the
 * stable ones.
 *
 * @returns undefined when no path leads to any of the stable Services.
 */
export function canaryIngress(stable: JsonMap, routes: readonly ServicePair[]): JsonMap | undefined {
  const spec = isMap(stable['spec']) ? stable['spec'] : {};
  const rules = isList(spec['rules']) ? spec['rules'].flatMap((rule) => canaryRule(rule, routes)) : [];
  if (rules.length === 0) return undefined;
  const metadata = isMap(stable['metadata']) ? stable['metadata'] : {};
  const { ingressClassName, tls } = spec;
  return {
    apiVersion: stable['apiVersion'] ?? 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: canaryName(stringAt(metadata, 'name') ?? ''),
      ...(metadata['namespace'] === undefined ? {} : { namespace: metadata['namespace'] }),
      ...copiedMetadata(metadata),
    },
    spec: {
      ...(ingressClassName === undefined ? {} : { ingressClassName }),
      ...(tls === undefined ? {} : { tls }),
      rules,
    },
  };
}

function canaryRule(rule: Json, routes: readonly ServicePair[]): JsonMap[] {
  const http = isMap(rule) ? rule['http'] : undefined;
  const paths = isMap(http) && isList(http['paths']) ? http['paths'] : [];
  const own = paths.flatMap((path) => canaryPath(path, routes));
  return isMap(rule) && isMap(http) && own.length > 0 ? [{ ...rule, http: { ...http, paths: own } }] : [];
}

function canaryPath(path: Json, routes: readonly ServicePair[]): JsonMap[] {
  const backend = isMap(path) ? path['backend'] : undefined;
  const service = isMap(backend) ? backend['service'] : undefined;
  const pair = routes.find(({ stableService }) => stableService === stringAt(service, 'name'));
  if (!isMap(path) || !isMap(backend) || !isMap(service) || pair === undefined) return [];
  return [{ ...path, backend: { ...backend, service: { ...service, name: pair.canaryService } } }];
}
