import { ANNOTATIONS } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { at, type Json, type JsonMap, stringAt } from '../json/value.ts';
import type { Path } from './attribute.ts';
import { type Declared, declaredOf, isBuiltIn, isWorkload, type Scope, scopeOf } from './declared.ts';
import { type Directive, glanceAt, readDirective } from './directive.ts';
import { isClaimed, isNewSource } from './evidence.ts';
import { followTemplate } from './hold.ts';
import { lazily } from './lazily.ts';
import { annotationsOf, annotationsSize, type Operation, operationsFor } from './operations.ts';
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
  /**
   * Armed directives of Rollouts that name this workload, by key, where the live object may not carry them yet: a
   * Rollout and the new version came together. They only ever begin a release.
   */
  readonly naming?: ReadonlyMap<string, string>;
};

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
  const own = { incoming: ownOf(write.incoming), live: ownOf(write.live) };
  const takesPart = own.incoming.directives.size > 0 || own.live.directives.size > 0 || write.naming !== undefined;
  if (!takesPart || isDeleting(write)) return { verdict: 'untouched', warnings: [] };
  try {
    const situation = situationOf(write, own);
    if (changesNothing(situation)) return { verdict: 'untouched', warnings: [] };
    return answer(situation, originalFor(situation, rewriter), rewriter);
  } catch (error) {
    if (error instanceof CorruptOriginal || error instanceof RewriteFailed || error instanceof Refused) {
      return { verdict: 'denied', message: error.message };
    }
    // V8's word for a stack that is used up: the object is nested thousands of levels deep.
    if (error instanceof RangeError) return { verdict: 'denied', message: warning.tooDeep() };
    throw error;
  }
}

/** The hashes of all scripts that {@link decide} may ask for. */
export function scriptHashesOf(write: Write): string[] {
  const texts = [...ownOf(write.incoming).directives.values(), ...ownOf(write.live).directives.values()];
  return [...new Set(texts.flatMap((text) => glanceAt(text).hash ?? []))];
}

type Situation = {
  readonly write: Write;
  readonly own: { readonly incoming: Own; readonly live: Own };
  /**
   * The directives that count: the controller's own request may change them. What others write never does, but for what
   * a new pod template makes of them.
   */
  readonly wanted: ReadonlyMap<string, string>;
  readonly object: ObjectName;
  readonly scope: Scope;
  readonly sent: Declared;
  readonly stored: Declared;
  /** Whether what the user declares is as it is stored. Asked for lazily: it costs a comparison of the whole object. */
  readonly sameUser: () => boolean;
  /** Whether the directives that are stored, and those that count, do more than arm the object for the next release. */
  readonly liveRewrites: () => boolean;
  readonly wantedRewrites: () => boolean;
};

function situationOf(write: Write, own: Situation['own']): Situation {
  const { incoming, live, byController } = write;
  const scope = scopeOf(incoming);
  const sent = declaredOf(incoming, scope);
  const stored = live === undefined ? {} : declaredOf(live, scope);
  const wanted = byController ? own.incoming.directives : followed(write, own.live.directives);
  return {
    write,
    own,
    wanted,
    object: objectName(incoming),
    scope,
    sent,
    stored,
    sameUser: lazily(() => live !== undefined && equal(sent as Json, stored as Json)),
    liveRewrites: lazily(() => rewrites(own.live.directives)),
    wantedRewrites: lazily(() => rewrites(wanted)),
  };
}

function followed(
  { incoming, live, naming = new Map() }: Write,
  carried: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  if (!isWorkload(incoming)) return carried;
  const known = naming.size === 0 ? carried : inOrder(new Map([...naming, ...carried]));
  const after = followTemplate(known, incoming, live);
  if (naming.size === 0) return after;
  return new Map([...after].filter(([key, text]) => carried.has(key) || text !== naming.get(key)));
}

/** Directives are carried out in the order of their keys. */
function inOrder(directives: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...directives].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A write that cannot be carried out without losing something. */
class Refused extends Error {}

