import { gunzipSync, gzipSync } from 'node:zlib';
import { ANNOTATIONS } from '../api/names.ts';
import { jsonText, parseJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap } from '../json/value.ts';
import { type Declared, withoutForeignKeys } from './declared.ts';

/** Above this many characters the original is stored compressed: all annotations of an object share 256 KiB. */
export const PLAIN_LIMIT = 32 * 1024;

/** The largest text that a compressed original may unfold to: twice what the API server takes for a whole object. */
const UNFOLDED_LIMIT = 3 * 1024 * 1024;

const COMPRESSED = 'gzip:';

/** What the original annotation holds: the declared part, and the API version it was written in (absent in Kruise's). */
export type Original = { readonly declared: Declared; readonly apiVersion: string | undefined };

/** The original annotation cannot be read. The message says what to do; nothing of the object may be changed. */
export class CorruptOriginal extends Error {
  constructor(reason: string) {
    super(
      `annotation ${ANNOTATIONS.original} cannot be read (${reason}), so the object is left as it is; ` +
        'run `kubectl sluice adopt` to name what the object should be without a release, or put the annotation back from a backup',
    );
    this.name = 'CorruptOriginal';
  }
}

/**
 * Writes the annotation: `{"spec":…,"labels":…,"annotations":…,"apiVersion":…}` with empty maps left out and keys
 * in the order that they have (the API server sends those of custom resources sorted), compressed as `gzip:` and base64
 * above 32 KiB. Compressors differ between machines, so a writer keeps the bytes that are already there whenever they
 * decode to the same value.
 */
export function encodeOriginal(declared: Declared, apiVersion: string): string {
  const text = originalText(declared, apiVersion);
  if (text.length <= PLAIN_LIMIT) return text;
  return COMPRESSED + gzipSync(text, { level: 9 }).toString('base64');
}

/** True for the text of an annotation that has to be unfolded first. */
export function isCompressed(text: string): boolean {
  return text.startsWith(COMPRESSED);
}

/** The uncompressed text of {@link encodeOriginal}. */
export function originalText({ spec, labels, annotations }: Declared, apiVersion: string): string {
  const parts = [
    spec === undefined ? [] : [`"spec":${jsonText(spec)}`],
    labels === undefined ? [] : [`"labels":${jsonText(labels)}`],
    annotations === undefined ? [] : [`"annotations":${jsonText(annotations)}`],
    [`"apiVersion":${JSON.stringify(apiVersion)}`],
  ];
  return `{${parts.flat().join(',')}}`;
}

/** @throws CorruptOriginal when the text is not what {@link encodeOriginal} or Kruise Rollouts write. */
export function decodeOriginal(text: string): Original {
  const value = parsed(isCompressed(text) ? unfolded(text) : text);
  if (!isMap(value)) throw new CorruptOriginal('it is not a JSON object');
  const { spec, labels, annotations, apiVersion } = value;
  if (apiVersion !== undefined && typeof apiVersion !== 'string') throw new CorruptOriginal('apiVersion is no string');
  if (spec === undefined && labels === undefined && annotations === undefined) {
    throw new CorruptOriginal('it holds neither spec nor labels nor annotations');
  }
  const declared: Declared = {
    ...(spec === undefined ? {} : { spec }),
    ...(labels == null ? {} : { labels: stringMap('labels', labels) }),
    ...(annotations == null ? {} : { annotations: stringMap('annotations', annotations) }),
  };
  return { declared: withoutForeignKeys(declared), apiVersion };
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    throw new CorruptOriginal(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function unfolded(text: string): string {
  const bytes = Buffer.from(text.slice(COMPRESSED.length), 'base64');
  try {
    return gunzipSync(bytes, { maxOutputLength: UNFOLDED_LIMIT }).toString('utf8');
  } catch (error) {
    throw new CorruptOriginal(`not gzip: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function stringMap(part: string, value: Json): JsonMap {
  if (!isMap(value) || Object.values(value).some((entry) => typeof entry !== 'string')) {
    throw new CorruptOriginal(`${part} is not a map of strings`);
  }
  return value;
}
