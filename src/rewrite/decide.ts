import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { isMap, type Json, type JsonMap } from '../json/value.ts';
import type { Storage } from './covers.ts';
import { type Declared, declaredOf, isBuiltIn, isNotUsers, type Scope, scopeOf, specWith } from './declared.ts';
import { isClaimed } from './evidence.ts';
import { CorruptOriginal, encodeOriginal } from './original.ts';
import { type Own, ownOf, sameDirectives } from './own-keys.ts';
import { attributeWrite, bestReading, type Reading, readingOf } from './reading.ts';
import { type ObjectName, objectName, RewriteFailed, type Rewriter } from './rewriter.ts';
import * as warning from './warnings.ts';

/** One write that the API server asks about, as an AdmissionReview describes it. */
export type Write = {
  readonly operation: 'CREATE' | 'UPDATE';
  /** `request.object`, defaulted by the API server, as it came out of the webhooks before us. */
  readonly incoming: JsonMap;
  /** `request.oldObject`; absent on CREATE. */
  readonly live?: JsonMap;
  /** True when the requester is Sluice's own controller: only it may change directives. */
  readonly byController: boolean;
  /** `request.options.fieldManager`. */
  readonly fieldManager?: string;
};

/** One operation of an RFC 6902 patch. Whole values are replaced: how finely is invisible outside. */
export type Operation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string };

/** What to answer. */
export type Verdict =
  | { readonly verdict: 'untouched'; readonly warnings: readonly string[] }
  | { readonly verdict: 'rewritten'; readonly operations: readonly Operation[]; readonly warnings: readonly string[] }
  | { readonly verdict: 'denied'; readonly message: string };

/** The API server's limit for the keys and values of all annotations of an object together, in bytes. */
const ANNOTATIONS_LIMIT = 256 * 1024;

/**
 * Decides a write on an object that takes part in a release, now or before (design §3): pure, the same answer on a dry
 * run, a retry, a reinvocation and on every replica, whatever `rewriter` remembers.
 *
 * ```
 *  incoming, live ──► whose annotations? ──► which reading explains it? ──► attribute edits ──► rewrite ──► answer
 *                     (put ours back)        (live's or incoming's           (new original)     (T(O', d))
 *                                             original and directives)
 * ```
 */
export function decide(write: Write, rewriter: Rewriter): Verdict {
  const { incoming, live, byController } = write;
  const own = { incoming: ownOf(incoming), live: ownOf(live) };
  const takesPart = own.incoming.directives.size > 0 || own.live.directives.size > 0;
  if (!takesPart || isDeleting(incoming)) return { verdict: 'untouched', warnings: [] };
  const scope = scopeOf(incoming);
  const sent = declaredOf(incoming, scope);
  const stored = live === undefined ? {} : declaredOf(live, scope);
  const sameUser = live !== undefined && equal(sent as Json, stored as Json);
  if (!byController && sameUser && sameOwn(own.incoming, own.live)) return { verdict: 'untouched', warnings: [] };
  const wanted = byController ? own.incoming.directives : own.live.directives;
  const situation: Situation = {
    write,
    own,
    wanted,
    scope,
    sent,
    stored,
    sameUser,
    object: objectName(incoming),
    storage: isBuiltIn(incoming) ? 'built-in' : 'custom',
  };
  try {
    return answer(situation, originalFor(situation, rewriter), rewriter);
  } catch (error) {
    if (error instanceof CorruptOriginal || error instanceof RewriteFailed || error instanceof Refused) {
      return { verdict: 'denied', message: error.message };
    }
    throw error;
  }
}

/** The hashes of all scripts that {@link decide} may ask for. */
export function scriptHashesOf(write: Write): string[] {
  const texts = [...ownOf(write.incoming).directives.values(), ...ownOf(write.live).directives.values()];
  const hashes = texts.flatMap((text) =>
    [...text.matchAll(/"hash":"([0-9a-f]{8,64})"/g)].map(([, hash]) => hash ?? ''),
  );
  return [...new Set(hashes)];
}

type Situation = {
  readonly write: Write;
  readonly own: { readonly incoming: Own; readonly live: Own };
  /** The directives that count: the controller's own request may change them, nobody else's. */
  readonly wanted: ReadonlyMap<string, string>;
  readonly scope: Scope;
  readonly sent: Declared;
  readonly stored: Declared;
  readonly sameUser: boolean;
  readonly object: ObjectName;
  readonly storage: Storage;
};

/** A write that cannot be carried out without losing something. */
class Refused extends Error {}

/** The user's original after this write. */
type Outcome =
  | { readonly type: 'original'; readonly declared: Declared; readonly warnings: readonly string[] }
  /** A directive without its original: it must not be captured again from a rewritten object. */
  | { readonly type: 'orphan' };

