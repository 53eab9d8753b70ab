import { ANNOTATIONS } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { at, isList, isMap, type Json, type JsonList, type JsonMap, member, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { type KubeObject, nameOf, resourceVersionOf } from '../kube/client.ts';
import type { Resource } from '../kube/resource.ts';
import type { Operation } from '../rewrite/operations.ts';
import { isOwnKey } from '../rewrite/own-keys.ts';
import { type Api, FIELD_MANAGER, TryAgain } from './api.ts';

/** So often the owners are put back on an object that others write at the same time: native controllers their status. */
const ATTEMPTS = 10;

/**
 * Writes what a webhook would have made of a write of ours, where the webhook was not called: the one case in which the
 * controller writes a user's field itself. Annotations and fields go in one write, so that whatever stops us finds an
 * object that agrees with itself. That write takes the fields from their owners, so a second one puts `managedFields`
 * back (a list that is sent is taken as it is; proven on 1.36). Where we are stopped between the two, the fields are ours
 * until {@link disown} takes our name off them.
 *
 * @param stored the object that the operations start from
 * @param operations what the webhook would have answered, and what it would have been asked about: {@link throughWebhook}
 * @returns the object as it is stored then
 * @throws ApiError `conflict` when the object is another one by now: then nothing of it was written
 * @throws TryAgain when others changed more than its status before its owners were put back
 */
export async function writeDirectly(
  api: Api,
  resource: Resource,
  stored: KubeObject,
  operations: readonly Operation[],
): Promise<KubeObject> {
  // As a value and not as a test: an API server calls a test that fails an invalid request.
  const fence = { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersionOf(stored) };
  const body = [fence, ...operations.map((operation) => ({ ...operation }))];
  const written = await api.patch(resource, nameOf(stored), 'json', body, { fieldManager: FIELD_MANAGER });
  let present = written;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const owners = ownersAfter(ownersOf(stored), ownersOf(written), ownersOf(present));
    try {
      const restored = await restoreOwners(api, resource, present, owners);
      if (isSame(written, restored)) return restored;
      throw new TryAgain(`${resource.kind} ${nameOf(stored).name} has changed meanwhile`);
    } catch (error) {
      if (outcomeOf(error) !== 'conflict') throw error;
    }
    present = await api.get(resource, nameOf(stored));
    if (stringAt(present, 'metadata', 'uid') !== stringAt(written, 'metadata', 'uid'))
      throw new TryAgain(`${resource.kind} ${nameOf(stored).name} has been made anew`);
  }
  throw new TryAgain(`${resource.kind} ${nameOf(stored).name} changes all the time`);
}

/**
 * Takes our name off the fields of an object that are not ours, where a direct write was stopped in its middle: they are
 * nobody's until their owner applies them again.
 */
export function disown(api: Api, resource: Resource, object: KubeObject): Promise<KubeObject> {
  return restoreOwners(api, resource, object, ownersOf(object).flatMap(ourShare));
}

function restoreOwners(api: Api, resource: Resource, object: KubeObject, owners: JsonList): Promise<KubeObject> {
  if (equal(owners, ownersOf(object))) return Promise.resolve(object);
  const metadata: JsonMap = { resourceVersion: resourceVersionOf(object), managedFields: owners };
  return api.patch(resource, nameOf(object), 'merge', { metadata }, { fieldManager: FIELD_MANAGER });
}

const PATHS = ['spec', 'labels', 'annotations'] as const;

/**
 * The operations that make of an object at once what a write and the webhook's answer to it would have made.
 *
 * @param before the object as it is stored
 * @param sent what the webhook would have been asked about
 * @param answer its operations, which start from `sent`
 */
export function throughWebhook(before: KubeObject, sent: KubeObject, answer: readonly Operation[]): Operation[] {
  return PATHS.flatMap((part): Operation[] => {
    const inObject = part === 'spec' ? [part] : ['metadata', part];
    const path = `/${inObject.join('/')}`;
    const answered = answer.find((operation) => operation.path === path);
    const was = at(before, inObject);
    const becomes = answered === undefined ? at(sent, inObject) : answered.op === 'remove' ? undefined : answered.value;
    if (equal(was, becomes)) return [];
    if (becomes === undefined) return [{ op: 'remove', path }];
    return [{ op: was === undefined ? 'add' : 'replace', path, value: becomes }];
  });
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return [['spec'], ['metadata', 'labels'], ['metadata', 'annotations']].every((path) =>
    equal(at(a, path), at(b, path)),
  );
}

