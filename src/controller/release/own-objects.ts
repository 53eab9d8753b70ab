import type { Rollout } from '../../api/generated.ts';
import { LABELS } from '../../api/names.ts';
import { type JsonMap, stringAt } from '../../json/value.ts';
import { outcomeOf } from '../../kube/api-error.ts';
import type { Resource } from '../../kube/resource.ts';
import { rolloutLabel } from '../../rewrite/directive.ts';
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
    if (ownerOf(present) !== ownerOf(object)) throw new Denied(foreignText(resource.kind, namespace, name));
    throw new TryAgain(`${resource.kind} ${namespace}/${name} has just been made`);
  }
}

/** Whether an object is one of ours, and there for this Rollout. */
export function isMadeFor(object: JsonMap, { metadata }: Pick<Rollout, 'metadata'>): boolean {
  return ownerOf(object) === rolloutLabel(metadata.name ?? '');
}

/** What names the Rollout that an object of ours is there for; undefined for others' objects. */
function ownerOf(object: JsonMap): string | undefined {
  return stringAt(object, 'metadata', 'labels', LABELS.rollout);
}

export function foreignText(kind: string, namespace: string, name: string): string {
  return `${kind} ${namespace}/${name} exists and is not Sluice's; rename or delete it, its name is needed for the new version`;
}
