import type { Rollout } from '../api/generated.ts';
import { readRollout } from '../api/rollout.ts';
import { isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { type Library, loadLibrary } from '../lua/library.ts';
import type { Script } from '../lua/script.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { stepsOf } from '../rollout/directives.ts';
import { type Target, targetsOf } from '../rollout/targets.ts';
import { placeOf } from './checks.ts';
import { type Finding, findingAt } from './finding.ts';
import { groupOf, isRollout, nameOf, namespaceOf, rolloutLabel } from './objects.ts';
import { noScript, type ScriptSources, scriptFinder, scriptSources } from './scripts.ts';

/** A gateway object that a release rewrites, and the script that does it. */
export type Subject = { readonly target: Target; readonly source: JsonMap; readonly script: Script };

/** A Rollout (v1beta1, with defaults), `namespace/name`, and everything of the input that its release touches. */
export type ReleasePlan = {
  readonly rollout: Rollout;
  readonly name: string;
  readonly steps: number;
  readonly subjects: readonly Subject[];
};

/**
 * Finds for each Rollout its objects among the manifests, and a script for each. What is missing becomes an error at
 * the place where the Rollout names it.
 */
export function planReleases(
  manifests: readonly Manifest[],
  library: Library = loadLibrary(),
): { plans: ReleasePlan[]; findings: Finding[] } {
  const sources: ScriptSources = scriptSources(manifests);
  const finder = scriptFinder(library, sources);
  const findings: Finding[] = [];
  const plans = manifests
    .filter(({ value }) => isRollout(value))
    .flatMap((manifest) => {
      const read = readRollout(manifest.value);
      if ('violations' in read) return [];
      const subjects = targetsOf(read.rollout).flatMap((target) => {
        const report = (message: string) =>
          findings.push(findingAt(manifest, placeOf(manifest.value, target), message));
        const source = findObject(target, manifest.value, manifests, report);
        const found = finder.find(target.request);
        if (found === undefined) report(noScript(target.request));
        return source === undefined || found === undefined ? [] : [{ target, source, script: found.script }];
      });
      const { rollout } = read;
      return [{ rollout, name: rolloutLabel(manifest.value), steps: stepsOf(rollout).length, subjects }];
    });
  return { plans, findings };
}

/**
 * The object that a target names: by group, kind and name (any version, as the API server serves each in all), in the
 * Rollout's namespace; one that is not written fits any.
 */
function findObject(
  { apiVersion, kind, name }: Target,
  rollout: Json,
  manifests: readonly Manifest[],
  report: (message: string) => void,
): JsonMap | undefined {
  const namespace = namespaceOf(rollout);
  const fits = (value: Json) =>
    stringAt(value, 'kind') === kind &&
    nameOf(value) === name &&
    groupOf(stringAt(value, 'apiVersion') ?? '') === groupOf(apiVersion);
  const named = manifests.filter(({ value }) => fits(value));
  const exact = named.filter(({ value }) => namespaceOf(value) === namespace);
  const loose = named.filter(({ value }) => namespace === undefined || namespaceOf(value) === undefined);
  const [first, second] = exact.length > 0 ? exact : loose;
  if (first === undefined) {
    report(missing(kind, name, namespace, named));
    return undefined;
  }
  if (second !== undefined) {
    const places = [first, second].map((manifest) => `${manifest.file}:${manifest.positionOf([]).line}`);
    report(`${kind} ${name} is written twice, in ${places.join(' and ')}; leave one of them out`);
    return undefined;
  }
  return isMap(first.value) ? first.value : undefined;
}

function missing(kind: string, name: string, namespace: string | undefined, elsewhere: readonly Manifest[]): string {
  const where = namespace === undefined ? '' : ` in the namespace ${namespace}`;
  const other = elsewhere.map(({ value, file }) => `, only one in ${namespaceOf(value)} (${file})`)[0] ?? '';
  return `${kind} ${name}${where} is not in the input${other}; add the file that has it: -f FILE`;
}
