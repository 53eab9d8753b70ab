import { isList, isMap, type Json } from './value.ts';

/**
 * Deep equality of JSON values: key order does not matter, an absent key differs from null, `-0` equals `0` (both are
 * written `0`). Identical references are equal without being walked.
 */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (isList(b)) return false;
  if (!isMap(a) || !isMap(b)) return JSON.isRawJSON(a) && JSON.isRawJSON(b) && a.rawJSON === b.rawJSON;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(b, key) || !equal(a[key], b[key])) return false;
  }
  return true;
}
