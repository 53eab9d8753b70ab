import { ANNOTATIONS, LABELS } from '../../api/names.ts';
import { at, isMap, type JsonMap, stringAt } from '../../json/value.ts';
import { type Action, decodeDirective, directiveKey, InvalidDirective } from '../../rewrite/directive.ts';
import { holdKey, readHold } from '../../rollout/traffic-routing.ts';
import { mapsAt } from './fields.ts';
import { matchText } from './match-text.ts';
import type { Observed } from './parts.ts';
import type { NetworkPicture } from './picture.ts';

/**
 * The Services and gateway objects, as the Rollout's directive on each says. What Sluice makes for the time of a release
 * is left out while it is not there.
 */
export function networkPictures({ network }: Observed, rollout: string): NetworkPicture[] {
  return network.flatMap(({ part, role, sight }) => {
    const { apiVersion, kind, name } = part;
    const base = { apiVersion, kind, name, role, matches: [] };
    if (sight.state === 'unreadable') return [{ ...base, state: 'unreadable' as const, reason: sight.reason }];
    const [object] = sight.objects;
    if (object === undefined) return role === 'canary' ? [] : [{ ...base, state: 'missing' as const }];
    if (kind === 'TrafficRouting') return [{ ...base, ...held(object, rollout) }];
    return [{ ...base, ...steered(object, rollout, role), ...(role === 'canary' ? canarySelector(object) : {}) }];
  });
}

type Steered = Pick<NetworkPicture, 'state'> & Partial<NetworkPicture>;

function steered(object: JsonMap, rollout: string, role: NetworkPicture['role']): Steered {
  // What Sluice makes itself is not rewritten: it carries what it was made by.
  const key = role === 'canary' ? ANNOTATIONS.madeBy : directiveKey(rollout);
  const text = stringAt(object, 'metadata', 'annotations', key);
  if (text === undefined) return { state: 'resting' };
  try {
    const { step, action } = decodeDirective(key, text);
    return { state: 'steered', step, ...said(action) };
  } catch (error) {
    if (error instanceof InvalidDirective) return { state: 'unreadable', reason: error.message };
    throw error;
  }
}

/** All gateway objects of a TrafficRouting are steered by what it says, as long as the Rollout holds it. */
function held(routing: JsonMap, rollout: string): Steered {
  const hold = readHold(stringAt(routing, 'metadata', 'annotations', holdKey(rollout)));
  if (hold === undefined) return { state: 'resting' };
  const { step, weight = at(routing, ['spec', 'strategy', 'weight']) } = hold.traffic;
  const matches = weight === 100 ? [] : mapsAt(routing, 'spec', 'strategy', 'matches');
  return {
    state: 'steered',
    step,
    ...(typeof weight === 'number' ? { weight } : {}),
    matches: matches.map(matchText),
  };
}

function said(action: Action): Partial<NetworkPicture> {
  if (action.type === 'service') return { selector: action.selector };
  if (action.type !== 'gateway') return {};
  const { weight, matches = [] } = action;
  return { ...(weight === undefined ? {} : { weight }), matches: matches.map(matchText) };
}

/** A canary Service is Sluice's own: it needs no directive to select the new version. */
function canarySelector(object: JsonMap): Partial<NetworkPicture> {
  const selector = at(object, ['spec', 'selector']);
  const hash = isMap(selector) ? stringAt(selector, LABELS.podTemplateHash) : undefined;
  return hash === undefined ? {} : { selector: { [LABELS.podTemplateHash]: hash } };
}
