import { equal } from '../json/equal.ts';
import { at, isList, isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { attach, detach } from './carry.ts';
import { type RolloutApiVersion, V1ALPHA1, V1BETA1 } from './names.ts';
import { applyOverlay, overlayOf, type Units } from './overlay.ts';
import { toAlpha, toBeta } from './project.ts';

/** Fields of v1alpha1 that mean one thing together: an old overlay must not bring back one without the other. */
const UNITS: Units = [
  ['networkRefs', 'customNetworkRefs'],
  ['weight', 'replicas'],
];

/**
 * A Rollout in another version of the API, with nothing lost: what that version has no field for travels in the
 * annotation `sluice.dev/conversion` and comes back with the way back, so that there and back again is the same object.
 * If someone edits the object in between, what they see wins over the annotation: each part of it takes effect only
 * where the fields that it belongs to still say what they said.
 *
 * An object in neither version gets the new `apiVersion` and nothing else. Never throws.
 *
 * @param object a Rollout of any shape; anything but a map gives an empty Rollout
 */
export function convertRollout(object: Json, toApiVersion: RolloutApiVersion): JsonMap {
  if (!isMap(object)) return { apiVersion: toApiVersion, kind: 'Rollout' };
  const from = member(object, 'apiVersion');
  if (from === toApiVersion) return object;
  if (from !== V1ALPHA1 && from !== V1BETA1) return { ...object, apiVersion: toApiVersion };
  const [there, back] = toApiVersion === V1BETA1 ? [toBeta, toAlpha] : [toAlpha, toBeta];
  const { object: bare, lost } = detach(object, toApiVersion);
  const shown = there(bare);
  const whole = lost === undefined ? shown : settled(shown, asMap(applyOverlay(shown, lost), shown), lost);
  const missing = overlayOf(back(whole), bare, UNITS) ?? (looksLikeOurs(whole, from) ? {} : undefined);
  return missing === undefined ? whole : attach(whole, from, missing);
}

/** True when the annotation, copied from elsewhere, would be taken for one of this conversion on the way back. */
function looksLikeOurs(object: JsonMap, version: RolloutApiVersion): boolean {
  return detach(object, version).object !== object;
}

function asMap(value: Json | undefined, otherwise: JsonMap): JsonMap {
  return isMap(value) ? value : otherwise;
}

const STRATEGY = ['spec', 'strategy'] as const;
const CANARY = [...STRATEGY, 'canary'] as const;
const FIELD = 'disableGenerateCanaryService';

/** Two cases in which a part of the overlay stands far from the field that was edited against it. */
function settled(shown: JsonMap, whole: JsonMap, lost: Json): JsonMap {
  // whoever writes a canary strategy into what v1alpha1 shows of a blue-green Rollout wants a canary release
  if (at(shown, CANARY) !== undefined && at(whole, [...STRATEGY, 'blueGreen']) !== undefined) {
    return edited(whole, STRATEGY, ({ blueGreen: _, ...strategy }) => strategy);
  }
  // createCanaryService stands for a disableGenerateCanaryService that has been changed in v1beta1 since
  const change = at(lost, CANARY.flatMap((key) => ['in', key]).concat('in', FIELD));
  if (change !== undefined && !equal(member(change, 'over'), at(shown, [...CANARY, FIELD]))) {
    return edited(whole, CANARY, (canary) => ({ ...canary, ...withoutOldForm(canary['trafficRoutings']) }));
  }
  return whole;
}

function withoutOldForm(routings: Json | undefined): JsonMap {
  if (!isList(routings)) return {};
  const kept = routings.map((entry) => {
    if (!isMap(entry)) return entry;
    const { createCanaryService: _, ...rest } = entry;
    return rest;
  });
  return { trafficRoutings: kept };
}

function edited(object: JsonMap, path: readonly string[], change: (map: JsonMap) => JsonMap): JsonMap {
  const [key, ...rest] = path;
  if (key === undefined) return change(object);
  const inner = member(object, key);
  return isMap(inner) ? { ...object, [key]: edited(inner, rest, change) } : object;
}
