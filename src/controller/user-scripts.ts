import { ANNOTATIONS, SCRIPT_CONFIG_MAP } from '../api/names.ts';
import { isMap, type JsonMap, member, stringAt } from '../json/value.ts';
import type { UserScripts } from '../lua/library.ts';

/** The ConfigMap of the user's scripts as it is kept in memory. */
export type ScriptConfigMap = { readonly uid: string; readonly resourceVersion: string; readonly user: UserScripts };

/** Reads the ConfigMap as it arrives. */
export function scriptConfigMap(object: JsonMap): ScriptConfigMap {
  const data = member(object, 'data');
  const texts = Object.entries(isMap(data) ? data : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const override = stringAt(object, 'metadata', 'annotations', ANNOTATIONS.override) === 'true';
  return {
    uid: stringAt(object, 'metadata', 'uid') ?? '',
    resourceVersion: stringAt(object, 'metadata', 'resourceVersion') ?? '',
    user: { data: Object.fromEntries(texts), override },
  };
}

/** What errors call the script under this key: `ingress/<class>`, `<group>/<Kind>`; undefined for a key of something else. */
export function scriptName(key: string): string | undefined {
  const { ingressPrefix, customPrefix } = SCRIPT_CONFIG_MAP;
  if (key.startsWith(ingressPrefix)) return `ingress/${key.slice(ingressPrefix.length)}`;
  const [, kind, group] =
    /^([^.]+)\.(.+)$/.exec(key.startsWith(customPrefix) ? key.slice(customPrefix.length) : '') ?? [];
  return kind === undefined || group === undefined ? undefined : `${group}/${kind}`;
}
