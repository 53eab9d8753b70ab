import { gunzipSync, gzipSync } from 'node:zlib';
import { equal } from '../json/equal.ts';
import { canonicalJson, parseJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { ANNOTATIONS, type RolloutApiVersion } from './names.ts';
import type { Overlay } from './overlay.ts';

/**
 * What travels in the annotation `sluice.dev/conversion`: `version` is the version that the overlay belongs to, `lost`
 * what the version that the object is in has no field for. `was`, `bare` and `metadata` put back what stood in the
 * annotation's place: a value that is not ours, no annotations at all, or metadata of a shape that holds none.
 */
type Luggage = {
  readonly version: string;
  readonly lost: Overlay;
  readonly was?: Json;
  readonly bare?: true;
  readonly metadata?: readonly Json[];
};

/**
 * All annotations of an object together may hold 256 KiB, and a Rollout of fifty steps with sixteen matches each can
 * hide more: longer texts are compressed, as the original of a gateway object is.
 */
const PLAIN_BYTES = 32 * 1024;
const ZIPPED = 'gzip:';

/** What a compressed text may unfold to; the object that it belongs to can hold 1.5 MiB. */
const MAX_BYTES = 4 * 1024 * 1024;

/** No Rollout is nested deeper than 12 levels, its overlay not twice that; a forged one must not exhaust our stack. */
const MAX_DEPTH = 64;

/** The object with an overlay for `version` in its annotation. */
export function attach(object: JsonMap, version: RolloutApiVersion, lost: Overlay): JsonMap {
  const metadata = member(object, 'metadata');
  const annotations = member(metadata, 'annotations');
  const was = member(annotations, ANNOTATIONS.conversion);
  const luggage: Luggage = { version, lost };
  if (isMap(metadata) && isMap(annotations)) {
    return annotated(object, metadata, annotations, was === undefined ? luggage : { ...luggage, was });
  }
  if (isMap(metadata) && annotations === undefined) return annotated(object, metadata, {}, { ...luggage, bare: true });
  const odd = { ...luggage, metadata: metadata === undefined ? [] : [metadata] };
  return annotated(object, isMap(metadata) ? metadata : {}, {}, odd);
}

function annotated(object: JsonMap, metadata: JsonMap, annotations: JsonMap, luggage: Luggage): JsonMap {
  const text = pack(canonicalJson(luggage));
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [ANNOTATIONS.conversion]: text } } };
}

/**
 * The object without our annotation, and the overlay for `version` that it held. An annotation that is not an overlay
 * for that version is no business of ours and stays.
 */
export function detach(object: JsonMap, version: RolloutApiVersion): { object: JsonMap; lost: Json | undefined } {
  const metadata = member(object, 'metadata');
  const annotations = member(metadata, 'annotations');
  const text = member(annotations, ANNOTATIONS.conversion);
  const luggage = typeof text === 'string' ? unpack(text) : undefined;
  if (member(luggage, 'version') !== version || !isMap(metadata) || !isMap(annotations))
    return { object, lost: undefined };
  const lost = member(luggage, 'lost');
  const odd = member(luggage, 'metadata');
  if (isList(odd)) {
    const before = withMetadata(object, odd[0]);
    if (isMap(lost) && equal(attach(before, version, lost), object)) return { object: before, lost };
  }
  const { [ANNOTATIONS.conversion]: _, ...others } = annotations;
  const was = member(luggage, 'was');
  const kept = was === undefined ? others : { ...others, [ANNOTATIONS.conversion]: was };
  const { annotations: __, ...rest } = metadata;
  const isBare = member(luggage, 'bare') === true && Object.keys(kept).length === 0;
  return { object: withMetadata(object, isBare ? rest : { ...metadata, annotations: kept }), lost };
}

function withMetadata(object: JsonMap, metadata: Json | undefined): JsonMap {
  const { metadata: _, ...rest } = object;
  return metadata === undefined ? rest : { ...object, metadata };
}

function pack(text: string): string {
  if (text.length <= PLAIN_BYTES) return text;
  return ZIPPED + gzipSync(text).toString('base64');
}

/** The annotation's value, or undefined when it is a text of someone else. */
function unpack(text: string): Json | undefined {
  try {
    const plain = text.startsWith(ZIPPED) ? unzip(text.slice(ZIPPED.length)) : text;
    return plain.startsWith('{') && depthOf(plain) <= MAX_DEPTH ? parseJson(plain) : undefined;
  } catch (error) {
    // anyone can write the annotation: what does not unfold or is not JSON was not written by us
    if (error instanceof SyntaxError || isZipError(error)) return undefined;
    throw error;
  }
}

function unzip(base64: string): string {
  return gunzipSync(Buffer.from(base64, 'base64'), { maxOutputLength: MAX_BYTES }).toString();
}

function isZipError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('Z_') || code === 'ERR_BUFFER_TOO_LARGE';
}

/** How deep a JSON text is nested, brackets in texts not counted. */
function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const [bracket] of text.replace(/"(?:[^"\\]|\\.)*"/g, '').matchAll(/[[{}\]]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
