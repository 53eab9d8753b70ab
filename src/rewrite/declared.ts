import { ANNOTATIONS } from '../api/names.ts';
import { isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { isOwnKey } from './own-keys.ts';

/**
 * What the user declared of an object, as far as a rewrite may change it: `spec`, labels and annotations without
 * Sluice's own keys and without kubectl's last-applied text. A part that is absent or empty is left out.
 */
export type Declared = { readonly spec?: Json; readonly labels?: JsonMap; readonly annotations?: JsonMap };

/** Which parts of an object a rewrite of its kind works on. */
export type Scope = { readonly specKeys: readonly string[] | 'all'; readonly metadata: boolean };

const WHOLE: Scope = { specKeys: 'all', metadata: true };
const SERVICE: Scope = { specKeys: ['selector'], metadata: false };
const DEPLOYMENT: Scope = {
  specKeys: ['paused', 'strategy', 'minReadySeconds', 'progressDeadlineSeconds', 'revisionHistoryLimit'],
  metadata: false,
};

/**
 * The scope of a kind: for Services and workloads only the fields that Sluice controls are saved and restored, so that
 * every other field stays out of its hands; gateway objects are taken whole.
 */
export function scopeOf(object: JsonMap): Scope {
  const apiVersion = stringAt(object, 'apiVersion') ?? '';
  const kind = stringAt(object, 'kind');
  if (apiVersion === 'v1' && kind === 'Service') return SERVICE;
  return isWorkload(object) ? DEPLOYMENT : WHOLE;
}

/** True for kinds that are held when their pod template changes. */
export function isWorkload(object: JsonMap): boolean {
  return object['kind'] === 'Deployment' && (stringAt(object, 'apiVersion') ?? '').startsWith('apps/');
}

/**
 * True for kinds that are compiled into the API server, which does not store their empty fields. Dotted groups are
 * custom resources; of the built-in ones only `networking.k8s.io` has kinds that are rewritten.
 */
export function isBuiltIn(object: JsonMap): boolean {
  const [group = '', version] = (stringAt(object, 'apiVersion') ?? '').split('/');
  return version === undefined || !group.includes('.') || group === 'networking.k8s.io';
}

/** Takes the declared part out of an object. */
export function declaredOf(object: JsonMap, scope: Scope): Declared {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  const spec = inScope(object['spec'], scope);
  const labels = scope.metadata ? userEntries(metadata['labels']) : undefined;
  const annotations = scope.metadata ? userEntries(metadata['annotations']) : undefined;
  return {
    ...(spec === undefined ? {} : { spec }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** The object's spec with the declared values in the places of the scope; the rest as `spec` has it. */
export function specWith(spec: Json | undefined, declared: Declared, scope: Scope): Json | undefined {
  if (scope.specKeys === 'all') return declared.spec;
  const controlled = isMap(declared.spec) ? declared.spec : {};
  const result: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(isMap(spec) ? spec : {})) {
    if (!scope.specKeys.includes(key)) result[key] = value;
    else if (controlled[key] !== undefined) result[key] = controlled[key];
  }
  for (const [key, value] of Object.entries(controlled)) result[key] = value;
  return result;
}

/** Labels or annotations that are not the user's: ours, and kubectl's last-applied text. */
export function isNotUsers(key: string): boolean {
  return key === ANNOTATIONS.lastApplied || isOwnKey(key);
}

/** Removes from a stored original what is not the user's: originals written by Kruise hold the last-applied text. */
export function withoutForeignKeys(declared: Declared): Declared {
  const { spec, labels, annotations } = declared;
  return {
    ...(spec === undefined ? {} : { spec }),
    ...optional('labels', userEntries(labels)),
    ...optional('annotations', userEntries(annotations)),
  };
}

function optional<K extends string>(key: K, value: JsonMap | undefined): { [P in K]?: JsonMap } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: JsonMap });
}

function inScope(spec: Json | undefined, scope: Scope): Json | undefined {
  if (scope.specKeys === 'all' || !isMap(spec)) return spec;
  const picked = Object.fromEntries(Object.entries(spec).filter(([key]) => scope.specKeys.includes(key)));
  return picked;
}

/** The user's entries of a label or annotation map; the very same map when nothing had to be taken out. */
function userEntries(map: Json | undefined): JsonMap | undefined {
  if (!isMap(map)) return undefined;
  const keys = Object.keys(map);
  const users = keys.filter((key) => !isNotUsers(key));
  if (users.length === 0) return undefined;
  if (users.length === keys.length) return map;
  return Object.fromEntries(users.map((key) => [key, map[key] as Json]));
}
