import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap } from 'yaml';
import { parseJson } from '../json/text.ts';
import type { Json } from '../json/value.ts';

/** Something that YAML can say and JSON cannot, or that would cost too much; `offset` is where it stands in the text. */
export class NotJson extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Values that one document may hold once its aliases are written out. A Kubernetes object is at most 1.5 MiB, which is
 * fewer; a few lines of nested aliases ("billion laughs") are more.
 */
const MAX_VALUES = 500_000;

/** Kubernetes' own JSON decoders stop at 10,000; no real object comes near, and deeper ones would exhaust our stack. */
const MAX_DEPTH = 500;

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

type Read = { readonly value: Json; readonly size: number };

type Reading = { readonly document: Document; readonly anchors: Map<Node, Read>; readonly open: Set<Node> };

/**
 * The JSON value of a parsed document. Numbers keep every digit of their source; aliases share the value of their
 * anchor; a merge key (`<<`) brings in the keys that the map does not have itself.
 * @throws NotJson
 */
export function toJson(document: Document): Json {
  const reading = { document, anchors: new Map(), open: new Set<Node>() };
  return read(document.contents, reading, 0).value;
}

function read(node: unknown, reading: Reading, depth: number): Read {
  if (isAlias(node)) return readAlias(node, reading, depth);
  if (isScalar(node)) return { value: scalarValue(node), size: 1 };
  if (!isMap(node) && !isSeq(node)) return { value: null, size: 1 };
  const known = reading.anchors.get(node);
  if (known !== undefined) return known;
  if (depth > MAX_DEPTH) throw new NotJson(`nested more than ${MAX_DEPTH} levels deep`, offsetOf(node));
  reading.open.add(node);
  const result = isMap(node) ? readMap(node, reading, depth) : readList(node.items, reading, depth);
  reading.open.delete(node);
  if (result.size > MAX_VALUES) {
    throw new NotJson(`holds more than ${MAX_VALUES} values once its aliases are written out`, offsetOf(node));
  }
  if (node.anchor !== undefined) reading.anchors.set(node, result);
  return result;
}

function readAlias(node: Alias, reading: Reading, depth: number): Read {
  const target = node.resolve(reading.document);
  if (target === undefined) throw new NotJson(`there is no anchor "${node.source}" above this alias`, offsetOf(node));
  if (reading.open.has(target))
    throw new NotJson(`the alias "${node.source}" stands inside its own anchor`, offsetOf(node));
  return read(target, reading, depth);
}

function readList(items: readonly unknown[], reading: Reading, depth: number): Read {
  const parts = items.map((item) => read(item, reading, depth + 1));
  return { value: parts.map(({ value }) => value), size: total(parts) };
}

function readMap(node: YAMLMap, reading: Reading, depth: number): Read {
  const own = new Map<string, Read>();
  const merged = new Map<string, Read>();
  for (const pair of node.items) {
    const member = read(pair.value, reading, depth + 1);
    if (isMergeKey(pair.key)) {
      for (const [key, value] of mergedMembers(member.value, offsetOf(pair.key))) {
        if (!merged.has(key)) merged.set(key, { value, size: member.size });
      }
    } else {
      own.set(keyText(pair.key, reading), member);
    }
  }
  for (const [key, member] of merged) if (!own.has(key)) own.set(key, member);
  // fromEntries defines keys, so that one named __proto__ is data like any other
  const value = Object.fromEntries([...own].map(([key, member]) => [key, member.value]));
  return { value, size: total([...own.values()]) };
}

function total(parts: readonly Read[]): number {
  return parts.reduce((sum, part) => sum + part.size, 1);
}

/** A plain `<<`; quoted it is an ordinary key. Merge keys are YAML 1.1, kept because kubectl reads them. */
export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.source === '<<' && key.type === 'PLAIN';
}

function mergedMembers(value: Json, offset: number): [string, Json][] {
  const sources = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return sources.flatMap((source) => {
    if (typeof source !== 'object' || source === null || Array.isArray(source)) {
      throw new NotJson('a merge key (<<) takes a map or a list of maps', offset);
    }
    return Object.entries(source);
  });
}

/** The text of a map key as Kubernetes' YAML reader gives it: scalars as they are written. */
function keyText(key: unknown, reading: Reading): string {
  const node = isAlias(key) ? key.resolve(reading.document) : key;
  if (!isScalar(node)) throw new NotJson('a key of a map must be a plain text, not a map or a list', offsetOf(key));
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function scalarValue(node: Scalar): Json {
  const { value, source } = node;
  if (typeof value === 'number' || typeof value === 'bigint') return numberValue(node, source ?? String(value));
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  throw new NotJson(`${source ?? 'this value'} has a tag that JSON has no value for`, offsetOf(node));
}

function numberValue(node: Scalar, source: string): Json {
  const text = source.replace(/^\+/, '');
  if (JSON_NUMBER.test(text)) return parseJson(text);
  // hexadecimal, octal, `.5`, `5.` and `05`: the value in decimal digits
  if (/^0[xob]/.test(text)) return parseJson(BigInt(text).toString());
  if (!Number.isFinite(Number(node.value)))
    throw new NotJson(`${source} is no number in JSON; write a finite one`, offsetOf(node));
  return /^-?\d+$/.test(text) ? parseJson(BigInt(text).toString()) : parseJson(String(Number(node.value)));
}

/** Offset of a node in the text; 0 for one that was made without a text. */
export function offsetOf(node: unknown): number {
  return ((node as Node | undefined)?.range ?? [0])[0] ?? 0;
}
