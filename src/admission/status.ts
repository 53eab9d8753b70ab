import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../api/names.ts';
import { isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { ownOf, sameDirectives } from '../rewrite/own-keys.ts';
import { allow, type PatchOperation, patch } from './answer.ts';
import type { AdmissionHandler } from './route.ts';

/**
 * Judges writes to `/status` of built-in kinds. The API server resets the spec there but keeps annotations as they
 * come, so whoever may write status could forge a directive past the webhook of the object itself. Here they are put
 * back; everything else of the write passes. The controller never writes its annotations this way, so it is no exception.
 */
export const statusHandler: AdmissionHandler = ({ operation, object, oldObject }) => {
  if (operation !== 'UPDATE' || object === undefined || oldObject === undefined) return allow();
  const [incoming, live] = [ownOf(object), ownOf(oldObject)];
  if (incoming.original === live.original && sameDirectives(incoming.directives, live.directives)) return allow();
  const sent = annotationsOf(object);
  const kept: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(sent ?? {})) if (!isProtected(key)) kept[key] = value;
  for (const [key, value] of Object.entries(annotationsOf(oldObject) ?? {})) if (isProtected(key)) kept[key] = value;
  return patch([annotationsOperation(sent, kept)], {
    warnings: [
      `annotations of Sluice (${DIRECTIVE_PREFIX}*, ${ANNOTATIONS.original}) were put back: only its controller changes them`,
    ],
  });
};

function annotationsOf(object: JsonMap): JsonMap | undefined {
  const annotations = member(object['metadata'], 'annotations');
  return isMap(annotations) ? annotations : undefined;
}

function isProtected(key: string): boolean {
  return key === ANNOTATIONS.original || key.startsWith(DIRECTIVE_PREFIX);
}

function annotationsOperation(sent: JsonMap | undefined, kept: JsonMap): PatchOperation {
  const path = '/metadata/annotations';
  if (Object.keys(kept).length === 0) return { op: 'remove', path };
  return { op: sent === undefined ? 'add' : 'replace', path, value: kept };
}
