import { readFileSync } from 'node:fs';
import { convertRollout } from '../api/conversion.ts';
import { withDefaults } from '../api/defaults.ts';
import type { Rollout } from '../api/generated.ts';
import { V1ALPHA1, V1BETA1 } from '../api/names.ts';
import { validateSchema } from '../api/validate.ts';
import { type Violation, violationText } from '../api/violation.ts';
import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { readManifests } from '../manifest/read.ts';
import { routingRollout } from '../rollout/traffic-routing.ts';

/** What a step must make of the object: the object itself, or a part of the message with which it must fail. */
export type Expectation = { readonly object: JsonMap } | { readonly error: string };

/** A case of compat §4.10, ready to run: its Rollout is v1beta1 with the defaults of the API. */
export type ScriptCase = {
  readonly rollout: Rollout;
  readonly original: JsonMap;
  readonly expected: readonly Expectation[];
};

const CASE_KEYS = ['rollout', 'trafficRouting', 'original', 'expected'];
const OBJECT_KEYS = ['apiVersion', 'kind', 'metadata', 'spec'];
const METADATA_KEYS = ['name', 'namespace', 'labels', 'annotations'];

/**
 * Reads a case file. Whatever in it would not be used is a problem: a key that no one reads, a Rollout that the API
 * does not take, a second document.
 *
 * @returns the case, or what is wrong with the file, each as `file:line:column: message`.
 */
export function readCase(file: string): ScriptCase | { readonly problems: readonly string[] } {
  const { documents, errors } = readManifests(readFileSync(file, 'utf8'), file);
  if (errors.length > 0) return { problems: errors.map(({ position, message }) => placed(file, position, message)) };
  const [document] = documents;
  if (document === undefined || documents.length > 1)
    return { problems: [`${file}: holds ${documents.length} documents instead of one`] };
  const { value } = document;
  const problems = [...unknownKeys(document, [], CASE_KEYS), ...expectedProblems(document)];
  const original = member(value, 'original');
  const source = rolloutSource(value);
  if (!isMap(original)) problems.push(`${file}: original is missing; write the object as it is before the release`);
  if (source === undefined)
    problems.push(`${file}: rollout is missing; write the Rollout, or a trafficRouting, whose steps are to be run`);
  else problems.push(...rolloutProblems(document, source));
  if (problems.length > 0 || source === undefined || !isMap(original)) return { problems };
  const expected = member(value, 'expected');
  return {
    rollout: asRollout(source.object),
    original,
    expected: isList(expected) ? expected.flatMap(expectation) : [],
  };
}

function placed(file: string, { line, column }: { line: number; column: number }, message: string): string {
  return `${file}:${line}:${column}: ${message}`;
}

function unknownKeys(document: Manifest, path: readonly (string | number)[], known: readonly string[]): string[] {
  const map = at(document.value, path);
  const keys = isMap(map) ? Object.keys(map).filter((key) => !known.includes(key)) : [];
  return keys.map((key) => {
    const message = `${[...path, key].join('.')} is not read by anything; known here: ${known.join(', ')}`;
    return placed(document.file, document.positionOf([...path, key]), message);
  });
}

function expectedProblems(document: Manifest): string[] {
  const expected = member(document.value, 'expected');
  if (!isList(expected)) return [`${document.file}: expected is missing; write a list with one object for each step`];
  return expected.flatMap((step, i) => {
    if (!isMap(step)) {
      const message = `expected.${i} is no object; write the object of step ${i + 1}, or error: with a part of its message`;
      return [placed(document.file, document.positionOf(['expected', i]), message)];
    }
    if (stringAt(step, 'error') !== undefined) return unknownKeys(document, ['expected', i], ['error']);
    const metadata = unknownKeys(document, ['expected', i, 'metadata'], METADATA_KEYS);
    return [...unknownKeys(document, ['expected', i], OBJECT_KEYS), ...metadata];
  });
}

function expectation(step: Json): Expectation[] {
  const error = stringAt(step, 'error');
  if (error !== undefined) return [{ error }];
  return isMap(step) ? [{ object: step }] : [];
}

type Source = { readonly path: 'rollout' | 'trafficRouting'; readonly object: JsonMap };

const KINDS = { rollout: 'Rollout', trafficRouting: 'TrafficRouting' } as const;

/** A Rollout wins over a TrafficRouting. Without an apiVersion both are what Kruise's runner takes them for. */
function rolloutSource(value: Json): Source | undefined {
  const rollout = member(value, 'rollout');
  if (isMap(rollout)) return { path: 'rollout', object: { apiVersion: V1BETA1, kind: 'Rollout', ...rollout } };
  const routing = member(value, 'trafficRouting');
  if (!isMap(routing)) return undefined;
  return { path: 'trafficRouting', object: { apiVersion: V1ALPHA1, kind: 'TrafficRouting', ...routing } };
}

/** Schema violations; a case may leave out what no script can see: names and the workload. */
function rolloutProblems(document: Manifest, { path: key, object }: Source): string[] {
  const kind = KINDS[key];
  if (object['kind'] !== kind) return [placed(document.file, document.positionOf([key]), `${key} is not a ${kind}`)];
  const mayBeMissing = ({ path: [part, field] }: Violation) =>
    part === 'metadata' || (kind === 'Rollout' && (field === 'workloadRef' || field === 'objectRef'));
  return validateSchema(object)
    .filter((violation) => at(object, violation.path) !== undefined || !mayBeMissing(violation))
    .map((violation) =>
      placed(document.file, document.positionOf([key, ...violation.path]), `${key}.${violationText(violation)}`),
    );
}

function asRollout(object: JsonMap): Rollout {
  const converted =
    object['kind'] === 'TrafficRouting' ? routed(withDefaults(object)) : convertRollout(withDefaults(object), V1BETA1);
  // validateSchema has just held it to the schema that the type is generated from, but for what no one here reads
  return withDefaults(converted) as JsonMap & Rollout;
}

function routed(routing: JsonMap): JsonMap {
  const { metadata, spec } = routing;
  return routingRollout(isMap(metadata) ? metadata : {}, spec);
}
