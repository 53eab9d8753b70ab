import { createTwoFilesPatch } from 'diff';
import type { Rollout } from '../api/generated.ts';
import { conditionTerms } from '../api/matches.ts';
import { violationText } from '../api/violation.ts';
import { equal } from '../json/equal.ts';
import { canonicalJson, parseJson } from '../json/text.ts';
import type { Json, JsonMap } from '../json/value.ts';
import type { ScriptRequest } from '../lua/library.ts';
import type { Script } from '../lua/script.ts';
import { writeYaml } from '../manifest/write.ts';
import { type Declared, declaredOf, scopeOf } from '../rewrite/declared.ts';
import { directiveKey, encodeDirective } from '../rewrite/directive.ts';
import { createRewriter, objectName, RewriteFailed } from '../rewrite/rewriter.ts';
import { canaryIngress } from '../rollout/canary-ingress.ts';
import { stepDirective, stepsOf } from '../rollout/directives.ts';
import { type Target, targetsOf } from '../rollout/targets.ts';
import { type Expectation, readCase } from './case-file.ts';
import { findScripts, type ScriptFolder } from './script-folders.ts';

/** The outcome of one case file, or of a file or folder that should have been one. No failures: it passed. */
export type CaseReport = {
  /** `networking.istio.io/VirtualService`, `ingress/nginx`; undefined where no script is concerned. */
  readonly script?: string;
  readonly file: string;
  /** Each names its step and ends, where objects differ, in a unified diff of their YAML. */
  readonly failures: readonly string[];
};

/**
 * Runs every case of every script below a folder, the way a release runs them: Rollout converted to v1beta1 with its
 * defaults, the directive of each step, the rewrite of the original by the script. A script without cases, a file that
 * nothing reads and a folder without scripts are failures as well.
 */
export function runCases(directory: string): CaseReport[] {
  const { scripts, strays } = findScripts(directory);
  if (scripts.length === 0) {
    const failure = 'no script here: looked for <group>/<Kind>/trafficRouting.lua and ingress/<class>.lua';
    return [{ file: directory, failures: [failure] }];
  }
  const reports = scripts.flatMap((folder) => {
    const { script, file, cases } = folder;
    if (cases.length > 0)
      return cases.map((path) => ({ script: script.name, file: path, failures: runCase(path, folder) }));
    return [{ script: script.name, file, failures: ['has no cases; write some into its testdata folder'] }];
  });
  return [...reports, ...strays.map(({ file, message }) => ({ file, failures: [message] }))];
}

function runCase(file: string, { request, script }: ScriptFolder): string[] {
  const scriptCase = readCase(file);
  if ('problems' in scriptCase) return [...scriptCase.problems];
  const { rollout, original, expected } = scriptCase;
  const target = targetFor(rollout, request, original);
  if (target === undefined) return [`the trafficRoutings of the Rollout name no object of ${script.name}`];
  const count = stepsOf(rollout).length;
  if (count !== expected.length)
    return [`expected holds ${expected.length} objects for the ${count} steps of the Rollout`];
  return expected.flatMap((expectation, i) => {
    const outcome = runStep(rollout, i + 1, target, script, original);
    return stepFailure(outcome, expectation, request).map((failure) => `step ${i + 1}: ${failure}`);
  });
}

/** The target that this script serves; of several, the one that has the original's name. */
function targetFor(rollout: Rollout, request: ScriptRequest, original: JsonMap): Target | undefined {
  const served = targetsOf(rollout).filter((target) => equal({ ...target.request }, { ...request }));
  return served.find(({ name }) => name === objectName(original).name) ?? served[0];
}

type Outcome = { readonly declared: Declared } | { readonly error: string };

function runStep(rollout: Rollout, step: number, target: Target, script: Script, original: JsonMap): Outcome {
  const { matches, violations } = conditionTerms(stepsOf(rollout)[step - 1]?.matches as Json | undefined, ['matches']);
  if (violations.length > 0) return { error: violations.map(violationText).join('\n') };
  const object = target.request.contract === 'ingress' ? canaryIngress(original, target.routes) : original;
  if (object === undefined) return { error: 'no path of the Ingress leads to the stable Service' };
  const declared = declaredOf(object, scopeOf(object));
  const directive = stepDirective(rollout, step, target, script, matches);
  if (directive === undefined) return { declared };
  const directives = new Map([[directiveKey(directive.rollout.name), encodeDirective(directive)]]);
  const rewriter = createRewriter((hash) => (hash === script.hash ? script : undefined), 0);
  try {
    return { declared: rewriter.rewrite(objectName(object), declared, directives, 'throw').declared };
  } catch (error) {
    if (!(error instanceof RewriteFailed)) throw error;
    return { error: error.message };
  }
}

function stepFailure(outcome: Outcome, expectation: Expectation, request: ScriptRequest): string[] {
  if ('error' in expectation) {
    if (!('error' in outcome))
      return [`it should fail with "${expectation.error}", but gives\n${text(outcome.declared)}`];
    return outcome.error.includes(expectation.error)
      ? []
      : [`it should fail with "${expectation.error}", not with: ${outcome.error}`];
  }
  if ('error' in outcome) return [outcome.error];
  // The spec of a canary Ingress is made before its script runs and is the same in every step.
  const { spec: _, ...metadata } = outcome.declared;
  const actual = request.contract === 'ingress' ? annotationsOnly(metadata) : outcome.declared;
  const expected = declaredOf(expectation.object, { specKeys: 'all', metadata: true });
  if (equal({ ...actual }, { ...expected })) return [];
  return [
    createTwoFilesPatch('expected', 'actual', text(expected), text(actual), undefined, undefined, { context: 4 }),
  ];
}

function annotationsOnly({ annotations }: Declared): Declared {
  return annotations === undefined ? {} : { annotations };
}

/** YAML with sorted keys, in the shape of an object. */
function text({ spec, labels, annotations }: Declared): string {
  const metadata = {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const object = {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(spec === undefined ? {} : { spec }),
  };
  return writeYaml(parseJson(canonicalJson(object)));
}
