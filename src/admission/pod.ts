import { at, isList, isMap, type Json, member, stringAt } from '../json/value.ts';
import { withPodMetadata } from '../rollout/pod-metadata.ts';
import { allow, type PatchOperation, patch } from './answer.ts';
import type { Inventory, OwnedName } from './inventory.ts';
import type { AdmissionRequest } from './request.ts';
import type { AdmissionHandler } from './route.ts';

/**
 * Judges pods as they are created: those of a ReplicaSet in a release get the labels and annotations that the release
 * gives them. The pod template never says them, or its hash would change in the middle of the release. What is known of
 * the set comes by a watch, so that a pod costs no call; pods of a set that the watch has not brought yet pass as they
 * are, and the controller corrects them.
 */
export function podHandler(inventory: Pick<Inventory, 'podMetadata'>): AdmissionHandler {
  return (request) => {
    const { operation, subresource, object } = request;
    const metadata = member(object, 'metadata');
    const owner = ownerOf(request);
    if (operation !== 'CREATE' || subresource !== '' || !isMap(metadata) || owner === undefined) return allow();
    const given = inventory.podMetadata(owner);
    if (given === undefined) return allow();
    const after = withPodMetadata(metadata, given);
    const operations = (['labels', 'annotations'] as const).flatMap((part): PatchOperation[] => {
      const [value, before] = [after[part], metadata[part]];
      if (value === undefined || value === before) return [];
      return [{ op: before === undefined ? 'add' : 'replace', path: `/metadata/${part}`, value }];
    });
    return operations.length === 0 ? allow() : patch(operations);
  };
}

/** The ReplicaSet that made a pod. */
function ownerOf({ object, namespace }: AdmissionRequest): OwnedName | undefined {
  const references = at(object, ['metadata', 'ownerReferences']);
  const owner = isList(references) ? references.find(isReplicaSet) : undefined;
  const [name, uid] = [stringAt(owner, 'name'), stringAt(owner, 'uid')];
  return name === undefined || uid === undefined ? undefined : { namespace, name, uid };
}

function isReplicaSet(reference: Json): boolean {
  return (
    member(reference, 'controller') === true &&
    stringAt(reference, 'kind') === 'ReplicaSet' &&
    stringAt(reference, 'apiVersion') === 'apps/v1'
  );
}
