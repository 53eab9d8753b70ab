import { equal } from '../json/equal.ts';
import { isList, isMap, type Json, type JsonMap, member } from '../json/value.ts';

/** How values of a kind are stored: `built-in` kinds lose the empty fields that a rewrite writes. */
export type Storage = 'built-in' | 'custom';

/**
 * True when `stored` is what the API server makes of `computed`: equal, but that built-in kinds lack the empty fields
 * (`[]`, `{}`, `""`: Go's `omitempty`). It goes one way only: an empty value that somebody sends is an edit.
 */
export function isStored(computed: Json | undefined, stored: Json | undefined, storage: Storage): boolean {
  if (storage === 'custom' || computed === undefined) return equal(computed, stored);
  if (stored === undefined) return isEmpty(computed);
  if (isList(computed)) {
    return (
      isList(stored) && computed.length === stored.length && computed.every((c, i) => isStored(c, stored[i], storage))
    );
  }
  if (!isMap(computed) || !isMap(stored)) return equal(computed, stored);
  return keysOf(computed, stored).every((key) => isStored(member(computed, key), member(stored, key), storage));
}

/**
 * True when what was `sent` is all in effect in what was `computed` of it: {@link isStored}, or keys are missing that the
 * `live` object lacks as well, because the schema does not know what a script wrote (pruned). Keys that only `sent` has
 * are a difference: nobody could tell a default from an edit. Scripts therefore write out what the server would default.
 */
export function covers(
  computed: Json | undefined,
  sent: Json | undefined,
  live: Json | undefined,
  storage: Storage,
): boolean {
  if (isStored(computed, sent, storage)) return true;
  if (isList(computed) && isList(sent)) {
    const others = isList(live) && live.length === sent.length ? live : [];
    return sent.length === computed.length && computed.every((c, i) => covers(c, sent[i], others[i], storage));
  }
  if (!isMap(computed) || !isMap(sent)) return false;
  return keysOf(computed, sent).every((key) => {
    const [made, found, stored] = [member(computed, key), member(sent, key), member(live, key)];
    if (found === undefined && stored === undefined && isMap(live)) return true;
    return covers(made, found, stored, storage);
  });
}

function isEmpty(value: Json): boolean {
  if (value === '') return true;
  if (isList(value)) return value.length === 0;
  return isMap(value) && Object.values(value).every(isEmpty);
}

function keysOf(a: JsonMap, b: JsonMap): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}
