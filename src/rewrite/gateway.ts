import { isList, isMap, type Json, type JsonMap } from '../json/value.ts';
import { type Run, runScript } from '../lua/run.ts';
import { type Script, ScriptError } from '../lua/script.ts';
import { type Declared, isNotUsers } from './declared.ts';
import type { Directive, GatewayAction } from './directive.ts';
import { asItself, through } from './provenance.ts';
import type { ObjectName, Rewritten } from './rewriter.ts';

/** Fields of a step that scripts written for Kruise Rollouts do not know. One that is not read would be lost in silence. */
const ADDITIVE_MATCH_FIELDS = ['cookies', 'method', 'without'];

/**
 * Rewrites a gateway object with its script, once for each pair of Services, each on the result of the one before.
 *
 * @throws ScriptError when the script fails, returns something that is no object of that sort, or leaves a condition
 *   of the step unread.
 */
export function rewriteGateway(
  original: Declared,
  directive: Directive,
  action: GatewayAction,
  object: ObjectName,
  script: Script,
): Rewritten {
  let declared = original;
  let sourceOf = asItself;
  for (const route of action.routes) {
    const input = scriptInput(declared, directive, action, route, object);
    const run = runScript(script, input);
    for (const unread of unreadFields(input, run)) {
      const message = `the script does not read obj.${unread}, so it cannot express what the step asks for`;
      throw resultError(script, message);
    }
    sourceOf = through(sourceOf, (element) => run.sourceOf(element));
    declared =
      action.contract === 'custom'
        ? customResult(run.value, declared, script)
        : ingressResult(run.value, declared, script);
  }
  return { declared, sourceOf, failures: [] };
}

/**
 * The global `obj` of a script: compat §4.7 for custom kinds, §4.6 for Ingress classes, with the fields that Sluice adds
 * (`patchPodMetadata`, `step`, `rollout`, `object`, `mirror`, `stickiness`).
 */
export function scriptInput(
  { spec, labels, annotations }: Declared,
  { rollout, step }: Directive,
  action: GatewayAction,
  { stableService, canaryService }: GatewayAction['routes'][number],
  object: ObjectName,
): JsonMap {
  const { contract, weight, matches, requestHeaderModifier, podMetadata, mirror, stickiness } = action;
  const common = {
    stableService,
    canaryService,
    ...(matches === undefined ? {} : { matches }),
    ...(requestHeaderModifier === undefined ? {} : { requestHeaderModifier }),
    patchPodMetadata: { labels: podMetadata?.labels ?? {}, annotations: podMetadata?.annotations ?? {} },
    step,
    rollout: { name: rollout.name, namespace: rollout.namespace },
    // A Rollout and its objects share a namespace; of an object that was exported and is applied elsewhere, what it was.
    object: object.namespace === '' ? { ...object } : { ...object, namespace: rollout.namespace },
    ...(mirror === undefined ? {} : { mirror }),
    ...(stickiness === undefined ? {} : { stickiness }),
  };
  // -1 (and 101 for the stable part) is what scripts get for a step without traffic: compat §4.7.
  const canaryWeight = weight ?? -1;
  if (contract === 'ingress') {
    return { ...(annotations === undefined ? {} : { annotations }), weight: String(canaryWeight), ...common };
  }
  const data = {
    ...(spec === undefined ? {} : { spec }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return { data, canaryWeight, stableWeight: 100 - canaryWeight, ...common };
}

function unreadFields(input: JsonMap, run: Run): string[] {
  const wanted: [string, Json | undefined][] = [
    ['mirror', input['mirror']],
    ['stickiness', input['stickiness']],
  ];
  const matches = input['matches'];
  (isList(matches) ? matches : []).forEach((match, i) => {
    if (!isMap(match)) return;
    for (const field of ADDITIVE_MATCH_FIELDS) wanted.push([`matches[${i + 1}].${field}`, match[field]]);
  });
  return wanted.flatMap(([path, value]) => (value !== undefined && !run.wasRead(value) ? [path] : []));
}

function customResult(value: Json, before: Declared, script: Script): Declared {
  if (!isMap(value)) throw resultError(script, 'it must return a table {spec = …, labels = …, annotations = …}');
  const { spec, labels, annotations } = value;
  if (spec === undefined && before.spec !== undefined)
    throw resultError(script, 'the table that it returns has no spec');
  return {
    ...(spec === undefined ? {} : { spec }),
    ...strings('labels', labels, script),
    ...strings('annotations', annotations, script),
  };
}

function ingressResult(value: Json, before: Declared, script: Script): Declared {
  const { annotations: _, ...rest } = before;
  return { ...rest, ...strings('annotations', value, script) };
}

function strings<K extends 'labels' | 'annotations'>(
  key: K,
  map: Json | undefined,
  script: Script,
): { [P in K]?: JsonMap } {
  if (map === undefined || isEmpty(map)) return {};
  if (!isMap(map)) throw resultError(script, `${key} must be a table of strings`);
  for (const [name, value] of Object.entries(map)) {
    if (typeof value !== 'string') throw resultError(script, `${key}["${name}"] must be a string; use tostring()`);
    if (isNotUsers(name)) throw resultError(script, `${key}["${name}"] is a name that no script may write`);
  }
  return { [key]: map } as { [P in K]?: JsonMap };
}

function resultError(script: Script, message: string): ScriptError {
  return new ScriptError(script.name, undefined, 'result', `${script.name}: ${message}`);
}

function isEmpty(value: Json): boolean {
  return isList(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0;
}
