import { convertRollout } from '../api/conversion.ts';
import { type RolloutApiVersion, V1ALPHA1, V1BETA1 } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import type { ConversionAnswer, ConversionRequest } from './conversion.ts';

/** Objects converted before other requests get their turn: a list of thousands must not hold up an admission. */
const BATCH = 50;

/** At most so many failures are told: the message is shown to whoever listed the objects. */
const TOLD = 10;

type Converted = { readonly object: JsonMap } | { readonly problem: string };

/**
 * Converts the objects of a ConversionReview between the versions of `rollouts.kruise.io`. The API takes all or nothing,
 * so one that cannot be converted fails the request, and the message names each such object.
 */
export async function convertObjects({ desiredApiVersion, objects }: ConversionRequest): Promise<ConversionAnswer> {
  if (desiredApiVersion !== V1ALPHA1 && desiredApiVersion !== V1BETA1) {
    return failed([`there is no version ${desiredApiVersion}; known are ${V1ALPHA1} and ${V1BETA1}`]);
  }
  const converted: JsonMap[] = [];
  const problems: string[] = [];
  for (const [index, object] of objects.entries()) {
    if (index > 0 && index % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
    const outcome = convertOne(object, desiredApiVersion);
    if ('object' in outcome) converted.push(outcome.object);
    else problems.push(`objects[${index}]${nameOf(object)}: ${outcome.problem}`);
  }
  return problems.length === 0 ? { verdict: 'converted', objects: converted } : failed(problems);
}

function convertOne(object: Json, desired: RolloutApiVersion): Converted {
  if (!isMap(object)) return { problem: 'is not an object' };
  const apiVersion = stringAt(object, 'apiVersion');
  if (apiVersion !== V1ALPHA1 && apiVersion !== V1BETA1) {
    return {
      problem: `has apiVersion ${JSON.stringify(object['apiVersion'] ?? null)}, which Sluice cannot convert from`,
    };
  }
  if (apiVersion === desired) return { object };
  if (object['kind'] !== 'Rollout') {
    return { problem: `is of kind ${JSON.stringify(object['kind'] ?? null)}; only Rollouts have two versions` };
  }
  const result = convertRollout(object, desired);
  const changed = changedMetadata(object['metadata'], result['metadata']);
  if (changed !== undefined) throw new Error(`conversion to ${desired} changed metadata.${changed}`);
  return { object: result };
}

/** The API server refuses a conversion that changes metadata other than labels and annotations. */
function changedMetadata(before: Json | undefined, after: Json | undefined): string | undefined {
  const [from, to] = [isMap(before) ? before : {}, isMap(after) ? after : {}];
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].find(
    (key) => key !== 'labels' && key !== 'annotations' && !equal(from[key], to[key]),
  );
}

function nameOf(object: Json): string {
  const [namespace, name] = [stringAt(object, 'metadata', 'namespace'), stringAt(object, 'metadata', 'name')];
  return name === undefined ? '' : ` (${namespace === undefined ? '' : `${namespace}/`}${name})`;
}

function failed(problems: readonly string[]): ConversionAnswer {
  const rest = problems.length > TOLD ? [`and ${problems.length - TOLD} more`] : [];
  return { verdict: 'failed', message: [...problems.slice(0, TOLD), ...rest].join('; ') };
}
