import { ANNOTATIONS } from '../api/names.ts';
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