function originalFor(s: Situation, rewriter: Rewriter): Outcome {
  const { own, wanted, sent } = s;
  const liveRewrites = rewrites(own.live.directives);
  // An original without a directive is a leftover of another tool: nobody knows whether it is still true.
  if (!liveRewrites && own.live.original !== undefined && rewrites(wanted)) throw new Refused(warning.leftover());
  if (!liveRewrites && own.incoming.original === undefined) {
    if (continues(wanted)) return { type: 'orphan' };
    return { type: 'original', declared: sent, warnings: [] };
  }
  const readings = readingsOf(s, liveRewrites, rewriter);
  const reading = bestReading(readings, sent);
  if (reading === undefined) {
    return liveRewrites ? { type: 'orphan' } : { type: 'original', declared: sent, warnings: [] };
  }
  const { original, unkept } = attributeWrite(
    reading,
    sent,
    s.object,
    rewriter,
    { storage: s.storage, computedValues: s.object.kind === 'Deployment' ? 'keep for later' : 'put back' },
    {
      incoming: s.write.incoming,
      live: s.write.live,
      fieldManager: s.write.fieldManager,
      replaced: own.live.original !== undefined && own.incoming.original === undefined && s.write.live !== undefined,
    },
  );
  const warnings = unkept.length === 0 ? [] : [warning.unkept(unkept, wanted)];
  return { type: 'original', declared: original, warnings };
}

/**
 * How the write can be read. The annotations that come in describe what the writer saw when they differ from the live
 * ones: the second pass of a reinvocation, an exported object applied again, a restored backup. Otherwise (also for a
 * forged annotation, which describes nothing that was sent) the live ones do.
 */
function readingsOf(s: Situation, liveRewrites: boolean, rewriter: Rewriter): Reading[] {
  const { own, object, stored } = s;
  const live =
    liveRewrites && own.live.original !== undefined
      ? readingOf(object, decoded(own.live.original, s, rewriter), own.live.directives, stored, rewriter)
      : undefined;
  const incoming = incomingReading(s, live?.original, rewriter);
  if (incoming === undefined || live === undefined)
    return [incoming ?? live].filter((reading) => reading !== undefined);
  if (own.incoming.original === own.live.original) return [incoming, live];
  // An original that no client wrote is our own of the pass before, and says more than can be seen: the rewrite may
  // hide the edit that it holds. One that a client wrote is believed if it explains more than the live one.
  return isClaimed(ANNOTATIONS.original, s.write) ? [live, incoming] : [incoming];
}

function incomingReading(s: Situation, liveOriginal: Declared | undefined, rewriter: Rewriter): Reading | undefined {
  const { own, write, object, sent, sameUser } = s;
  const text = own.incoming.original;
  if (text === undefined || own.incoming.directives.size === 0) return undefined;
  const sameText = text === own.live.original;
  const sameView = sameDirectives(own.incoming.directives, own.live.directives);
  if (sameText && (sameUser || (sameView && !write.byController))) return undefined;
  let original: Declared;
  try {
    original = decoded(text, s, rewriter);
  } catch (error) {
    // What cannot be read describes nothing; with a good one at hand it is put back like any other foreign change.
    if (error instanceof CorruptOriginal && liveOriginal !== undefined) return undefined;
    throw error;
  }
  const sameOriginal = liveOriginal !== undefined && equal(original as Json, liveOriginal as Json);
  if (sameOriginal && sameUser) return undefined;
  const reading = readingOf(object, original, own.incoming.directives, sent, rewriter);
  // A view that cannot be computed explains nothing: only an object that somebody else saved is believed unseen.
  const believed = reading.sourceOf !== undefined || liveOriginal === undefined || !(sameOriginal || sameUser);
  return believed ? reading : undefined;
}

function decoded(text: string, { object }: Situation, rewriter: Rewriter): Declared {
  const { declared, apiVersion } = rewriter.original(text);
  if (apiVersion !== undefined && apiVersion !== object.apiVersion) {
    throw new Refused(warning.otherVersion(apiVersion, object.apiVersion));
  }
  return declared;
}

function answer(s: Situation, outcome: Outcome, rewriter: Rewriter): Verdict {
  const notes = [...putBackWarnings(s)];
  if (outcome.type === 'orphan') {
    return verdictOf(s, s.sent, undefined, [...notes, warning.orphan(s.wanted)]);
  }
  notes.push(...outcome.warnings);
  if (!rewrites(s.wanted)) return verdictOf(s, outcome.declared, undefined, notes);
  const original = rewriter.interned(outcome.declared, s.object.apiVersion);
  const rewritten = rewrittenOrStored(s, original, rewriter);
  notes.push(...rewritten.warnings);
  return verdictOf(s, rewritten.declared, originalText(s, original, rewriter), notes);
}

/** Runs the rewrite. Taking a directive away never fails, and a write that changes nothing of ours is not denied. */
function rewrittenOrStored(
  s: Situation,
  original: Declared,
  rewriter: Rewriter,
): { declared: Declared; warnings: readonly string[] } {
  const onFailure = onlyRemoves(s) ? 'skip' : 'throw';
  try {
    const { declared, failures } = rewriter.rewrite(s.object, original, s.wanted, onFailure);
    return { declared, warnings: failures.map(warning.skipped) };
  } catch (error) {
    const causedNothing = s.sameUser && sameDirectives(s.wanted, s.own.live.directives);
    if (!(error instanceof RewriteFailed) || !causedNothing) throw error;
    return { declared: s.stored, warnings: [warning.skipped(error)] };
  }
}

