import { equal } from '../json/equal.ts';
import { at, isList, isMap, type Json, type JsonMap } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { type Client, type KubeObject, nameOf, resourceVersionOf } from '../kube/client.ts';
import type { Resource } from '../kube/resource.ts';

export const FIELD_MANAGER = 'sluice-controller';

/** One object of which we own a part. */
export type Intent = {
  readonly resource: Resource;
  /** What is applied: nothing but our part. */
  readonly object: JsonMap;
  /** The part that is ours to the last key. */
  readonly exact: readonly string[];
};

/** Whether an object is as intended: the exact part is equal, and whatever else is intended is there. */
export function isAsIntended(live: Json | undefined, { object, exact }: Intent): boolean {
  if (live === undefined || !equal(partAt(live, exact), partAt(object, exact))) return false;
  return has(at(live, ['metadata']), at(object, ['metadata']) ?? {});
}

/** An API server leaves an empty list out. */
function partAt(object: Json, path: readonly string[]): Json | undefined {
  const value = at(object, path);
  return isList(value) && value.length === 0 ? undefined : value;
}

/** Everything in `part` is in `whole`; lists hold at least the same elements. */
function has(whole: Json | undefined, part: Json): boolean {
  if (isList(part)) return isList(whole) && part.every((item) => whole.some((other) => has(other, item)));
  if (!isMap(part)) return equal(whole, part);
  return Object.entries(part).every(([key, value]) => has(isMap(whole) ? whole[key] : undefined, value));
}

/**
 * Makes an object as intended: by server-side apply, so that the API server knows which fields are ours. What others
 * added inside our parts stays through an apply (it has another owner), and may even make it invalid; then, and only
 * then, a patch takes it away.
 *
 * @param version the resourceVersion that the intent was computed from, empty where there was no object. A process that
 *   was stopped between its plan and this write, while another one led, is refused by it.
 * @returns the object as it is stored now
 * @throws ApiError, a conflict where the object has changed since
 */
export async function bringAbout(
  client: Pick<Client, 'get' | 'patch'>,
  intent: Intent,
  version = '',
): Promise<KubeObject> {
  const { resource, object } = intent;
  const name = nameOf(object);
  const applied = await client
    .patch(resource, name, 'apply', basedOn(object, version), { fieldManager: FIELD_MANAGER, force: true })
    .catch((error: unknown) => {
      if (outcomeOf(error) === 'refused') return error;
      throw error;
    });
  if (isMap(applied) && isAsIntended(applied, intent)) return applied;
  const live = await client.get(resource, name).catch((error: unknown) => {
    // The refusal says why it cannot be created.
    throw applied instanceof Error && outcomeOf(error) === 'gone' ? applied : error;
  });
  const patch = { ...mergePatch(live, intent), metadata: metadataPatch(live, object) };
  return client.patch(resource, name, 'merge', patch, { fieldManager: FIELD_MANAGER });
}

function basedOn(object: JsonMap, version: string): JsonMap {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  return version === '' ? object : { ...object, metadata: { ...metadata, resourceVersion: version } };
}

function metadataPatch(live: Json, object: JsonMap): JsonMap {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  const { name: _, namespace: __, ...rest } = metadata;
  return { ...rest, resourceVersion: resourceVersionOf(live) };
}

/** RFC 7386: what makes the exact part of `live` equal to that of the intended object. */
function mergePatch(live: Json, { object, exact }: Intent): JsonMap {
  const value = toMake(at(live, exact), at(object, exact) ?? null);
  return exact.reduceRight<Json>((inner, key) => ({ [key]: inner }), value) as JsonMap; // a path has a key at least
}

/** Members that are not wanted are taken away by null; lists and scalars are replaced. */
function toMake(from: Json | undefined, to: Json): Json {
  if (!isMap(from) || !isMap(to)) return to;
  const gone = Object.keys(from).filter((key) => !Object.hasOwn(to, key));
  return {
    ...Object.fromEntries(gone.map((key) => [key, null])),
    ...Object.fromEntries(Object.entries(to).map(([key, value]) => [key, toMake(from[key], value)])),
  };
}
