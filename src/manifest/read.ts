import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import { isList, type Json, member, stringAt } from '../json/value.ts';
import { isMergeKey, NotJson, offsetOf, toJson } from './convert.ts';
import type { Manifest, ManifestError, Path, Position } from './manifest.ts';

/**
 * Reads a YAML 1.2 or JSON file of Kubernetes objects.
 *
 * Every document becomes a manifest; empty ones are left out; a document whose kind ends in `List` and that has `items`
 * becomes one manifest for each item. A document with a mistake (syntax, tab as indentation, duplicate key, unknown
 * alias, something that JSON cannot say) gives errors and no manifest; the other documents are still read.
 *
 * @param text the file's content; a byte order mark and CRLF line ends are fine
 * @param file the name that manifests and errors carry
 */
export function readManifests(text: string, file: string): { documents: Manifest[]; errors: ManifestError[] } {
  const lines = new LineCounter();
  const errors: ManifestError[] = [];
  const report = (message: string, offset: number) =>
    errors.push({ file, position: positionAt(lines, offset), message });
  const documents = parse(text, lines, report).flatMap((document) => {
    for (const error of tellingErrors(document)) report(plainMessage(error.code, error.message), error.pos[0]);
    return document.errors.length === 0 ? manifestsOf(document, file, lines, report) : [];
  });
  return { documents, errors };
}

/** A text nested too deeply exhausts the parser at each level on the way out: the first says it all. */
function tellingErrors({ errors }: Document): Document['errors'] {
  const deep = errors.find(({ message }) => isTooDeep(message));
  return deep === undefined ? errors : [deep];
}

/** The parser puts V8's own words for a stack overflow into its error list. */
function isTooDeep(message: string): boolean {
  return message.includes('call stack');
}

type Report = (message: string, offset: number) => void;

function parse(text: string, lines: LineCounter, report: Report): Document[] {
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      // values are built by toJson, which needs each number's source, and aliases are bounded there
      keepSourceTokens: false,
      prettyErrors: false,
      merge: true,
      uniqueKeys: true,
      logLevel: 'silent',
    });
    return 'empty' in parsed ? [] : parsed;
  } catch (error) {
    // the parser descends by recursion: the only way to exhaust the stack is a text nested thousands of levels deep
    if (!(error instanceof RangeError)) throw error;
    report('nested too deeply to be read', 0);
    return [];
  }
}

function manifestsOf(document: Document, file: string, lines: LineCounter, report: Report): Manifest[] {
  try {
    const value = toJson(document);
    if (value === null) return [];
    return itemsOf(value).map(({ value: item, base }) => ({
      value: item,
      file,
      positionOf: (path) => positionAt(lines, find(document, [...base, ...path])),
    }));
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    report(error.message, error.offset);
    return [];
  }
}

/** The objects of a document: itself, or the items of a `kind: List` (and of `RolloutList` and its like). */
function itemsOf(value: Json): { value: Json; base: Path }[] {
  const items = member(value, 'items');
  const kind = stringAt(value, 'kind');
  if (kind === undefined || !kind.endsWith('List') || !isList(items)) return [{ value, base: [] }];
  return items.map((item, index) => ({ value: item, base: ['items', index] }));
}

/** Offset of the key or item at the end of `path`, or of the last one on the way that is there. */
function find(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = offsetOf(node);
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    const next = childOf(node, step);
    if (next === undefined) return offset;
    offset = next.offset;
    node = next.node;
  }
  return offset;
}

function childOf(node: unknown, step: string | number): { node: unknown; offset: number } | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(step)];
    return item === undefined ? undefined : { node: item, offset: offsetOf(item) };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && !isMergeKey(key) && textOf(key) === String(step));
  return pair === undefined ? undefined : { node: pair.value, offset: offsetOf(pair.key) };
}

function textOf(key: { value: unknown; source?: string }): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return line === 0 ? { line: 1, column: 1 } : { line, column: col };
}

/** The parser's words, except where they do not tell an author what to do. */
function plainMessage(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab is used as indentation; YAML indents with spaces';
  if (isTooDeep(message)) return 'nested too deeply to be read';
  if (code === 'DUPLICATE_KEY') return 'this key stands twice in the same map; keep one of them';
  return message;
}
