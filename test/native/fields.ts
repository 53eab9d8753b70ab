import { canonicalJson } from '../../src/json/text.ts';
import { at, isList, isMap, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';

/** The label that tells the pods of one ReplicaSet of a Deployment from those of another. */
export const TEMPLATE_HASH = 'pod-template-hash';

/** A number in an object; `fallback` where there is none: the API leaves zeros out. */
export function numberAt(value: Json | undefined, fallback: number, ...path: readonly string[]): number {
  const found = at(value, path);
  return typeof found === 'number' ? found : fallback;
}

/** A map in an object, empty where there is none. */
export function mapAt(value: Json | undefined, ...path: readonly string[]): JsonMap {
  const found = at(value, path);
  return isMap(found) ? found : {};
}

/** A list in an object, empty where there is none. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = at(value, path);
  return isList(found) ? found : [];
}

export function nameAndNamespace(object: JsonMap): { readonly namespace: string; readonly name: string } {
  const metadata = metadataOf(object);
  return { namespace: textIn(metadata, 'namespace'), name: textIn(metadata, 'name') };
}

export function annotation(object: JsonMap, key: string): string | undefined {
  return stringAt(object, 'metadata', 'annotations', key);
}

/** The object with these members in place of its own of the same names; undefined takes one out. */
export function withMembers(map: JsonMap, members: { readonly [key: string]: Json | undefined }): JsonMap {
  const result: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(map)) if (!Object.hasOwn(members, key)) result[key] = value;
  for (const [key, value] of Object.entries(members)) if (value !== undefined) result[key] = value;
  return result;
}

export function withMetadata(object: JsonMap, members: { readonly [key: string]: Json | undefined }): JsonMap {
  return { ...object, metadata: withMembers(metadataOf(object), members) };
}

const NOTHING: JsonMap = {};

/** Every write looks at metadata many times: without the checks that values of unknown make need. */
export function metadataOf(object: JsonMap | undefined): JsonMap {
  return (object?.['metadata'] as JsonMap | undefined) ?? NOTHING;
}

export function uidOf(object: JsonMap | undefined): string {
  return textIn(metadataOf(object), 'uid');
}

export function isTerminating(object: JsonMap): boolean {
  return metadataOf(object)['deletionTimestamp'] !== undefined;
}

function textIn(map: JsonMap, key: string): string {
  const value = map[key];
  return typeof value === 'string' ? value : '';
}

/** `matchLabels` of a LabelSelector, or a Service's selector: an empty one selects nothing here. */
export function selects(selector: JsonMap, labels: JsonMap): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** The uid of the controller in `metadata.ownerReferences`. */
export function controllerOf(object: JsonMap): string | undefined {
  return ownersOf(object).find(({ controller }) => controller === true)?.uid;
}

type OwnerReference = { readonly uid: string; readonly controller?: boolean };

const NOBODY: readonly OwnerReference[] = [];

/** `metadata.ownerReferences`. */
export function ownersOf(object: JsonMap | undefined): readonly OwnerReference[] {
  return (metadataOf(object)['ownerReferences'] as readonly OwnerReference[] | undefined) ?? NOBODY;
}

/** The reference to an object that controls another: `blockOwnerDeletion` makes foreground deletion wait. */
export function controllerReference(owner: JsonMap): JsonMap {
  return {
    apiVersion: owner['apiVersion'] ?? '',
    kind: owner['kind'] ?? '',
    name: nameAndNamespace(owner).name,
    uid: uidOf(owner),
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The API writes times with seconds: what happened within one has the same time. */
export function timestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

const texts = new WeakMap<JsonMap, string>();

/** One text for pod templates that mean the same: `pod-template-hash` and what is empty do not count. */
export function templateText(template: Json | undefined): string {
  const map = isMap(template) ? template : {};
  const known = texts.get(map);
  if (known !== undefined) return known;
  const labels = withMembers(mapAt(map, 'metadata', 'labels'), { [TEMPLATE_HASH]: undefined });
  const text = canonicalJson(filled(withMembers(map, { metadata: { ...mapAt(map, 'metadata'), labels } })) ?? {});
  texts.set(map, text);
  return text;
}

/** `equality.Semantic` of apimachinery: an empty list or map is an absent one. */
function filled(value: Json): Json | undefined {
  if (value === null) return undefined;
  if (isList(value)) return value.length === 0 ? undefined : value.map((each) => filled(each) ?? {});
  if (!isMap(value)) return value;
  const members = Object.entries(value).flatMap(([key, inner]) => {
    const kept = filled(inner);
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** Letters and digits that names made by Kubernetes are written in (apimachinery, util/rand). */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a of the text in 32 bits, written as Kubernetes writes hashes in names. */
export function nameHash(text: string): string {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return [...String(hash)].map((digit) => NAME_LETTERS[digit.charCodeAt(0) % NAME_LETTERS.length]).join('');
}

/** Five letters for a number below 27⁵, each number its own. */
export function nameSuffix(number: number): string {
  const base = NAME_LETTERS.length;
  return Array.from({ length: 5 }, (_, i) => NAME_LETTERS[Math.floor(number / base ** (4 - i)) % base]).join('');
}
