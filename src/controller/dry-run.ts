import type { CanaryStep, Rollout } from '../api/generated.ts';
import { conditionTerms } from '../api/matches.ts';
import { type FieldPath, fieldPath, violationText } from '../api/violation.ts';
import type { Judged } from '../isolate/decide.ts';
import { equal } from '../json/equal.ts';
import { isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { type Script, ScriptError } from '../lua/script.ts';
import { scriptHashesOf, type Verdict, type Write } from '../rewrite/decide.ts';
import { isNotUsers } from '../rewrite/declared.ts';
import { directiveKey, encodeDirective, glanceAt } from '../rewrite/directive.ts';
import { ownOf } from '../rewrite/own-keys.ts';
import { canaryIngress } from '../rollout/canary-ingress.ts';
import { stepDirective, stepsOf } from '../rollout/directives.ts';
import type { ServicePair, Target } from '../rollout/targets.ts';
import type { PlacedTarget } from './references.ts';

/** A gateway object as it is stored, and the script that rewrites it; for an Ingress class the stable Ingress. */
export type Subject = PlacedTarget & { readonly object: JsonMap; readonly script: Script };

/** Why a step cannot be carried out as it is written: `path: what, and what to do`. */
export type Obstacle = {
  readonly message: string;
  /** True where a script was only stopped for the time that it took: the machine may have been busy. */
  readonly mayPass: boolean;
};

/** The machinery of admission, where a script that never ends is stopped. */
export type Decide = (write: Write, scripts: readonly Script[]) => Promise<Judged>;

/**
 * Plays every step on the objects as they are now, each as admission would: what a release would stumble over in the
 * middle is known before it starts. Nothing is written.
 *
 * @param pinned scripts of other Rollouts' directives on the same objects
 */
export async function dryRun(
  rollout: Rollout,
  subjects: readonly Subject[],
  decide: Decide,
  pinned: (hash: string) => Script | undefined,
): Promise<Obstacle[]> {
  const obstacles: Obstacle[] = [];
  for (const [index, step] of stepsOf(rollout).entries()) {
    const place = stepPlace(rollout, index);
    const reached = new Map<string, boolean>();
    for (const subject of subjects) {
      const outcome = await playStep(rollout, index + 1, step, subject, decide, pinned);
      if (outcome === undefined) continue; // the step asks nothing of gateway objects
      if ('problem' in outcome) {
        obstacles.push({
          message: `${fieldPath(place)}: ${label(subject)}: ${outcome.problem}`,
          mayPass: outcome.mayPass,
        });
        for (const { stableService } of subject.target.routes) reached.set(stableService, true); // told once is enough
      } else
        for (const [service, isReached] of outcome.reached)
          reached.set(service, isReached || reached.get(service) === true);
    }
    for (const [service, isReached] of reached) {
      if (!isReached && steers(step)) obstacles.push({ message: unreached(place, service, subjects), mayPass: false });
    }
  }
  return obstacles;
}

function stepPlace(rollout: Rollout, index: number): FieldPath {
  const style = rollout.spec?.strategy.canary === undefined ? 'blueGreen' : 'canary';
  return ['spec', 'strategy', style, 'steps', index];
}

/** A weight of 0 may well leave an object as it is. */
function steers({ traffic, matches }: CanaryStep): boolean {
  return (traffic !== undefined && Number.parseInt(traffic, 10) > 0) || (matches ?? []).length > 0;
}

function label({ target, object }: Subject): string {
  const namespace = member(member(object, 'metadata'), 'namespace');
  return `${target.kind} ${String(namespace)}/${target.name}`;
}

function unreached(place: FieldPath, service: string, subjects: readonly Subject[]): string {
  const names = subjects
    .filter(({ target }) => target.routes.some(({ stableService }) => stableService === service))
    .map(label);
  return `${fieldPath(place)}: no rule of ${names.join(', ')} leads to Service ${service}, so the step would change nothing; name the Service that its rules lead to, or another object`;
}

type Played =
  | undefined
  | { readonly problem: string; readonly mayPass: boolean }
  /** For each stable Service of the target whether the step changes the object on its account. */
  | { readonly reached: ReadonlyMap<string, boolean> };

/** The outcome for some of the target's Services; undefined when the step asks nothing of gateway objects. */
type Outcome = undefined | { readonly problem: string; readonly mayPass: boolean } | { readonly isChanged: boolean };

async function playStep(
  rollout: Rollout,
  step: number,
  canaryStep: CanaryStep,
  subject: Subject,
  decide: Decide,
  pinned: (hash: string) => Script | undefined,
): Promise<Played> {
  const { matches, violations } = conditionTerms(canaryStep.matches as Json | undefined, ['matches']);
  if (violations.length > 0) return { problem: violations.map(violationText).join('; '), mayPass: false };
  const play = async (routes: readonly ServicePair[]): Promise<Outcome> => {
    const target: Target = { ...subject.target, routes };
    const prepared = prepare(rollout, target, subject.object);
    if (prepared === undefined) return { isChanged: false };
    const directive = stepDirective(rollout, step, target, subject.script, matches, { continues: prepared.continues });
    if (directive === undefined) return undefined;
    const incoming = withAnnotation(
      prepared.base,
      directiveKey(rollout.metadata.name ?? ''),
      encodeDirective(directive),
    );
    const write: Write = { ...prepared.write, incoming, byController: true };
    const { verdict, failure } = await decide(write, scriptsFor(write, subject.script, pinned));
    if (verdict.verdict === 'denied') return { problem: verdict.message, mayPass: failure?.reason === 'time' };
    return { isChanged: prepared.continues || isChanged(prepared.base, verdict) };
  };
  try {
    const { routes } = subject.target;
    const whole = await play(routes);
    if (whole === undefined || 'problem' in whole) return whole;
    const reached = new Map<string, boolean>();
    for (const route of routes) {
      const own = routes.length === 1 ? whole : await play([route]);
      if (own !== undefined && 'isChanged' in own) reached.set(route.stableService, own.isChanged);
    }
    return { reached };
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    return { problem: error.message, mayPass: error.reason === 'time' };
  }
}

type Prepared = {
  /** The object before the step, without this Rollout's directive. */
  readonly base: JsonMap;
  readonly write: Pick<Write, 'operation' | 'live'>;
  /** True for an object that is rewritten already. */
  readonly continues: boolean;
};

/** Undefined when there is nothing to rewrite: no path of the stable Ingress leads to the Service. */
function prepare(rollout: Rollout, target: Target, object: JsonMap): Prepared | undefined {
  if (target.request.contract === 'ingress') {
    const base = canaryIngress(object, target.routes);
    return base && { base, write: { operation: 'CREATE' }, continues: false };
  }
  const own = ownOf(object).directives.get(directiveKey(rollout.metadata.name ?? ''));
  const continues = own !== undefined && !glanceAt(own).isArmed;
  return { base: object, write: { operation: 'UPDATE', live: object }, continues };
}

function scriptsFor(write: Write, script: Script, pinned: (hash: string) => Script | undefined): Script[] {
  const others = scriptHashesOf(write).flatMap((hash) => (hash === script.hash ? [] : (pinned(hash) ?? [])));
  return [script, ...others];
}

/** Whether the verdict changes anything of the user's: spec, labels, annotations. */
function isChanged(before: JsonMap, verdict: Exclude<Verdict, { verdict: 'denied' }>): boolean {
  if (verdict.verdict === 'untouched') return false;
  return verdict.operations.some((operation) => {
    const [, first, second] = operation.path.split('/');
    if (first !== 'metadata') return true;
    const value = operation.op === 'remove' ? {} : operation.value;
    const was = member(before['metadata'], second ?? '');
    return !equal(usersOf(was), usersOf(value));
  });
}

function usersOf(map: Json | undefined): JsonMap {
  return Object.fromEntries(Object.entries(isMap(map) ? map : {}).filter(([key]) => !isNotUsers(key)));
}

function withAnnotation(object: JsonMap, key: string, text: string): JsonMap {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  const annotations = isMap(metadata['annotations']) ? metadata['annotations'] : {};
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [key]: text } } };
}

/** What a dry run depends on, as text: the same text, the same outcome. */
export function dryRunFingerprint(
  uid: string,
  generation: number,
  subjects: readonly { readonly uid: string; readonly content: string; readonly hash: string }[],
): string {
  return JSON.stringify([uid, generation, subjects.map(({ uid: id, content, hash }) => [id, content, hash])]);
}
