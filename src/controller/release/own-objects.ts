import type { Rollout } from '../../api/generated.ts';
import { type JsonMap, stringAt } from '../../json/value.ts';
import { outcomeOf } from '../../kube/api-error.ts';
import type { Resource } from '../../kube/resource.ts';
import { madeFor } from '../../rollout/made-for.ts';
import { type Api, FIELD_MANAGER, TryAgain } from '../api.ts';
import { Denied } from './steer.ts';

/**
 * Creates an object of Sluice's own. One of the same name that is not ours is never taken over.
 * @throws Denied where there is one, TryAgain where ours has come meanwhile
 */
export async function createOwn(api: Api, resource: Resource, object: JsonMap): Promise<void> {
  try {
    await api.create(resource, object, { fieldManager: FIELD_MANAGER, isAnswerRead: false });
  } catch (error) {
    if (outcomeOf(error) !== 'exists') throw error;
    const [namespace = '', name = ''] = ['namespace', 'name'].map((key) => stringAt(object, 'metadata', key));
    const present = await api.get(resource, { namespace, name });
    const [ours, theirs] = [object, present].map((each) => madeFor(each['metadata'], resource.kind));
    if (theirs !== ours) throw new Denied(foreignText(resource.kind, namespace, name));
    throw new TryAgain(`${resource.kind} ${namespace}/${name} has just been made`);
  }
}

/** Whether a Service is one of ours, and there for this Rollout. */
export function isServiceFor(service: JsonMap, { metadata }: Pick<Rollout, 'metadata'>): boolean {
  return madeFor(service['metadata'], 'Service') === `${stringAt(service, 'metadata', 'namespace')}/${metadata.name}`;
}

export function foreignText(kind: string, namespace: string, name: string): string {
  return `${kind} ${namespace}/${name} exists and is not Sluice's; rename or delete it, its name is needed for the new version`;
}