function changesNothing({ write, own, wanted, sameUser }: Situation): boolean {
  return (
    !write.byController &&
    sameDirectives(wanted, own.live.directives) &&
    own.incoming.original === own.live.original &&
    markOf(write.incoming) === markOf(write.live) &&
    sameDirectives(own.incoming.directives, own.live.directives) &&
    !isNewSource(write.incoming, write.live) &&
    sameUser()
  );
}

/** The user's original after this write. */
type Found = {
  readonly declared: Declared;
  /** Where somebody set a value that the rewrite decides. */
  readonly doubtful: readonly Path[];
  readonly warnings: readonly string[];
  /** A directive without its original: it must not be captured again from a rewritten object. */
  readonly isOrphan: boolean;
};

function originalFor(s: Situation, rewriter: Rewriter): Found {
  const { own, wanted, sent } = s;
  const liveRewrites = s.liveRewrites();
  // An original without a directive is a leftover of another tool: nobody knows whether it is still true.
  if (!liveRewrites && own.live.original !== undefined && s.wantedRewrites()) throw new Refused(warning.leftover());
  const asSent: Found = { declared: sent, doubtful: [], warnings: [], isOrphan: false };
  if (!liveRewrites && own.incoming.original === undefined) {
    if (continues(wanted)) return { ...asSent, isOrphan: true };
    const exported = s.write.byController || !rewrites(own.incoming.directives);
    return exported ? asSent : { ...asSent, warnings: [warning.viewWithoutOriginal()] };
  }
  const readings = readingsOf(s, liveRewrites, rewriter);
  const reading = bestReading(readings, sent);
  if (reading === undefined) return { ...asSent, isOrphan: liveRewrites };
  const { original, doubtful } = attributeWrite(reading, sent, circumstances(s), rewriter);
  const unseen = reading.isUnseen && reading.directives === own.incoming.directives;
  return { declared: original, doubtful, warnings: unseen ? [warning.viewUnknown()] : [], isOrphan: false };
}

function circumstances(s: Situation): Parameters<typeof attributeWrite>[2] {
  const { write, own, object, stored } = s;
  return {
    object,
    stored,
    storage: s.scope.metadata && isBuiltIn(write.incoming) ? 'built-in' : 'custom',
    // A Deployment's strategy is the user's own setting, for the time after the release.
    computedValues: isWorkload(write.incoming) ? 'keep for later' : 'put back',
    evidence: {
      incoming: write.incoming,
      live: write.live,
      fieldManager: write.fieldManager,
      replaced: write.live !== undefined && own.live.original !== undefined && own.incoming.original === undefined,
    },
  };
}

/**
 * How the write can be read. The annotations that come in describe what the writer saw when they differ from the live
 * ones: the second pass of a reinvocation, an exported object applied again, a restored backup. Otherwise (also for a
 * forged annotation, which describes nothing that was sent) the live ones do.
 */
function readingsOf(s: Situation, liveRewrites: boolean, rewriter: Rewriter): Reading[] {
  const { own, object, stored, sent } = s;
  const live =
    liveRewrites && own.live.original !== undefined
      ? readingOf(object, decoded(own.live.original, s, rewriter), own.live.directives, stored, rewriter)
      : undefined;
  // The usual case, seen by one comparison: the live view is what was sent.
  if (live !== undefined && own.incoming.original === own.live.original && equal(live.base as Json, sent as Json)) {
    return [live];
  }
  const incoming = incomingReading(s, live, rewriter);
  if (incoming === undefined || live === undefined)
    return [incoming ?? live].filter((reading) => reading !== undefined);
  if (own.incoming.original === own.live.original) return [incoming, live];
  if (incoming.isUnseen) return [incoming];
  // An original that no client wrote is our own of the pass before, and says more than can be seen: the rewrite may
  // hide the edit that it holds. One that a client wrote is believed if it explains more than the live one.
  return isClaimed(ANNOTATIONS.original, s.write) ? [live, incoming] : [incoming];
}

