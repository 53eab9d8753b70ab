import { createHash } from 'node:crypto';
import { LABELS } from '../api/names.ts';
import { canonicalJson } from '../json/text.ts';
import { isList, isMap, type Json } from '../json/value.ts';

/** Enough to tell the templates of one workload apart. */
const DIGITS = 16;

/**
 * What tells one version of a workload from another: a hash of its pod template (`spec.template`). Equal for templates
 * that mean the same: the label `pod-template-hash` does not count, since the native controller adds it to the
 * templates of ReplicaSets, nor do fields that are null or empty, which API servers leave out or write as they like.
 * Every other field counts, annotations such as `restartedAt` too (compat §2.11).
 *
 * @returns 16 hexadecimal digits; of an absent template, too.
 */
export function templateHash(template: Json | undefined): string {
  return createHash('sha256')
    .update(canonicalJson(meaning(template ?? null)))
    .digest('hex')
    .slice(0, DIGITS);
}

function meaning(template: Json): Json {
  if (!isMap(template) || !isMap(template['metadata'])) return filled(template);
  const { labels, ...metadata } = template['metadata'];
  const own = isMap(labels) ? Object.entries(labels).filter(([key]) => key !== LABELS.podTemplateHash) : [];
  return filled({ ...template, metadata: { ...metadata, labels: Object.fromEntries(own) } });
}

/** Without members that say nothing; elements of lists stay, since their places count. */
function filled(value: Json): Json {
  if (isList(value)) return value.map(filled);
  if (!isMap(value)) return value;
  const members = Object.entries(value).map(([key, inner]) => [key, filled(inner)] as const);
  return Object.fromEntries(members.filter(([, inner]) => !saysNothing(inner)));
}

function saysNothing(value: Json): boolean {
  if (value === null || value === '') return true;
  return isList(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0;
}
