import type { CanaryStep, Rollout, TrafficRoutingSpec } from '../api/generated.ts';
import { ANNOTATIONS, HOLD_PREFIX, ROUTING_PREFIX } from '../api/names.ts';
import type { FieldPath } from '../api/violation.ts';
import { parseJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { rolloutLabel } from '../rewrite/directive.ts';

/** What directives call a TrafficRouting. */
export function routingName(name: string): string {
  return ROUTING_PREFIX + name;
}

/** Whether a key `namespace/name` is that of a TrafficRouting. */
export function isRoutingKey(key: string): boolean {
  return key.slice(key.indexOf('/') + 1).startsWith(ROUTING_PREFIX);
}

/** The TrafficRouting object that a Rollout leaves traffic to, and the field that says so. */
export function trafficRoutingOf(rollout: Rollout): { readonly name: string; readonly path: FieldPath } | undefined {
  const annotation = rollout.metadata.annotations?.[ANNOTATIONS.trafficRouting];
  if (annotation) return { name: annotation, path: ['metadata', 'annotations', ANNOTATIONS.trafficRouting] };
  const { canary, blueGreen } = rollout.spec?.strategy ?? {};
  const style = canary === undefined ? 'blueGreen' : 'canary';
  const field = (canary ?? blueGreen)?.trafficRoutingRef;
  return field ? { name: field, path: ['spec', 'strategy', style, 'trafficRoutingRef'] } : undefined;
}

/**
 * What a TrafficRouting amounts to: a Rollout of one step and without a workload, whose Services carry both versions
 * (compat §4.8).
 *
 * @param spec with the defaults of the API
 */
export function routingRollout(metadata: JsonMap, spec: Json | undefined): JsonMap {
  const step = routingStep(member(spec, 'strategy'));
  const trafficRoutings = member(spec, 'objectRef') ?? [];
  const canary = { disableGenerateCanaryService: true, steps: [step], trafficRoutings };
  return { apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', metadata, spec: { strategy: { canary } } };
}

function routingStep(strategy: Json | undefined): JsonMap {
  const { weight, matches, requestHeaderModifier } = isMap(strategy) ? strategy : {};
  return {
    ...(weight === undefined ? {} : { traffic: `${weight}%` }),
    ...(matches === undefined ? {} : { matches }),
    ...(requestHeaderModifier === undefined ? {} : { requestHeaderModifier }),
  };
}

/**
 * A step of a Rollout that leaves all of its traffic to a TrafficRouting, which does the same in every step.
 * @param strategy undefined while there is no such object: then nothing goes to the new version
 */
export function routedStep(step: CanaryStep, strategy: TrafficRoutingSpec['strategy'] | undefined): CanaryStep {
  const { traffic: _1, matches: _2, requestHeaderModifier: _3, ...rest } = step;
  const traffic = strategy === undefined ? { traffic: '0%' } : routingStep(strategy as unknown as JsonMap);
  return { ...rest, ...traffic } as CanaryStep;
}

/** What a release wants of a TrafficRouting: a step, and a percentage where it differs from the step's own. */
type Traffic = { readonly step: number; readonly weight: number | undefined };

/** The annotation on a TrafficRouting by which a Rollout uses it. */
export function holdKey(rolloutName: string): string {
  return HOLD_PREFIX + rolloutLabel(rolloutName);
}

/** Its text; the same traffic has the same text. */
export function encodeHold(rollout: string, { step, weight }: Traffic): string {
  return JSON.stringify({ rollout, step, ...(weight === undefined ? {} : { weight }) });
}

/** Undefined for a text that says nothing: it holds nothing, and its annotation is nobody's. */
export function readHold(text: Json | undefined): { rollout: string; traffic: Traffic } | undefined {
  const value = parsed(typeof text === 'string' ? text : '');
  const [rollout, step, weight] = [stringAt(value, 'rollout'), member(value, 'step'), member(value, 'weight')];
  if (rollout === undefined || typeof step !== 'number') return undefined;
  return { rollout, traffic: { step, weight: typeof weight === 'number' ? weight : undefined } };
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null; // somebody's own text
  }
}
