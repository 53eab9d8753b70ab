import { isList, isMap, type Json, type JsonMap } from '../../src/json/value.ts';

/** A set of owned fields as `fieldsV1` writes it: maps go down, scalars and lists are leaves (atomic, as in a CRD). */
export type Fields = { [key: string]: Fields };

/** Parts of a kind's schema that the API server needs: maps that are owned as a whole, and what it fills in. */
export type Schema = { readonly atomicMaps: readonly string[]; readonly defaulted?: (object: JsonMap) => JsonMap };

/** The fields that a configuration mentions; identity (`apiVersion`, `kind`, name, namespace) is never owned. */
export function fieldsOf(value: Json, schema: Schema, path = ''): Fields {
  if (!isMap(value) || schema.atomicMaps.includes(path)) return {};
  const fields: Fields = {};
  for (const [key, entry] of Object.entries(value)) {
    const here = path === '' ? key : `${path}.${key}`;
    if (isIdentity(here)) continue;
    const inner = fieldsOf(entry, schema, here);
    if (here === 'metadata' && Object.keys(inner).length === 0) continue;
    fields[`f:${key}`] = inner;
  }
  return fields;
}

function isIdentity(path: string): boolean {
  return /^(apiVersion|kind|status|metadata\.(name|namespace|uid|resourceVersion|managedFields|creationTimestamp))$/.test(
    path,
  );
}

/** Every leaf as a path of keys. */
export function leafPaths(fields: Fields, path: readonly string[] = []): string[][] {
  const keys = Object.keys(fields);
  if (keys.length === 0) return path.length === 0 ? [] : [[...path]];
  return keys.flatMap((key) => leafPaths(fields[key] ?? {}, [...path, key.slice(2)]));
}

export function fromPaths(paths: readonly (readonly string[])[]): Fields {
  const fields: Fields = {};
  for (const path of paths) {
    let here = fields;
    for (const key of path) {
      const next: Fields = here[`f:${key}`] ?? {};
      here[`f:${key}`] = next;
      here = next;
    }
  }
  return fields;
}

export function hasPath(paths: readonly (readonly string[])[], path: readonly string[]): boolean {
  return paths.some((other) => other.length === path.length && other.every((key, i) => key === path[i]));
}

/** True when one of the paths is the path or lies below it: an empty map that has got entries is still there. */
export function covers(paths: readonly (readonly string[])[], path: readonly string[]): boolean {
  return paths.some((other) => path.every((key, i) => key === other[i]));
}

/** A copy of the map with the value at the path set, or taken out when it is undefined (empty maps stay). */
export function withPath(map: JsonMap, [key, ...rest]: readonly string[], value: Json | undefined): JsonMap {
  if (key === undefined) return map;
  const { [key]: old, ...others } = map;
  if (rest.length === 0) return value === undefined ? others : { ...map, [key]: value };
  const inner = withPath(isMap(old) ? old : {}, rest, value);
  return value === undefined && !isMap(old) ? map : { ...map, [key]: inner };
}

/** Leaves in which two objects differ, lists and atomic maps compared as a whole. */
export function changedPaths(before: JsonMap, after: JsonMap, schema: Schema): string[][] {
  const all = [...leafPaths(fieldsOf(before, schema)), ...leafPaths(fieldsOf(after, schema))];
  const unique = new Map(all.map((path) => [JSON.stringify(path), path]));
  return [...unique.values()].filter((path) => text(valueAt(before, path)) !== text(valueAt(after, path)));
}

export function valueAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  let here = value;
  for (const key of path) here = isMap(here) && Object.hasOwn(here, key) ? here[key] : undefined;
  return here;
}

function text(value: Json | undefined): string {
  return value === undefined ? 'absent' : isList(value) || isMap(value) ? JSON.stringify(value) : JSON.stringify(value);
}
