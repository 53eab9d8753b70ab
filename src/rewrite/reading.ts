import { equal } from '../json/equal.ts';
import { bearsTrace, leafCounts, leafDifference } from '../json/leaves.ts';
import { at, isList, isMap, type Json, type JsonMap } from '../json/value.ts';
import { fullEffort } from './align.ts';
import { attribute, type Context, type Path } from './attribute.ts';
import { covers, type Storage } from './covers.ts';
import type { Declared } from './declared.ts';
import { isNewSource, sourceEvidence, type WriteEvidence } from './evidence.ts';
import { lazily } from './lazily.ts';
import type { SourceOf } from './provenance.ts';
import { type ObjectName, RewriteFailed, type Rewriter } from './rewriter.ts';

/**
 * One way to read a write: "the writer saw `original` rewritten by `directives`". `base` is that view; differences
 * between it and what was sent are the writer's edits.
 */
export type Reading = {
  readonly original: Declared;
  readonly directives: ReadonlyMap<string, string>;
  readonly base: Declared;
  /** True when the view could not be computed, and `base` stands in for it. */
  readonly isUnseen: boolean;
  /** Undefined where the view is unseen. */
  readonly sourceOf: SourceOf | undefined;
};

/**
 * Computes a reading's view.
 * @param standIn what to take for the view when a script is gone or fails.
 */
export function readingOf(
  object: ObjectName,
  original: Declared,
  directives: ReadonlyMap<string, string>,
  standIn: Declared,
  rewriter: Rewriter,
): Reading {
  try {
    const { declared: base, sourceOf } = rewriter.rewrite(object, original, directives, 'throw');
    return { original, directives, base, sourceOf, isUnseen: false };
  } catch (error) {
    if (!(error instanceof RewriteFailed)) throw error;
    return { original, directives, base: standIn, sourceOf: undefined, isUnseen: true };
  }
}

/**
 * The reading that leaves the least to explain: the number of leaves in which its view and what was sent differ. With
 * equal numbers the first one wins; one whose view had to be stood in for explains nothing and counts only alone.
 */
export function bestReading(readings: readonly Reading[], sent: Declared): Reading | undefined {
  const computed = readings.filter(({ isUnseen }) => !isUnseen);
  if (computed.length <= 1) return computed[0] ?? readings[0];
  const sentLeaves = leafCounts(sent as Json);
  const unexplained = computed.map(({ base }) => leafDifference(leafCounts(base as Json), sentLeaves));
  return computed[unexplained.indexOf(Math.min(...unexplained))];
}

/** Rewrites that one write may cost for finding out whether a merged list gives what was sent. */
const EXPLANATIONS = 16;

/** What a write means for the user's original. */
export type Attribution = {
  /** The new original: the very same value when nothing was edited. */
  readonly original: Declared;
  /** Paths where somebody set a value that the rewrite decides; in effect or not is seen when the rewrite is done. */
  readonly doubtful: readonly Path[];
};

/** What attribution depends on besides the reading. */
export type Circumstances = {
  readonly object: ObjectName;
  readonly storage: Storage;
  readonly computedValues: 'put back' | 'keep for later';
  /** What is stored now; empty for a new object. */
  readonly stored: Declared;
  readonly evidence: WriteEvidence;
};

/** Attributes what was sent, read in this way. */
export function attributeWrite(
  reading: Reading,
  sent: Declared,
  circumstances: Circumstances,
  rewriter: Rewriter,
): Attribution {
  const { original, base } = reading;
  const { evidence, storage } = circumstances;
  // A new object that is what its own annotations make of its original was exported in a release: it means the original.
  const isUnedited = evidence.live === undefined || !isNewSource(evidence.incoming, evidence.live);
  if (isUnedited && equal(sent as Json, base as Json)) return { original, doubtful: [] };
  // A replace sends the whole source, in which what the rewrite hides is absent only if the user took it away.
  if (evidence.replaced && !bearsTrace(sent as Json, base as Json, original as Json)) {
    return { original: sent, doubtful: [] };
  }
  const doubtful: Path[] = [];
  let explanations = EXPLANATIONS;
  const context: Context = {
    storage,
    computedValues: circumstances.computedValues,
    effort: fullEffort(),
    sourceOf: reading.sourceOf,
    evidence: lazily(() => sourceEvidence(evidence)),
    explains: (path, list) => explanations-- > 0 && explains(reading, path, list, sent, circumstances, rewriter),
    onUnkept: (path) => doubtful.push(path),
  };
  const spec = attribute(base.spec, original.spec, sent.spec, ['spec'], context);
  // Empty texts are stored in maps of strings, whatever the kind.
  const strings: Context = { ...context, storage: 'custom' };
  const labels = attributeStrings(base.labels, original.labels, sent.labels, 'labels', strings);
  const annotations = attributeStrings(
    base.annotations,
    original.annotations,
    sent.annotations,
    'annotations',
    strings,
  );
  const untouched = spec === original.spec && labels === original.labels && annotations === original.annotations;
  if (untouched) return { original, doubtful };
  return {
    original: {
      ...(spec === undefined ? {} : { spec }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    doubtful,
  };
}

/** Labels and annotations: an absent map is an empty one. */
function attributeStrings(
  base: JsonMap | undefined,
  original: JsonMap | undefined,
  sent: JsonMap | undefined,
  part: 'labels' | 'annotations',
  context: Context,
): JsonMap | undefined {
  const result = attribute(base ?? {}, original ?? NO_STRINGS, sent ?? {}, [part], context);
  if (result === NO_STRINGS) return undefined;
  return isMap(result) && Object.keys(result).length > 0 ? result : undefined;
}

const NO_STRINGS: JsonMap = {};

/** True when the original with `list` at this path, rewritten, shows there what was sent. */
function explains(
  { original, directives }: Reading,
  path: Path,
  list: readonly Json[],
  sent: Declared,
  { object, storage, stored }: Circumstances,
  rewriter: Rewriter,
): boolean {
  const candidate = withValue(original as Json, path, list) as Declared;
  try {
    const { declared } = rewriter.rewrite(object, candidate, directives, 'throw');
    return covers(at(declared as Json, path), at(sent as Json, path), at(stored as Json, path), storage);
  } catch (error) {
    if (error instanceof RewriteFailed) return false;
    throw error;
  }
}

function withValue(value: Json | undefined, [key, ...rest]: Path, leaf: Json): Json {
  if (key === undefined) return leaf;
  if (isList(value)) return value.map((element, i) => (i === Number(key) ? withValue(element, rest, leaf) : element));
  const map = isMap(value) ? value : {};
  return { ...map, [key]: withValue(map[key], rest, leaf) };
}