/** `metadata.managedFields` (metav1.ManagedFieldsEntry). */
export function ownersOf(object: KubeObject): JsonList {
  const entries = member(object['metadata'], 'managedFields');
  return isList(entries) ? entries : [];
}

/**
 * The owners after a direct write: those of before, with what others have come to own or given up since.
 *
 * @param before the owners of what the direct write started from
 * @param written the owners that it left
 * @param now the owners as they are, perhaps after writes of others
 * @returns the list to send; our own entry names our own annotations and labels only
 */
export function ownersAfter(before: JsonList, written: JsonList, now: JsonList): JsonList {
  const [was, left, is] = [byName(before), byName(written), byName(now)];
  const kept = [...is].map(([name, entry]) => {
    const [owned, taken] = [was.get(name), left.get(name)];
    if (taken !== undefined && owned !== undefined && equal(taken, entry)) return isOurs(entry) ? entry : owned;
    return withFields(entry, regained(fieldsOf(entry), fieldsOf(owned), fieldsOf(taken)));
  });
  // Who owned nothing but what we have written is not on the list any more.
  const lost = [...was].flatMap(([name, entry]) => (left.has(name) || is.has(name) ? [] : [entry]));
  return [...kept, ...lost].flatMap(ourShare);
}

function byName(entries: JsonList): Map<string, Json> {
  const keys = ['manager', 'operation', 'apiVersion', 'subresource'] as const;
  return new Map(entries.map((entry) => [JSON.stringify(keys.map((key) => stringAt(entry, key) ?? '')), entry]));
}

/** What an entry owns now, and what it owned before the direct write took it. */
function regained(now: JsonMap, before: JsonMap, written: JsonMap): JsonMap {
  const fields: { [key: string]: Json } = { ...now };
  for (const [key, owned] of Object.entries(before)) {
    const [left, is] = [written[key], fields[key]];
    if (left !== undefined && is === undefined) continue; // given up since
    fields[key] = regained(isMap(is) ? is : {}, isMap(owned) ? owned : {}, isMap(left) ? left : {});
  }
  return fields;
}

function fieldsOf(entry: Json | undefined): JsonMap {
  const fields = member(entry, 'fieldsV1');
  return isMap(fields) ? fields : {};
}

function withFields(entry: Json, fieldsV1: JsonMap): Json {
  return isMap(entry) ? { ...entry, fieldsV1 } : entry;
}

/** The entry of a write of ours without what is not ours; nothing where that is all of it. Others' entries stay. */
function ourShare(entry: Json): Json[] {
  if (!isOurs(entry)) return [entry];
  const metadata = member(fieldsOf(entry), 'f:metadata');
  const parts = ['f:labels', 'f:annotations'].flatMap((part): [string, Json][] => {
    const fields = member(metadata, part);
    const own = Object.entries(isMap(fields) ? fields : {}).filter(([key]) => isOwnField(key));
    return own.length === 0 ? [] : [[part, Object.fromEntries(own)]];
  });
  return parts.length === 0 ? [] : [withFields(entry, { 'f:metadata': Object.fromEntries(parts) })];
}

function isOurs(entry: Json): boolean {
  const isMain = (stringAt(entry, 'subresource') ?? '') === '';
  return stringAt(entry, 'manager') === FIELD_MANAGER && stringAt(entry, 'operation') === 'Update' && isMain;
}

/** What the webhook writes is nobody's, also where we have written it for it. */
const WEBHOOKS: readonly string[] = [ANNOTATIONS.original, ANNOTATIONS.inProgressing];

function isOwnField(field: string): boolean {
  const key = field.slice('f:'.length);
  return isOwnKey(key) && !WEBHOOKS.includes(key);
}
