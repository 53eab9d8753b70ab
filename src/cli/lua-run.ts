import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { convertRollout } from '../api/conversion.ts';
import { withDefaults } from '../api/defaults.ts';
import type { Rollout } from '../api/generated.ts';
import { conditionTerms } from '../api/matches.ts';
import { V1BETA1 } from '../api/names.ts';
import { validateSchema } from '../api/validate.ts';
import { violationText } from '../api/violation.ts';
import { at, isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { runScript } from '../lua/run.ts';
import { makeScript, type Script, ScriptError } from '../lua/script.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { readManifests } from '../manifest/read.ts';
import { writeYaml } from '../manifest/write.ts';
import { type Declared, declaredOf, scopeOf } from '../rewrite/declared.ts';
import { type Directive, directiveKey, encodeDirective } from '../rewrite/directive.ts';
import { scriptInput } from '../rewrite/gateway.ts';
import { createRewriter, objectName, RewriteFailed } from '../rewrite/rewriter.ts';
import { canaryIngress } from '../rollout/canary-ingress.ts';
import { stepDirective, stepsOf } from '../rollout/directives.ts';
import { type Target, targetsOf } from '../rollout/targets.ts';
import { errorFinding, type Finding, findingLine, violationFinding } from './finding.ts';
import { attempt } from './input.ts';
import { besideObject, groupOf, isRollout, nameOf, objectLabel } from './objects.ts';
import type { Terminal } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

export type LuaRunOptions = {
  readonly script: string;
  readonly object: string;
  readonly rollout: string;
  readonly step: number;
};

/**
 * `sluice lua run`: one run of one script, the way a step of a release runs it. Prints the object as it becomes; what the
 * script prints goes to standard error.
 * @returns the exit code: 1 when the script fails or the Rollout is wrong.
 */
export function luaRun(options: LuaRunOptions, terminal: Terminal): number {
  const { err, out } = terminal;
  const script = makeScript(
    options.script,
    attempt(options.script, 'read', () => readFileSync(options.script, 'utf8')),
    modulesFor(options.script),
  );
  const rollouts = readFile(options.rollout).filter(({ value }) => isRollout(value));
  const objects = readFile(options.object).filter(({ value }) => !isRollout(value));
  const findings = rollouts.flatMap(mistakes);
  for (const finding of findings) err.line(findingLine(finding, err));
  if (findings.length > 0) return EXIT.findings;
  const { rollout, target, object } = pairOf(
    rollouts.map(({ value }) => hub(value)),
    objects,
    options,
  );
  try {
    const { declared, subject, log } = runStep(rollout, target, object, script, options.step);
    for (const line of log) err.line(line);
    out.write(writeYaml(withDeclared(subject, declared)));
    return EXIT.fine;
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    for (const line of error.log) err.line(line);
    err.line(`${err.paint('red', 'error:')} ${error.message}`);
    return EXIT.findings;
  }
}

/** The script, or what the Rollout asks of it, is wrong. */
class Failed extends Error {
  /** What the script had printed by then. */
  readonly log: readonly string[];

  constructor(message: string, log: readonly string[] = []) {
    super(message);
    this.log = log;
  }
}

function readFile(file: string): Manifest[] {
  const { documents, errors } = readManifests(
    attempt(file, 'read', () => readFileSync(file, 'utf8')),
    file,
  );
  const [error] = errors;
  if (error === undefined) return documents;
  const { line, column, message } = errorFinding(error);
  throw new UsageError(`${file}:${line}:${column}: ${message}`);
}

/** The shipped modules, and those in the folder `modules` of the library that the script stands in. */
function modulesFor(file: string): Map<string, string> {
  const modules = new Map(loadLibrary().modules);
  for (const folder of [join(dirname(file), '..', 'modules'), join(dirname(file), '..', '..', 'modules')]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.lua'))) {
      modules.set(basename(name, '.lua'), readFileSync(join(folder, name), 'utf8'));
    }
  }
  return modules;
}

/** What is wrong with the fields that are written; a Rollout to try a script with may leave out what no script sees. */
function mistakes(manifest: Manifest): Finding[] {
  return validateSchema(manifest.value)
    .filter(({ path }) => at(manifest.value, path) !== undefined)
    .map((violation) => violationFinding(manifest, violation));
}

