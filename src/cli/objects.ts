import type { Rollout } from '../api/generated.ts';
import { GROUP, SCRIPT_CONFIG_MAP } from '../api/names.ts';
import { type Json, stringAt } from '../json/value.ts';

/** The group of an apiVersion, empty for the core kinds. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** True for Rollouts of our group in any version, known or not. (Argo CD's people have a Rollout of their own.) */
export function isRollout(value: Json): boolean {
  return stringAt(value, 'kind') === 'Rollout' && groupOf(stringAt(value, 'apiVersion') ?? '') === GROUP;
}

/** True for the ConfigMap of user scripts, in whatever namespace it is written. */
export function isScriptConfigMap(value: Json): boolean {
  return (
    stringAt(value, 'kind') === 'ConfigMap' &&
    stringAt(value, 'apiVersion') === 'v1' &&
    nameOf(value) === SCRIPT_CONFIG_MAP.name
  );
}

export function nameOf(object: Json): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}

/** The namespace that is written; undefined means that of the kubectl call. */
export function namespaceOf(object: Json): string | undefined {
  return stringAt(object, 'metadata', 'namespace');
}

/** `shop/web`, with the namespace that a Rollout gets when it has none. */
export function rolloutLabel(rollout: Json): string {
  return `${namespaceOf(rollout) ?? 'default'}/${nameOf(rollout)}`;
}

/** `VirtualService shop/web`, the namespace as far as it is written. */
export function objectLabel(object: Json): string {
  const namespace = namespaceOf(object);
  return `${stringAt(object, 'kind') ?? 'object'} ${namespace === undefined ? '' : `${namespace}/`}${nameOf(object)}`;
}

/**
 * A Rollout in the namespace of its object, when it has none of its own: files without a namespace go where those beside
 * them go, and scripts tell Services apart by their namespace.
 */
export function besideObject(rollout: Rollout, object: Json): Rollout {
  const namespace = namespaceOf(object);
  if (rollout.metadata.namespace !== undefined || namespace === undefined) return rollout;
  return { ...rollout, metadata: { ...rollout.metadata, namespace } };
}
