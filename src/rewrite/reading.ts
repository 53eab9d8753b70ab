import { isNearer, leafCounts, leafDifference } from '../json/leaves.ts';
import { isList, isMap, type Json, type JsonMap } from '../json/value.ts';
import { fullEffort } from './align.ts';
import { attribute, type Path } from './attribute.ts';
import { covers, type Storage } from './covers.ts';
import type { Declared } from './declared.ts';
import { sourceEvidence, type WriteEvidence } from './evidence.ts';
import { type ObjectName, RewriteFailed, type Rewriter } from './rewriter.ts';

/**
 * One way to read a write: "the writer saw `original` rewritten by `directives`". `base` is that view; differences
 * between it and what was sent are the writer's edits.
 */
export type Reading = {
  readonly original: Declared;
  readonly directives: ReadonlyMap<string, string>;
  readonly base: Declared;
  /** Undefined when the view could not be computed and something stored stands in for it. */
  readonly sourceOf: ((element: Json) => Json | undefined) | undefined;
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
    return { original, directives, base, sourceOf };
  } catch (error) {
    if (!(error instanceof RewriteFailed)) throw error;
    return { original, directives, base: standIn, sourceOf: undefined };
  }
}

/**
 * The reading that leaves the least to explain: the number of leaves in which its view and what was sent differ. With
 * equal numbers the first one wins.
 */
export function bestReading(readings: readonly Reading[], sent: Declared): Reading | undefined {
  if (readings.length <= 1) return readings[0];
  const sentLeaves = leafCounts(sent as Json);
  const unexplained = readings.map(({ base }) => leafDifference(leafCounts(base as Json), sentLeaves));
  return readings[unexplained.indexOf(Math.min(...unexplained))];
}

/** Rewrites that one write may cost for finding out whether a merged list gives what was sent. */
const EXPLANATIONS = 16;

/** What a write means for the user's original. */
export type Attribution = {
  /** The new original: the very same value when nothing was edited. */
  readonly original: Declared;
  /** Paths of values that were set by hand, are computed by the rewrite, and so are not in effect. */
  readonly unkept: readonly Path[];
};

/** Attributes what was sent, read in this way. `storage` and the fate of computed values depend on the kind. */
export function attributeWrite(
  reading: Reading,
  sent: Declared,
  object: ObjectName,
  rewriter: Rewriter,
  kind: { readonly storage: Storage; readonly computedValues: 'put back' | 'keep for later' },
  evidence: WriteEvidence,
): Attribution {
  const unkept: Path[] = [];
  const { original, base } = reading;
  // A replace sends the whole source, in which what the rewrite hides is absent only if the user took it away.
  if (evidence.replaced && isNearer(sent as Json, original as Json, base as Json)) return { original: sent, unkept };
  let explanations = EXPLANATIONS;
  const context = {
    ...kind,
    effort: fullEffort(),
    sourceOf: reading.sourceOf,
    evidence: lazily(() => sourceEvidence(evidence)),
    explains: (path: Path, list: readonly Json[]) =>
      explanations-- > 0 && explains(reading, path, list, sent, object, rewriter, kind.storage),
    onUnkept: (path: Path) => unkept.push(path),
  };
  const spec = attribute(base.spec, original.spec, sent.spec, ['spec'], context);
  const labels = attributeStrings(base.labels, original.labels, sent.labels, 'labels', context);
  const annotations = attributeStrings(
    base.annotations,
    original.annotations,
    sent.annotations,
    'annotations',
    context,
  );
  const untouched = spec === original.spec && labels === original.labels && annotations === original.annotations;
  if (untouched) return { original, unkept };
  return {
    original: {
      ...(spec === undefined ? {} : { spec }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    unkept,
  };
}

function lazily<R>(make: () => R): () => R {
  let made: R | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Labels and annotations: an absent map is an empty one. */
function attributeStrings(
  base: JsonMap | undefined,
  original: JsonMap | undefined,
  sent: JsonMap | undefined,
  part: 'labels' | 'annotations',
  context: Parameters<typeof attribute>[4],
): JsonMap | undefined {
  const result = attribute(base ?? {}, original ?? {}, sent ?? {}, [part], context);
  if (!isMap(result) || Object.keys(result).length === 0) return undefined;
  return result;
}

/** True when the original with `list` at this path, rewritten, shows there what was sent. */
function explains(
  { original, directives }: Reading,
  path: Path,
  list: readonly Json[],
  sent: Declared,
  object: ObjectName,
  rewriter: Rewriter,
  storage: Storage,
): boolean {
  const candidate = withValue(original as Json, path, list) as Declared;
  try {
    const { declared } = rewriter.rewrite(object, candidate, directives, 'throw');
    return covers(valueAt(declared, path), valueAt(sent, path), storage);
  } catch (error) {
    if (error instanceof RewriteFailed) return false;
    throw error;
  }
}

function valueAt(declared: Declared, path: Path): Json | undefined {
  let here: Json | undefined = declared as Json;
  for (const key of path) here = isMap(here) ? here[key] : isList(here) ? here[Number(key)] : undefined;
  return here;
}

function withValue(value: Json | undefined, [key, ...rest]: Path, leaf: Json): Json {
  if (key === undefined) return leaf;
  if (isList(value)) return value.map((element, i) => (i === Number(key) ? withValue(element, rest, leaf) : element));
  const map = isMap(value) ? value : {};
  return { ...map, [key]: withValue(map[key], rest, leaf) };
}
