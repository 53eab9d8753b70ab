import { equal } from '../../../src/json/equal.ts';
import { type JsonMap, member } from '../../../src/json/value.ts';
import { loadLibrary } from '../../../src/lua/library.ts';
import type { Script } from '../../../src/lua/script.ts';
import { declaredOf, scopeOf, specWith } from '../../../src/rewrite/declared.ts';
import { ownOf } from '../../../src/rewrite/own-keys.ts';
import { createRewriter, objectName, type Rewriter } from '../../../src/rewrite/rewriter.ts';

/** The rewrite as the webhook carries it out, with the shipped scripts and those given. */
export function shippedRewriter(...more: readonly Script[]): Rewriter {
  const scripts = new Map([...loadLibrary().scripts.values(), ...more].map((script) => [script.hash, script]));
  return createRewriter((hash) => scripts.get(hash), 0);
}

const rewriter = shippedRewriter();

/** What the directives of an object in a release make of its twin, as far as users see it. */
export function rewrittenTwin(live: JsonMap, twin: JsonMap): JsonMap {
  const { directives } = ownOf(live);
  if (directives.size === 0) throw new Error('there is no directive');
  const scope = scopeOf(twin);
  const { declared } = rewriter.rewrite(objectName(live), declaredOf(twin, scope), directives, 'throw');
  const { labels = {}, annotations = {} } = declared;
  return {
    spec: specWith(twin['spec'], declared, scope) ?? null,
    metadata: scope.metadata ? { labels, annotations } : (twin['metadata'] ?? {}),
  };
}

/** Whether two states of an object differ in what Sluice keeps of the user's own. */
export function keepsOther(before: JsonMap, after: JsonMap): boolean {
  return !equal(ownOf(before).original ?? null, ownOf(after).original ?? null);
}

/** Sluice's annotations on an object. */
export function ownAnnotations(object: JsonMap): JsonMap {
  const annotations = (member(object['metadata'], 'annotations') ?? {}) as JsonMap;
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => /sluice\.dev|kruise\.io/.test(key)));
}