function incomingReading(s: Situation, live: Reading | undefined, rewriter: Rewriter): Reading | undefined {
  const { own, write, object, sent, sameUser } = s;
  const text = own.incoming.original;
  if (text === undefined || own.incoming.directives.size === 0) return undefined;
  const sameText = text === own.live.original;
  const sameView = sameDirectives(own.incoming.directives, own.live.directives);
  if (sameText && (sameView ? !write.byController : sameUser())) return undefined;
  const original = decodedOrForeign(text, s, live, rewriter);
  if (original === undefined) return undefined;
  const sameOriginal = live !== undefined && equal(original as Json, live.original as Json);
  if (sameOriginal && sameUser()) return undefined;
  const reading = readingOf(object, original, own.incoming.directives, sent, rewriter);
  if (!reading.isUnseen || live === undefined) return reading;
  // A view that cannot be computed explains nothing: only an object that somebody else saved is believed unseen, and
  // never by a directive that is none.
  const isSaved = [...own.incoming.directives.values()].every((each) => glanceAt(each).isDirective);
  return isSaved && !sameOriginal && !sameUser() ? reading : undefined;
}

/** What cannot be read describes nothing; with a good original at hand it is put back like any other foreign change. */
function decodedOrForeign(
  text: string,
  s: Situation,
  live: Reading | undefined,
  rewriter: Rewriter,
): Declared | undefined {
  try {
    return decoded(text, s, rewriter);
  } catch (error) {
    if ((error instanceof CorruptOriginal || error instanceof Refused) && live !== undefined) return undefined;
    throw error;
  }
}

function decoded(text: string, { object }: Situation, rewriter: Rewriter): Declared {
  const { declared, apiVersion } = rewriter.original(text);
  if (apiVersion !== undefined && apiVersion !== object.apiVersion) {
    throw new Refused(warning.otherVersion(apiVersion, object.apiVersion));
  }
  return declared;
}

function answer(s: Situation, found: Found, rewriter: Rewriter): Verdict {
  const notes = [...putBackWarnings(s), ...heldWarnings(s), ...found.warnings];
  if (found.isOrphan) return verdictOf(s, s.sent, undefined, [...notes, warning.orphan(s.wanted)]);
  if (!s.wantedRewrites()) return verdictOf(s, found.declared, undefined, notes);
  const original = rewriter.interned(found.declared, s.object.apiVersion);
  const rewritten = rewrittenOrStored(s, original, rewriter);
  const unkept = found.doubtful.filter((path) => !isInEffect(path, rewritten.declared, s.sent));
  if (unkept.length > 0) notes.push(warning.unkept(unkept, s.wanted));
  notes.push(...rewritten.warnings);
  return verdictOf(s, rewritten.declared, originalText(s, original, rewriter), notes);
}

/** Whether the object will show what was sent, at the path or, inside a list, in the whole list. */
function isInEffect(path: Path, declared: Declared, sent: Declared): boolean {
  const inList = path.findIndex((key) => typeof key === 'number');
  const place = inList < 0 ? path : path.slice(0, inList);
  return equal(at(declared as Json, place), at(sent as Json, place));
}

/** Runs the rewrite. Taking a directive away never fails, and a write is denied only for what it caused itself. */
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
    if (!(error instanceof RewriteFailed) || !failedBefore(s, rewriter)) throw error;
    return { declared: s.stored, warnings: [warning.waiting(error)] };
  }
}

/** Whether the rewrite fails for the live object as it is, so that this write is not the reason. */
function failedBefore(s: Situation, rewriter: Rewriter): boolean {
  const { own, wanted, object } = s;
  if (own.live.original === undefined || !sameDirectives(wanted, own.live.directives)) return false;
  const live = decodedOrForeign(own.live.original, s, undefined, rewriter);
  return live !== undefined && readingOf(object, live, wanted, s.stored, rewriter).isUnseen;
}

function onlyRemoves({ write, wanted, own }: Situation): boolean {
  const live = own.live.directives;
  return write.byController && wanted.size < live.size && [...wanted].every(([key, text]) => live.get(key) === text);
}

