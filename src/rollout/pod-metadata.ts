import { ANNOTATIONS, LABELS } from '../api/names.ts';
import { parseJson } from '../json/text.ts';
import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';

type Texts = Readonly<Record<string, string>>;

/** What pods of a ReplicaSet get at their creation, beyond what its template says. */
export type PodMetadata = { readonly labels: Texts; readonly annotations: Texts };

export const NO_POD_METADATA: PodMetadata = { labels: {}, annotations: {} };

/** The labels and annotations of an object's metadata, or of a pod template's. */
export function metadataTexts(metadata: Json | undefined): PodMetadata {
  return {
    labels: texts(member(metadata, 'labels'), () => true),
    annotations: texts(member(metadata, 'annotations'), () => true),
  };
}

/** The annotation's text, with the keys in order, so that equal metadata have equal texts. */
export function encodePodMetadata({ labels, annotations }: PodMetadata): string {
  return JSON.stringify({ labels: sorted(labels), annotations: sorted(annotations) });
}

/** The annotation's text read back; undefined where it is none. Keys and values are as they were written. */
export function decodePodMetadata(text: string): PodMetadata | undefined {
  const read = decoded(text);
  return read && metadataTexts(read);
}

/**
 * What the annotation `sluice.dev/pod-metadata` of a ReplicaSet gives to its pods; undefined without the annotation, or
 * where it is none. Left out is what would do harm, whoever wrote it: labels that the set selects its pods by (a set whose
 * pods do not match makes new ones without end), and what no API server takes (pods must come into being in any case).
 *
 * @param replicaSet whole, as the API server stores it
 */
export function podMetadataOf(replicaSet: JsonMap): PodMetadata | undefined {
  const read = decoded(stringAt(replicaSet, 'metadata', 'annotations', ANNOTATIONS.podMetadata));
  if (read === undefined) return undefined;
  const selecting = selectorKeys(at(replicaSet, ['spec', 'selector']));
  const labels = texts(
    read['labels'],
    (key, value) => !selecting.has(key) && isQualifiedName(key) && isLabelValue(value),
  );
  return { labels, annotations: texts(read['annotations'], isQualifiedName) };
}

/** The metadata of a pod with what its ReplicaSet gives it; the very same where it has all of that. */
export function withPodMetadata(metadata: JsonMap, { labels, annotations }: PodMetadata): JsonMap {
  const changed = { ...merged(metadata, 'labels', labels), ...merged(metadata, 'annotations', annotations) };
  return Object.keys(changed).length === 0 ? metadata : { ...metadata, ...changed };
}

function merged(metadata: JsonMap, part: 'labels' | 'annotations', added: Texts): JsonMap {
  const given = member(metadata, part);
  const before = isMap(given) ? given : {};
  const isThere = Object.entries(added).every(([key, value]) => before[key] === value);
  return isThere ? {} : { [part]: { ...before, ...added } };
}

function decoded(text: string | undefined): JsonMap | undefined {
  if (text === undefined) return undefined;
  try {
    const value = parseJson(text);
    return isMap(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function texts(value: Json | undefined, isFit: (key: string, value: string) => boolean): Texts {
  const entries = Object.entries(isMap(value) ? value : {});
  const fit = entries.filter((entry): entry is [string, string] => {
    const [key, text] = entry;
    return typeof text === 'string' && isFit(key, text);
  });
  return Object.fromEntries(fit);
}

/** Labels that a selector (apps/v1) looks at, and the one that ReplicaSets of a Deployment tell their pods apart by. */
export function selectorKeys(selector: Json | undefined): ReadonlySet<string> {
  const { matchLabels, matchExpressions } = isMap(selector) ? selector : {};
  const expressions = isList(matchExpressions) ? matchExpressions : [];
  return new Set([
    LABELS.podTemplateHash,
    ...Object.keys(isMap(matchLabels) ? matchLabels : {}),
    ...expressions.map((expression) => stringAt(expression, 'key') ?? ''),
  ]);
}

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
/** RFC 1123 subdomain. */
const PREFIX = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const PREFIX_LIMIT = 253;

/** Keys of labels and annotations: `IsQualifiedName` in k8s.io/apimachinery. */
function isQualifiedName(key: string): boolean {
  const [name = '', prefix, ...rest] = key.split('/').reverse();
  const isPrefixed = prefix === undefined || (prefix.length <= PREFIX_LIMIT && PREFIX.test(prefix));
  return rest.length === 0 && NAME.test(name) && isPrefixed;
}

/** `IsValidLabelValue` in k8s.io/apimachinery. */
export function isLabelValue(value: string): boolean {
  return value === '' || NAME.test(value);
}

function sorted(map: Texts): Texts {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