function onlyRemoves({ write, wanted, own }: Situation): boolean {
  const live = own.live.directives;
  return write.byController && wanted.size < live.size && [...wanted].every(([key, text]) => live.get(key) === text);
}

/** The bytes that are there stay when they mean the same: compressors differ from machine to machine. */
function originalText(s: Situation, original: Declared, rewriter: Rewriter): string {
  for (const text of [s.own.incoming.original, s.own.live.original]) {
    if (text !== undefined && isSameOriginal(text, original, s.object.apiVersion, rewriter)) return text;
  }
  return encodeOriginal(original, s.object.apiVersion);
}

function isSameOriginal(text: string, original: Declared, apiVersion: string, rewriter: Rewriter): boolean {
  try {
    const known = rewriter.original(text);
    return known.apiVersion === apiVersion && equal(known.declared as Json, original as Json);
  } catch (error) {
    if (error instanceof CorruptOriginal) return false;
    throw error;
  }
}

function* putBackWarnings({ write, own, wanted }: Situation): Generator<string> {
  if (write.byController || write.operation === 'CREATE') return;
  const sameOriginal = own.incoming.original === own.live.original;
  if (!sameOriginal || !sameDirectives(own.incoming.directives, wanted)) yield warning.putBack(own, wanted);
}

function verdictOf(
  s: Situation,
  declared: Declared,
  original: string | undefined,
  warnings: readonly string[],
): Verdict {
  const { incoming } = s.write;
  const metadata = isMap(incoming['metadata']) ? incoming['metadata'] : {};
  // Without a rewrite before and after, an original is another tool's and stays; after a restore it goes.
  const restored = !rewrites(s.wanted) && rewrites(s.own.live.directives);
  const keptOriginal = original ?? (restored ? undefined : s.own.live.original);
  const annotations: { [key: string]: Json } = {
    ...notUsers(metadata['annotations'], s.scope),
    ...(s.scope.metadata ? declared.annotations : {}),
    ...Object.fromEntries(s.wanted),
    ...(keptOriginal === undefined ? {} : { [ANNOTATIONS.original]: keptOriginal }),
  };
  const size = annotationsSize(annotations);
  if (size > ANNOTATIONS_LIMIT) throw new Refused(warning.tooLarge(size, ANNOTATIONS_LIMIT));
  const operations = [
    operation('/spec', incoming['spec'], specWith(incoming['spec'], declared, s.scope)),
    ...(s.scope.metadata
      ? [
          operation('/metadata/labels', metadata['labels'], {
            ...notUsers(metadata['labels'], s.scope),
            ...declared.labels,
          }),
        ]
      : []),
    operation('/metadata/annotations', metadata['annotations'], annotations),
  ].flat();
  return operations.length === 0 ? { verdict: 'untouched', warnings } : { verdict: 'rewritten', operations, warnings };
}

/** Entries that no rewrite touches: Sluice's bookkeeping and kubectl's, and in kinds of a narrow scope the user's too. */
function notUsers(map: Json | undefined, scope: Scope): JsonMap {
  const entries = Object.entries(isMap(map) ? map : {});
  return Object.fromEntries(entries.filter(([key]) => (isNotUsers(key) ? !isProtected(key) : !scope.metadata)));
}

function isProtected(key: string): boolean {
  return key === ANNOTATIONS.original || key.startsWith(DIRECTIVE_PREFIX);
}

function operation(path: string, before: Json | undefined, after: Json | undefined): Operation[] {
  const value = isMap(after) && Object.keys(after).length === 0 && path !== '/spec' ? undefined : after;
  if (equal(before, value)) return [];
  if (value === undefined) return before === undefined ? [] : [{ op: 'remove', path }];
  return [{ op: before === undefined ? 'add' : 'replace', path, value }];
}

function annotationsSize(annotations: JsonMap): number {
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    size += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0);
  }
  return size;
}

function isDeleting(object: JsonMap): boolean {
  const metadata = object['metadata'];
  return isMap(metadata) && typeof metadata['deletionTimestamp'] === 'string';
}

function sameOwn(a: Own, b: Own): boolean {
  return a.original === b.original && sameDirectives(a.directives, b.directives);
}

/** True when one of the directives does more than arm the object for the next release. */
function rewrites(directives: ReadonlyMap<string, string>): boolean {
  for (const text of directives.values()) if (!text.includes('"action":{"type":"armed"}')) return true;
  return false;
}

/** True when a directive says that its object has an original: one must not be captured from a rewritten object. */
function continues(directives: ReadonlyMap<string, string>): boolean {
  for (const text of directives.values()) if (text.includes('"continues":true')) return true;
  return false;
}
