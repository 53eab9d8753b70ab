import { ANNOTATIONS } from '../api/names.ts';
import { type JsonMap, stringAt } from '../json/value.ts';
import { flooredReplicas } from '../rewrite/floor.ts';
import { allow, patch } from './answer.ts';
import type { AdmissionHandler } from './route.ts';

/**
 * Judges writes of ReplicaSets that have traffic in a release and carry {@link ANNOTATIONS}`.floor`: they keep the pods
 * that their traffic needs (see `src/rewrite/floor.ts`).
 *
 * Sluice's own controller takes sets down itself, when their traffic is gone. Pure. The subresource `scale` is not judged:
 * what the API server shows of it has no annotations.
 */
export function floorHandler(controllerUser: string): AdmissionHandler {
  return ({ operation, subresource, object, oldObject, user }) => {
    if (operation !== 'UPDATE' || subresource !== '' || object === undefined || oldObject === undefined) return allow();
    const kept = user.name === controllerUser || isGoing(object) ? undefined : flooredReplicas(object, oldObject);
    if (kept === undefined) return allow();
    const path = '/spec/replicas';
    return patch([{ op: 'replace', path, value: kept }], {
      warnings: [`spec.replicas stays ${kept}: the set has traffic in a release (annotation ${ANNOTATIONS.floor})`],
    });
  };
}

function isGoing(object: JsonMap): boolean {
  return stringAt(object, 'metadata', 'deletionTimestamp') !== undefined;
}