function hub(value: Json): Rollout {
  // its fields have just been checked against the schema that the type is generated from
  return withDefaults(convertRollout(withDefaults(value), V1BETA1)) as unknown as Rollout;
}

type Pair = { readonly rollout: Rollout; readonly target: Target; readonly object: JsonMap };

/** The first object that one of the Rollouts names. @throws UsageError when there is none */
function pairOf(rollouts: readonly Rollout[], objects: readonly Manifest[], options: LuaRunOptions): Pair {
  if (rollouts.length === 0)
    throw new UsageError(`there is no Rollout in ${options.rollout}; name a file that has one`);
  if (objects.length === 0) throw new UsageError(`there is no object in ${options.object}; name a file that has one`);
  const targets = rollouts.flatMap((rollout) => targetsOf(rollout).map((target) => ({ rollout, target })));
  for (const { rollout, target } of targets) {
    const object = objects.map(({ value }) => value).find((value) => isMap(value) && isNamed(value, target));
    if (isMap(object)) return { rollout: besideObject(rollout, object), target, object };
  }
  const named = targets.map(({ target }) => `${target.kind} ${target.name}`).join(', ') || 'no object';
  const given = objects.map(({ value }) => objectLabel(value)).join(', ');
  throw new UsageError(`${options.rollout} names ${named}, and ${options.object} has ${given}; make them fit`);
}

function isNamed(object: JsonMap, { apiVersion, kind, name }: Target): boolean {
  const group = groupOf(stringAt(object, 'apiVersion') ?? '');
  return stringAt(object, 'kind') === kind && nameOf(object) === name && group === groupOf(apiVersion);
}

type StepRun = { readonly subject: JsonMap; readonly declared: Declared; readonly log: readonly string[] };

/** @throws Failed, or UsageError for a step that the Rollout does not have */
function runStep(rollout: Rollout, target: Target, object: JsonMap, script: Script, step: number): StepRun {
  const steps = stepsOf(rollout);
  const chosen = steps[step - 1];
  if (chosen === undefined)
    throw new UsageError(`there is no step ${step}: the Rollout has the steps 1 to ${steps.length}`);
  const { matches, violations } = conditionTerms(chosen.matches as Json | undefined, ['steps', step - 1, 'matches']);
  if (violations.length > 0) throw new Failed(violations.map(violationText).join('\n'));
  const subject = target.request.contract === 'ingress' ? canaryIngress(object, target.routes) : object;
  if (subject === undefined) throw new Failed(`no path of ${objectLabel(object)} leads to the stable Service`);
  const declared = declaredOf(subject, scopeOf(subject));
  const directive = stepDirective(rollout, step, target, script, matches);
  if (directive !== undefined) return { subject, ...runDirective(subject, declared, directive, script) };
  return { subject, declared, log: [`step ${step} has neither traffic nor matches, so no script runs in it`] };
}

/** @throws Failed */
function runDirective(
  subject: JsonMap,
  before: Declared,
  directive: Directive,
  script: Script,
): Omit<StepRun, 'subject'> {
  const rewriter = createRewriter(() => script, 0);
  const key = directiveKey(directive.rollout.name);
  try {
    const log = printed(subject, before, directive, script);
    const directives = new Map([[key, encodeDirective(directive)]]);
    return { declared: rewriter.rewrite(objectName(subject), before, directives, 'throw').declared, log };
  } catch (error) {
    if (error instanceof ScriptError) throw new Failed(error.message, error.log);
    if (error instanceof RewriteFailed) throw new Failed(error.message);
    throw error;
  }
}

/** What the script prints for the first pair of Services. The rewrite keeps no log, and a script is a pure function. */
function printed(subject: JsonMap, declared: Declared, directive: Directive, script: Script): readonly string[] {
  const { action } = directive;
  if (action.type !== 'gateway') return [];
  const [route] = action.routes;
  if (route === undefined) return [];
  return runScript(script, scriptInput(declared, directive, action, route, objectName(subject))).log;
}

function withDeclared(object: JsonMap, { spec, labels, annotations }: Declared): JsonMap {
  const { labels: _, annotations: __, ...identity } = isMap(object['metadata']) ? object['metadata'] : {};
  const metadata = {
    ...identity,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return { ...object, metadata, ...(spec === undefined ? {} : { spec }) };
}
