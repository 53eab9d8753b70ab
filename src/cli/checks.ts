import { GROUP, V1BETA1 } from '../api/names.ts';
import { readRollout, validateRollout } from '../api/rollout.ts';
import { schemaKeys } from '../api/schema.ts';
import { nearest } from '../api/suggest.ts';
import { validateSchema } from '../api/validate.ts';
import type { FieldPath, Violation } from '../api/violation.ts';
import { at, isList, isMap, type Json, member, stringAt } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { type Target, targetsOf } from '../rollout/targets.ts';
import { type Finding, findingAt, sorted, violationFinding, warningFinding } from './finding.ts';
import { groupOf, isRollout, isScriptConfigMap, namespaceOf, objectLabel } from './objects.ts';
import { noScript, scriptFinder, scriptSources } from './scripts.ts';

/**
 * Everything that can be said of manifests without running a script or asking a cluster: schema and meaning of Rollouts
 * as admission checks them, kinds that do not exist, objects that are written twice, scripts that are missing or hidden.
 *
 * @param onObject is told each object that is about to be checked
 */
export function checkManifests(
  manifests: readonly Manifest[],
  onObject: (label: string) => void = () => undefined,
): Finding[] {
  const rollouts = manifests.filter(({ value }) => isRollout(value));
  const rivals = rivalsAmong(rollouts.map(({ value }) => value));
  return sorted([
    ...manifests.flatMap((manifest) => {
      onObject(objectLabel(manifest.value));
      return objectFindings(manifest, rivals);
    }),
    ...duplicates(manifests),
    ...scriptFindings(manifests, rollouts),
  ]);
}

function objectFindings(manifest: Manifest, rivals: (rollout: Json) => readonly Json[]): Finding[] {
  const { value } = manifest;
  const kind = kindProblem(value);
  if (kind !== undefined) return [violationFinding(manifest, kind)];
  const schema = validateSchema(value);
  if (!isRollout(value)) return schema.map((violation) => violationFinding(manifest, violation));
  const { violations, warnings } = validateRollout(value, { others: rivals(value) });
  const meaning = violations.filter(({ path }) => !schema.some((shape) => explains(shape.path, path)));
  return [
    ...[...schema, ...meaning].map((violation) => violationFinding(manifest, violation)),
    ...warnings.map((warning) => warningFinding(manifest, warning)),
  ];
}

/**
 * True when a value's wrong shape is why its meaning is wrong too: it is told once, by the check that says what shape it
 * must have. An entry of `matches` seems to be without conditions when those that it has cannot be read.
 */
function explains(shape: FieldPath, meaning: FieldPath): boolean {
  return startsWith(meaning, shape) || (meaning.at(-2) === 'matches' && startsWith(shape, meaning));
}

/**
 * For each Rollout those that might conflict with it: they name the same workload or Service. Validation compares two in
 * full, which for a folder of hundreds, each with all others, would take a minute.
 */
function rivalsAmong(rollouts: readonly Json[]): (rollout: Json) => readonly Json[] {
  const byName = new Map<string, Json[]>();
  for (const rollout of rollouts) {
    for (const name of claims(rollout)) byName.set(name, [...(byName.get(name) ?? []), rollout]);
  }
  return (rollout) =>
    [...new Set(claims(rollout).flatMap((name) => byName.get(name) ?? []))].filter((other) => other !== rollout);
}

/** What validation compares: the names of the workload and of the stable Services, in either version. */
function claims(rollout: Json): string[] {
  const spec = member(rollout, 'spec');
  const names = [stringAt(spec, 'workloadRef', 'name'), stringAt(spec, 'objectRef', 'workloadRef', 'name')];
  const services = ['canary', 'blueGreen'].flatMap((style) => {
    const routings = at(rollout, ['spec', 'strategy', style, 'trafficRoutings']);
    return isList(routings) ? routings.map((routing) => stringAt(routing, 'service')) : [];
  });
  return [
    ...names.flatMap((name) => (name === undefined ? [] : [`workload ${name}`])),
    ...services.flatMap((name) => (name === undefined ? [] : [`service ${name}`])),
  ];
}