/** The bytes that are there stay when they mean the same: compressors differ from machine to machine. */
function originalText(s: Situation, original: Declared, rewriter: Rewriter): string {
  for (const text of new Set([s.own.incoming.original, s.own.live.original])) {
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
  const { original } = own.incoming;
  // An original that no client wrote is our own of the pass before.
  const isOurs = original === own.live.original || (original !== undefined && !isClaimed(ANNOTATIONS.original, write));
  if (!isOurs || !isCarriedOver(write, own, wanted)) yield warning.putBack(own, wanted);
}

/** Whether nobody but us has changed the directives: they are as stored, as they are to be, or as our pass before left them. */
function isCarriedOver(write: Write, own: Situation['own'], wanted: ReadonlyMap<string, string>): boolean {
  const { directives } = own.incoming;
  if (sameDirectives(directives, own.live.directives) || sameDirectives(directives, wanted)) return true;
  const keys = [...new Set([...directives.keys(), ...wanted.keys()])];
  const changed = keys.filter((key) => directives.get(key) !== wanted.get(key));
  return isWorkload(write.incoming) && changed.every((key) => directives.has(key) && !isClaimed(key, write));
}

/** Told once, to whoever begins a release: what was applied is stored, and does not run yet. */
function* heldWarnings({ write, own, wanted }: Situation): Generator<string> {
  for (const [key, text] of wanted) {
    const before = own.live.directives.get(key) ?? write.naming?.get(key);
    if (!write.byController && before !== undefined && glanceAt(before).isArmed && !glanceAt(text).isArmed)
      yield warning.held(key, text);
  }
}

function verdictOf(
  s: Situation,
  declared: Declared,
  original: string | undefined,
  warnings: readonly string[],
): Verdict {
  const { incoming } = s.write;
  // Without a rewrite before and after, an original is another tool's and stays; after a restore it goes.
  const restored = !s.wantedRewrites() && s.liveRewrites();
  const outcome = {
    declared,
    directives: s.wanted,
    inProgressing: inProgressing(s),
    original: original ?? (restored ? undefined : s.own.live.original),
  };
  const operations = operationsFor(incoming, outcome, s.scope);
  if (operations.length === 0) return { verdict: 'untouched', warnings };
  const size = annotationsSize(annotationsOf(incoming, outcome, s.scope));
  if (size > ANNOTATIONS_LIMIT) throw new Refused(warning.tooLarge(size, ANNOTATIONS_LIMIT));
  return { verdict: 'rewritten', operations, warnings };
}

/** What tools of Kruise look for on a workload in a release; another tool's is left alone. */
function inProgressing(s: Situation): string | undefined {
  const { write, own, wanted } = s;
  const isOurs = s.wantedRewrites() || s.liveRewrites() || rewrites(own.incoming.directives);
  if (!isWorkload(write.incoming) || !isOurs) return markOf(write.incoming);
  const [active] = [...wanted].flatMap(([key, text]) => readDirective(key, text) ?? []).filter(isActive);
  return active && JSON.stringify({ rolloutName: active.rollout.name });
}

function markOf(object: JsonMap | undefined): string | undefined {
  return stringAt(object, 'metadata', 'annotations', ANNOTATIONS.inProgressing);
}

function isActive({ action }: Directive): boolean {
  return action.type === 'workload';
}

/** An object that goes is left alone. What a new object says of its own deletion the API server takes off. */
function isDeleting({ operation, incoming, live }: Write): boolean {
  const deletedAt = (object: JsonMap | undefined) => stringAt(object, 'metadata', 'deletionTimestamp');
  return operation === 'UPDATE' && (deletedAt(live) ?? deletedAt(incoming)) !== undefined;
}

/** True when one of the directives does more than arm the object for the next release. */
function rewrites(directives: ReadonlyMap<string, string>): boolean {
  for (const text of directives.values()) if (!glanceAt(text).isArmed) return true;
  return false;
}

/** True when a directive says that its object has an original: one must not be captured from a rewritten object. */
function continues(directives: ReadonlyMap<string, string>): boolean {
  for (const text of directives.values()) if (glanceAt(text).continues) return true;
  return false;
}
