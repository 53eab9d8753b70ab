import { equal } from '../json/equal.ts';
import { isList, isMap, type Json } from '../json/value.ts';

/** How values of a kind are compared: `built-in` kinds lose their empty fields when the API server stores them. */
export type Storage = 'built-in' | 'custom';

/**
 * True when both are the same value to the API server: for built-in kinds an absent field, `[]`, `{}` and `""` are one
 * (Go's `omitempty`); custom resources are stored as they are written.
 */
export function same(a: Json | undefined, b: Json | undefined, storage: Storage): boolean {
  if (storage === 'custom') return equal(a, b);
  if (a === b || (isEmpty(a, storage) && isEmpty(b, storage))) return true;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, i) => same(item, b[i], storage));
  if (isMap(a)) return isMap(b) && allKeys(a, b).every((key) => same(a[key], b[key], storage));
  return isExactEqual(a, b);
}

/**
 * True when `stored` can be what the API server made of `computed`: the {@link same}, or keys of `computed` are missing
 * because the schema does not know them (pruned). Keys that only `stored` has are a difference: nobody could tell a
 * default from an edit, and edits must not be lost. Scripts therefore write out what the server would default.
 */
export function covers(computed: Json | undefined, stored: Json | undefined, storage: Storage): boolean {
  if (stored === undefined || same(computed, stored, storage)) return true;
  if (isList(computed)) {
    return (
      isList(stored) && stored.length === computed.length && computed.every((c, i) => covers(c, stored[i], storage))
    );
  }
  if (!isMap(computed) || !isMap(stored)) return false;
  return allKeys(computed, stored).every((key) => covers(computed[key], stored[key], storage));
}

function isEmpty(value: Json | undefined, storage: Storage): boolean {
  if (value === undefined || value === '') return true;
  if (isList(value)) return value.length === 0;
  return isMap(value) && Object.values(value).every((entry) => isEmpty(entry, storage));
}

function allKeys(a: { readonly [key: string]: Json }, b: { readonly [key: string]: Json }): string[] {
  const keys = Object.keys(a);
  for (const key of Object.keys(b)) if (!Object.hasOwn(a, key)) keys.push(key);
  return keys;
}

function isExactEqual(a: Json | undefined, b: Json | undefined): boolean {
  return JSON.isRawJSON(a) && JSON.isRawJSON(b) && a.rawJSON === b.rawJSON;
}
