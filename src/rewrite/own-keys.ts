import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../api/names.ts';
import { isMap, type JsonMap } from '../json/value.ts';

const OWN_DOMAIN = /^(?:[^/]+\.)?(?:sluice\.dev|rollouts\.kruise\.io)\//;

/** True for a label or annotation key under `sluice.dev` or `rollouts.kruise.io`, subdomains included. */
export function isOwnKey(key: string): boolean {
  return OWN_DOMAIN.test(key);
}

/** What Sluice itself keeps on an object: the directives by key, in order of their keys, and the original. */
export type Own = { readonly directives: ReadonlyMap<string, string>; readonly original: string | undefined };

const NOTHING: Own = { directives: new Map(), original: undefined };

/** Reads Sluice's protected annotations; an object without any gives an empty answer. */
export function ownOf(object: JsonMap | undefined): Own {
  const metadata = object?.['metadata'];
  const annotations = isMap(metadata) ? metadata['annotations'] : undefined;
  if (!isMap(annotations)) return NOTHING;
  const keys = Object.keys(annotations).filter((key) => key.startsWith(DIRECTIVE_PREFIX));
  const directives = new Map<string, string>();
  for (const key of keys.sort()) {
    const text = annotations[key];
    if (typeof text === 'string') directives.set(key, text);
  }
  const original = annotations[ANNOTATIONS.original];
  return { directives, original: typeof original === 'string' ? original : undefined };
}

/** True when both name the same directives with the same text. */
export function sameDirectives(a: Own['directives'], b: Own['directives']): boolean {
  if (a.size !== b.size) return false;
  for (const [key, text] of a) if (b.get(key) !== text) return false;
  return true;
}