function startsWith(path: FieldPath, start: FieldPath): boolean {
  return start.length > 0 && start.every((key, index) => path[index] === key);
}

/** Kinds of this group that OpenKruise has and that never come from a user's file. */
const KINDS_OF_OTHERS = ['BatchRelease', 'RolloutHistory'];

function kindProblem(value: Json): Violation | undefined {
  if (!isMap(value)) return { path: [], message: 'is no object of Kubernetes; write apiVersion, kind and metadata' };
  const apiVersion = stringAt(value, 'apiVersion');
  const kind = stringAt(value, 'kind');
  if (apiVersion === undefined) return { path: ['apiVersion'], message: 'is missing; write it, and the kind' };
  if (kind === undefined) return { path: ['kind'], message: 'is missing; write which kind of object this is' };
  const group = groupOf(apiVersion);
  const kinds = [...new Set(schemaKeys().map((key) => key.slice(key.lastIndexOf('/') + 1)))];
  if (group === GROUP && ![...kinds, ...KINDS_OF_OTHERS].includes(kind)) {
    const likely = nearest(kind, kinds) ?? kinds.join(' or ');
    return { path: ['kind'], message: `${GROUP} has no kind ${kind}; write ${likely}` };
  }
  if (group !== GROUP && kinds.includes(kind) && nearest(group, [GROUP]) !== undefined) {
    return { path: ['apiVersion'], message: `there is no group ${group}; write ${V1BETA1}` };
  }
  return undefined;
}

/** Objects that would overwrite each other: one of them has no effect, and nobody can tell which was meant. */
function duplicates(manifests: readonly Manifest[]): Finding[] {
  const seen = new Map<string, Manifest>();
  return manifests.flatMap((manifest) => {
    const { value } = manifest;
    const [kind, name] = [stringAt(value, 'kind'), stringAt(value, 'metadata', 'name')];
    if (kind === undefined || name === undefined || isScriptConfigMap(value)) return [];
    const key = [groupOf(stringAt(value, 'apiVersion') ?? ''), kind, namespaceOf(value) ?? '', name].join('\n');
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, manifest);
      return [];
    }
    const { line } = first.positionOf([]);
    const message = `${objectLabel(value)} is written in ${first.file}:${line} already; keep one of them`;
    return [findingAt(manifest, ['metadata', 'name'], message, 'warning')];
  });
}

/** Scripts come from this package and the input; one may still be in the cluster, so a missing one is a warning. */
function scriptFindings(manifests: readonly Manifest[], rollouts: readonly Manifest[]): Finding[] {
  const sources = scriptSources(manifests);
  const targets = rollouts.flatMap((manifest) => {
    const read = readRollout(manifest.value);
    return 'rollout' in read ? targetsOf(read.rollout).map((target) => ({ manifest, target })) : [];
  });
  if (targets.length === 0) return [...sources.findings];
  const finder = scriptFinder(loadLibrary(), sources);
  const missing = targets
    .filter(({ target }) => finder.find(target.request) === undefined)
    .map(({ manifest, target }) =>
      findingAt(manifest, placeOf(manifest.value, target), noScript(target.request), 'warning'),
    );
  return [...sources.findings, ...finder.warnings(), ...missing];
}

/** Where a Rollout names a target: the first map, list or Ingress entry that does. The Rollout itself when none does. */
export function placeOf(value: Json, target: Target, path: FieldPath = []): FieldPath {
  return findPlace(value, target, path) ?? [];
}

function findPlace(value: Json, target: Target, path: FieldPath): FieldPath | undefined {
  if (isMap(value) && names(value, target, path.at(-1))) return path;
  const entries = isList(value) ? [...value.entries()] : isMap(value) ? Object.entries(value) : [];
  for (const [key, inner] of entries) {
    const found = findPlace(inner, target, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function names(map: Json, { kind, name }: Target, key: string | number | undefined): boolean {
  if (key === 'gateway') return kind === 'HTTPRoute' && stringAt(map, 'httpRouteName') === name;
  if (stringAt(map, 'name') !== name) return false;
  return key === 'ingress' ? kind === 'Ingress' : stringAt(map, 'kind') === kind;
}
