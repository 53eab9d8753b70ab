import { ANNOTATIONS, LABELS } from '../api/names.ts';
import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { resourceVersionOf } from '../kube/client.ts';
import { type Api, FIELD_MANAGER, TryAgain } from './api.ts';
import type { Carrier } from './kinds.ts';
import { type Arming, armingPatch, needsArming } from './plan.ts';
import { seen } from './seen.ts';

/** So often a write is tried again on an object that somebody else has changed in between. */
const ATTEMPTS = 5;

/** Puts the armed directive on a workload; reads it again when it has changed, and leaves alone what came in between. */
export async function arm(api: Api, arming: Arming): Promise<void> {
  const { resource } = arming;
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
    current = { ...current, seen: fresh, workloadType: fresh.workloadType === '' ? arming.workloadType : undefined };
    if (!needsArming(current)) return;
  }
  throw new TryAgain(`${resource.kind} ${name.namespace}/${name.name} changes all the time`);
}

/** Takes an armed directive off an object. One that has become active in between stays. */
export async function disarm(api: Api, { resource, seen: before, directive }: Carrier): Promise<void> {
  const name = { namespace: before.namespace, name: before.name };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const object = await api.get(resource, name);
      const now = seen(object, resource.kind);
      const present = now.directives.find(({ key }) => key === directive.key);
      if (now.uid !== before.uid || present?.isArmed !== true || present.text !== directive.text) return;
      const label =
        now.directives.length === 1 && hasOurLabel(object) ? { labels: { [LABELS.workloadType]: null } } : {};
      const metadata = { resourceVersion: resourceVersionOf(object), annotations: { [directive.key]: null }, ...label };
      await api.patch(resource, name, 'merge', { metadata }, { fieldManager: FIELD_MANAGER, isAnswerRead: false });
      return;
    } catch (error) {
      if (outcomeOf(error) === 'gone') return;
      if (outcomeOf(error) !== 'conflict') throw error;
    }
  }
  throw new TryAgain(`${resource.kind} ${name.namespace}/${name.name} changes all the time`);
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
