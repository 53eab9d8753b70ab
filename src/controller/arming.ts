import { ANNOTATIONS, LABELS } from '../api/names.ts';
import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { resourceVersionOf } from '../kube/client.ts';
import { type Api, FIELD_MANAGER, TryAgain } from './api.ts';
import type { Carrier } from './kinds.ts';
import { type Arming, armingPatch, needsArming, type TakenOver } from './plan.ts';
import { type CarriedDirective, type Seen, seen } from './seen.ts';

/** So often a write is tried again on an object that somebody else has changed in between. */
const ATTEMPTS = 5;

/**
 * Puts the armed directive on a workload, or takes over what a Rollout that is gone has left there; reads it again when it
 * has changed, and leaves alone what came in between.
 */
export async function arm(api: Api, arming: Arming): Promise<void> {
  const { resource, takenOver } = arming;
  // A Service without it would lead to the new version, were it only for a moment.
  for (const pin of takenOver?.pins ?? []) await takeOver(api, pin);
  const name = { namespace: arming.seen.namespace, name: arming.seen.name };
  let current = arming;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await api.patch(resource, name, 'merge', armingPatch(current), {
        fieldManager: FIELD_MANAGER,
        isAnswerRead: false,
      });
      return;
    } catch (error) {
      if (outcomeOf(error) === 'gone') return; // the watch brings it
      if (outcomeOf(error) !== 'conflict') throw error;
    }
    const fresh = seen(await api.get(resource, name), resource.kind);
    if (fresh.uid !== arming.seen.uid) throw new TryAgain(`${resource.kind} ${name.name} has been made anew`);
    if (takenOver !== undefined && !isCarrying(fresh, takenOver.directive))
      throw new TryAgain(`${resource.kind} ${name.name} is held in another way by now`);
    current = { ...current, seen: fresh, workloadType: fresh.workloadType === '' ? arming.workloadType : undefined };
    if (!needsArming(current)) return;
  }
  throw new TryAgain(`${resource.kind} ${name.namespace}/${name.name} changes all the time`);
}

async function takeOver(api: Api, { carrier, key, text }: TakenOver): Promise<void> {
  const { directive } = carrier;
  await written(api, carrier, (now) =>
    // It may be led by something else by now.
    isCarrying(now, directive) ? { annotations: { [key]: text, [directive.key]: null } } : undefined,
  );
}

/**
 * Writes labels and annotations of an object as it is now, again where somebody else has changed it in between.
 *
 * @param metadataFor what to write; undefined where nothing is to be written any more
 * @throws TryAgain when it changes all the time
 */
async function written(
  api: Api,
  { resource, seen: { namespace, name } }: Carrier,
  metadataFor: (now: Seen, object: JsonMap) => JsonMap | undefined,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const object = await api.get(resource, { namespace, name });
      const change = metadataFor(seen(object, resource.kind), object);
      if (change === undefined) return;
      const body = { metadata: { resourceVersion: resourceVersionOf(object), ...change } };
      await api.patch(resource, { namespace, name }, 'merge', body, {
        fieldManager: FIELD_MANAGER,
        isAnswerRead: false,
      });
      return;
    } catch (error) {
      if (outcomeOf(error) === 'gone') return;
      if (outcomeOf(error) !== 'conflict') throw error;
    }
  }
  throw new TryAgain(`${resource.kind} ${namespace}/${name} changes all the time`);
}

function isCarrying({ directives }: Seen, { key, text }: CarriedDirective): boolean {
  return directives.some((each) => each.key === key && each.text === text);
}

/** Takes an armed directive off an object. One that has become active in between stays. */
export async function disarm(api: Api, carrier: Carrier): Promise<void> {
  const { seen: before, directive } = carrier;
  await written(api, carrier, (now, object) => {
    const present = now.directives.find(({ key }) => key === directive.key);
    if (now.uid !== before.uid || present?.isArmed !== true || present.text !== directive.text) return undefined;
    const label = now.directives.length === 1 && hasOurLabel(object) ? { labels: { [LABELS.workloadType]: null } } : {};
    return { annotations: { [directive.key]: null }, ...label };
  });
}

/**
 * Whether the label came from us alone: a user's source may hold it, too, and would find it missing. Who applies on the
 * client's side and finds the label there already writes nothing of it, and owns it by the last-applied text only.
 */
export function hasOurLabel(object: JsonMap): boolean {
  const applied = stringAt(object, 'metadata', 'annotations', ANNOTATIONS.lastApplied);
  if (applied?.includes(JSON.stringify(LABELS.workloadType)) === true) return false;
  const entries = at(object, ['metadata', 'managedFields']);
  const owners = (isList(entries) ? entries : []).filter(ownsLabel).map((entry) => stringAt(entry, 'manager'));
  return owners.length > 0 && owners.every((manager) => manager === FIELD_MANAGER);
}

function ownsLabel(entry: Json): boolean {
  const labels = at(entry, ['fieldsV1', 'f:metadata', 'f:labels']);
  return isMap(labels) && member(labels, `f:${LABELS.workloadType}`) !== undefined;
}
