import { ANNOTATIONS } from '../api/names.ts';
import { isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { isOwnKey } from '../rewrite/own-keys.ts';

/**
 * Keys by which GitOps tools and Helm know what they manage. On a copy they would make the tool prune it
 * (compat W14): it is ours, not theirs.
 */
const MANAGED_BY_OTHERS =
  /^(argocd\.argoproj\.io\/|kustomize\.toolkit\.fluxcd\.io\/|helm\.toolkit\.fluxcd\.io\/|meta\.helm\.sh\/|app\.kubernetes\.io\/(instance|managed-by)$)/;

/** Labels and annotations of an object that a canary object beside it may bear, too; an empty map is left out. */
export function copiedMetadata(metadata: Json | undefined): { labels?: JsonMap; annotations?: JsonMap } {
  const [labels, annotations] = [copied(member(metadata, 'labels')), copied(member(metadata, 'annotations'))];
  return { ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) };
}

function copied(map: Json | undefined): JsonMap | undefined {
  const entries = Object.entries(isMap(map) ? map : {}).filter(([key]) => isCopied(key));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function isCopied(key: string): boolean {
  return key !== ANNOTATIONS.lastApplied && !isOwnKey(key) && !MANAGED_BY_OTHERS.test(key);
}
