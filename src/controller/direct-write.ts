import { isList, type JsonList, type JsonMap, member } from '../json/value.ts';
import { type KubeObject, nameOf, resourceVersionOf } from '../kube/client.ts';
import type { Resource } from '../kube/resource.ts';
import type { Operation } from '../rewrite/operations.ts';
import { type Api, FIELD_MANAGER } from './api.ts';

/**
 * Writes what a webhook would have made of a write of ours, where the webhook was not called: the one case in which the
 * controller writes a user's field itself. It takes two writes: the first would take the fields from their owners, so the
 * second puts `managedFields` back exactly as they were (a list that is sent is taken as it is; proven on 1.36).
 *
 * @param stored the object as the write without the webhook left it: with our annotation, and its owner in managedFields
 * @param operations what the webhook would have answered
 * @returns the object as it is stored then
 * @throws ApiError `conflict` when somebody wrote in between; between the two writes the fields are ours for a moment,
 *   and a repetition with the object as it is then would keep them, so it is the caller's to repeat with what it read
 *   first: {@link restoreOwners}
 */
export async function writeDirectly(
  api: Api,
  resource: Resource,
  stored: KubeObject,
  operations: readonly Operation[],
): Promise<KubeObject> {
  const unchanged = { op: 'test', path: '/metadata/resourceVersion', value: resourceVersionOf(stored) };
  const body = [unchanged, ...operations.map((operation) => ({ ...operation }))];
  const written = await api.patch(resource, nameOf(stored), 'json', body, { fieldManager: FIELD_MANAGER });
  return restoreOwners(api, resource, written, ownersOf(stored));
}

/** Puts a list of owners back on an object that is still the one given. */
export function restoreOwners(
  api: Api,
  resource: Resource,
  written: KubeObject,
  owners: JsonList,
): Promise<KubeObject> {
  const metadata: JsonMap = { resourceVersion: resourceVersionOf(written), managedFields: owners };
  return api.patch(resource, nameOf(written), 'merge', { metadata }, { fieldManager: FIELD_MANAGER });
}

/** `metadata.managedFields` (metav1.ManagedFieldsEntry). */
export function ownersOf(object: KubeObject): JsonList {
  const entries = member(object['metadata'], 'managedFields');
  return isList(entries) ? entries : [];
}
