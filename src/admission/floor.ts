import { ANNOTATIONS } from '../api/names.ts';
import { at, type JsonMap, stringAt } from '../json/value.ts';
import { allow, patch } from './answer.ts';
import type { AdmissionRequest } from './request.ts';
import type { AdmissionHandler } from './route.ts';

/**
 * Judges writes of ReplicaSets that have traffic in a release and carry {@link ANNOTATIONS}`.floor`. The native controller
 * scales the sets of a paused Deployment in proportion and rounds: from 9:1 pods to 4 it comes to 4:0, and traffic would
 * point at nothing. A set that would sink to no pod keeps one, unless no pod at all is wanted: the controller writes how
 * many pods its Deployment asks for on the set in the same write.
 *
 * Sluice's own controller takes sets down itself, when their traffic is gone. Pure. The subresource `scale` is not judged:
 * what the API server shows of it has no annotations.
 */
export function floorHandler(controllerUser: string): AdmissionHandler {
  return (request) => {
    if (!sinks(request) || request.user.name === controllerUser) return allow();
    return patch([{ op: 'replace', path: '/spec/replicas', value: 1 }], {
      warnings: [`spec.replicas stays 1: the set has traffic in a release (annotation ${ANNOTATIONS.floor})`],
    });
  };
}

function sinks({ operation, subresource, object, oldObject }: AdmissionRequest): boolean {
  if (operation !== 'UPDATE' || subresource !== '') return false;
  const isGoing = stringAt(object, 'metadata', 'deletionTimestamp') !== undefined;
  return (
    !isGoing &&
    (hasFloor(object) || hasFloor(oldObject)) &&
    at(object, ['spec', 'replicas']) === 0 &&
    at(oldObject, ['spec', 'replicas']) !== 0 &&
    stringAt(object, 'metadata', 'annotations', ANNOTATIONS.desiredReplicas) !== '0'
  );
}

function hasFloor(object: JsonMap | undefined): boolean {
  return stringAt(object, 'metadata', 'annotations', ANNOTATIONS.floor) !== undefined;
}
