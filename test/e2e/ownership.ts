import { expect } from 'vitest';
import { ANNOTATIONS } from '../../src/api/names.ts';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { outcomeOf } from '../../src/kube/api-error.ts';
import type { Client } from '../../src/kube/client.ts';
import { RESOURCES, type Resource } from '../../src/kube/resource.ts';
import { isOwnKey } from '../../src/rewrite/own-keys.ts';
import { virtualService } from './drift/objects.ts';

/** What a controller of Kubernetes writes on the object by itself, at times that nobody chooses. */
export const WRITTEN_BY_OTHERS = new Set(['deployment.kubernetes.io/revision']);

/** Who owns a field, as `manager operation`, by the path of the field as managedFields writes it. */
export function ownersOf(object: JsonMap): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string[]>();
  const entries = member(object['metadata'], 'managedFields');
  for (const entry of isList(entries) ? entries : []) {
    const manager = `${stringAt(entry, 'manager')} ${stringAt(entry, 'operation')}`;
    const visit = (fields: Json | undefined, path: string): void => {
      const members = isMap(fields) ? Object.entries(fields).filter(([key]) => key !== '.') : [];
      if (members.length === 0) owners.set(path, [...(owners.get(path) ?? []), manager]);
      for (const [key, value] of members) visit(value, `${path}/${key}`);
    };
    if (stringAt(entry, 'subresource') === undefined) visit(member(entry, 'fieldsV1'), '');
  }
  for (const key of WRITTEN_BY_OTHERS) owners.delete(`/f:metadata/f:annotations/f:${key}`);
  return owners;
}

/** Fields that the controller owns, as managedFields writes them. */
export function ownedBySluice(object: JsonMap): string[] {
  return [...ownersOf(object)]
    .filter(([, managers]) => managers.some((manager) => manager.startsWith('sluice-controller')))
    .map(([path]) => path);
}

/** Kinds of users' objects that releases write to. */
const KINDS: readonly Resource[] = [
  RESOURCES.deployment,
  RESOURCES.service,
  RESOURCES.ingress,
  RESOURCES.rollout,
  RESOURCES.trafficRouting,
  virtualService.resource,
];

/**
 * What no manager of ours may own (P1): fields of users' objects in namespaces of tests, or in one of them, that are no
 * annotation or label of Sluice. Objects that it made are its own.
 */
export async function takenFields(client: Client, namespace?: string): Promise<string[]> {
  const problems: string[] = [];
  for (const resource of KINDS) {
    for (const object of await listed(client, resource, namespace)) {
      const [home = '', name] = ['namespace', 'name'].map((key) => stringAt(object['metadata'], key));
      const isMade = stringAt(object, 'metadata', 'annotations', ANNOTATIONS.madeFor) !== undefined;
      if (!home.startsWith('test-') || isMade) continue;
      const taken = ownedBySluice(object).filter((path) => !isOwnField(path));
      problems.push(...taken.map((path) => `Sluice owns ${path} of ${resource.kind} ${home}/${name}`));
    }
  }
  return problems;
}

/** Nothing where the cluster has no such kind. */
async function listed(client: Client, resource: Resource, namespace: string | undefined): Promise<readonly JsonMap[]> {
  try {
    return (await client.list(resource, namespace === undefined ? {} : { namespace })).items;
  } catch (error) {
    if (outcomeOf(error) === 'gone') return [];
    throw error;
  }
}

/** For `afterAll`: whatever the tests of a file did, users' fields are theirs. */
export async function expectNoTakenFields(client: Client): Promise<void> {
  expect(await takenFields(client)).toEqual([]);
}

function isOwnField(path: string): boolean {
  const key = /^\/f:metadata\/f:(?:annotations|labels)\/f:(.+)$/.exec(path)?.[1];
  return key !== undefined && isOwnKey(key);
}
