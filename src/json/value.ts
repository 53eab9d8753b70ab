/**
 * A JSON value as Sluice holds it in memory: what `JSON.parse` gives, except that a number which a double cannot hold
 * exactly is kept as a {@link ExactNumber}. Values are never changed in place once they are shared: a change makes a
 * new value that shares what stayed the same, so identity (`===`) means "untouched" everywhere in the core.
 */
export type Json = null | boolean | number | string | ExactNumber | JsonList | JsonMap;
export type JsonList = readonly Json[];
export type JsonMap = { readonly [key: string]: Json };

/**
 * A number whose source text says more than a double can hold (an integer beyond 2^53, say): the object that
 * `JSON.rawJSON` makes. `JSON.stringify` writes its text back digit by digit.
 */
export interface ExactNumber {
  readonly rawJSON: string;
}

declare global {
  interface JSON {
    rawJSON(text: string): ExactNumber;
    isRawJSON(value: unknown): value is ExactNumber;
  }
}

/** True for an object with keys; false for lists, null and {@link ExactNumber}. */
export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** True for a JSON list. (`Array.isArray` alone does not narrow a readonly array.) */
export function isList(value: unknown): value is JsonList {
  return Array.isArray(value);
}

/** True for null, booleans, strings and numbers of both sorts. */
export function isScalar(value: Json): value is null | boolean | number | string | ExactNumber {
  return typeof value !== 'object' || value === null || JSON.isRawJSON(value);
}

/** The member of a map, or undefined when `value` is no map or has no such own key (`__proto__` included). */
export function member(value: Json | undefined, key: string): Json | undefined {
  return isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Follows a path of keys and indexes down; undefined where it leads nowhere. */
export function at(value: Json | undefined, path: readonly (string | number)[]): Json | undefined {
  let here: Json | undefined = value;
  for (const step of path) {
    here = isList(here) ? here[Number(step)] : member(here, String(step));
    if (here === undefined) return undefined;
  }
  return here;
}

/** A map's value as a string, or undefined when it is absent or something else. */
export function stringAt(value: Json | undefined, ...path: (string | number)[]): string | undefined {
  const found = at(value, path);
  return typeof found === 'string' ? found : undefined;
}
