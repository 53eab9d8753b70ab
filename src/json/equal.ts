import { isList, type Json, type JsonList } from './value.ts';

/**
 * Deep equality of JSON values: key order does not matter, an absent key differs from null, `-0` equals `0` (both are
 * written `0`). Identical references are equal without being walked.
 */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a)) return isList(b) && equalLists(a, b);
  return !isList(b) && equalMembers(a as Members, b as Members); // maps or exact numbers
}

function equalLists(a: JsonList, b: JsonList): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!equal(a[i], b[i])) return false;
  return true;
}

/** What maps and exact numbers have in common: an exact number has the one member `rawJSON`. */
type Members = { readonly [key: string]: Json };

/** Most pairs have their keys in the same order, which saves looking each one up. */
function equalMembers(a: Members, b: Members): boolean {
  const keys = Object.keys(a);
  const others = Object.keys(b);
  if (keys.length !== others.length) return false;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? '';
    if (key !== others[i] && !Object.hasOwn(b, key)) return false;
    if (!equal(a[key], b[key])) return false;
  }
  return keys.length !== 1 || keys[0] !== 'rawJSON' || JSON.isRawJSON(a) === JSON.isRawJSON(b);
}
