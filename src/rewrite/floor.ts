import { ANNOTATIONS } from '../api/names.ts';
import { at, type JsonMap, stringAt } from '../json/value.ts';

/**
 * How many pods of a ReplicaSet have to stay while it has traffic, as its annotation `sluice.dev/floor` says: `keep` of
 * every `of` that its Deployment asks for.
 */
export type Floor = { readonly keep: number; readonly of: number };

/** `8/10`. */
export function encodeFloor({ keep, of }: Floor): string {
  return `${keep}/${of}`;
}

/** Undefined for a text that is no floor. */
export function decodeFloor(text: string): Floor | undefined {
  const [, keep, of] = /^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? [];
  return keep === undefined || of === undefined || Number(of) === 0
    ? undefined
    : { keep: Number(keep), of: Number(of) };
}

/**
 * The number of pods that a write of a ReplicaSet (apps/v1) may not go below. Two things in the native controller would
 * take pods that have traffic: it scales the sets of a paused Deployment in proportion and rounds, from 9:1 pods to 4:0;
 * and a template that is applied again is the current one at once, so that its full set makes all others superfluous.
 * The floor follows the size that the set is scaled for, which the controller writes on it in the same write; for a
 * Deployment that is scaled to 0 there is none.
 *
 * @returns undefined where nothing has to be changed: no floor, none of ours, or the number is not below it.
 */
export function flooredReplicas(object: JsonMap, oldObject: JsonMap): number | undefined {
  const floor = floorOf(oldObject) ?? floorOf(object);
  const wanted = Number(stringAt(object, 'metadata', 'annotations', ANNOTATIONS.desiredReplicas) ?? floor?.of);
  if (floor === undefined || floor.keep === 0 || wanted === 0 || Number.isNaN(wanted)) return undefined;
  const least = Math.max(1, Math.floor((floor.keep * wanted) / floor.of));
  const [before, after] = [replicasOf(oldObject), replicasOf(object)];
  // It raises nothing that was lower before: that would be somebody's own decision, made while there was no floor.
  const kept = Math.min(least, before);
  return after < before && after < kept ? kept : undefined;
}

function floorOf(object: JsonMap): Floor | undefined {
  return decodeFloor(stringAt(object, 'metadata', 'annotations', ANNOTATIONS.floor) ?? '');
}

/** `spec.replicas` is 1 when it is absent. */
function replicasOf(object: JsonMap): number {
  const replicas = at(object, ['spec', 'replicas']);
  return typeof replicas === 'number' ? replicas : 1;
}
