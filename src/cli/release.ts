import type { Rollout } from '../api/generated.ts';
import { conditionTerms } from '../api/matches.ts';
import { ANNOTATIONS, DIRECTIVE_PREFIX } from '../api/names.ts';
import { violationText } from '../api/violation.ts';
import { canonicalJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap } from '../json/value.ts';
import { decide, type Write } from '../rewrite/decide.ts';
import { directiveKey, encodeDirective } from '../rewrite/directive.ts';
import type { Operation } from '../rewrite/operations.ts';
import type { Rewriter } from '../rewrite/rewriter.ts';
import { canaryIngress } from '../rollout/canary-ingress.ts';
import { stepDirective, stepsOf } from '../rollout/directives.ts';
import type { Target } from '../rollout/targets.ts';
import { besideObject } from './objects.ts';
import type { Subject } from './plan.ts';

/** A moment of a release: a step, counted from 1, or its end. */
export type Moment = number | 'restore';

/** What a gateway object is after the write of a step. Undefined: there is none (the canary Ingress outside a release). */
export type State = {
  readonly moment: Moment;
  readonly object: JsonMap | undefined;
  readonly warnings: readonly string[];
};

/** One object through a release. With a failure, the states end before the moment that failed. */
export type Played = {
  /** The object before the release, as the API server stores it: for an Ingress class the stable Ingress. */
  readonly stored: JsonMap;
  readonly states: readonly State[];
  readonly failure?: string;
};

/** Admission refused a write. */
class Denied extends Error {}

type Admitted = { readonly object: JsonMap; readonly warnings: readonly string[] };

/**
 * Plays a release on one object: the user's file is applied (which undoes annotations of an earlier release in it), then
 * come the writes of the controller (the directive set, changed, removed, on the object as it stands), each judged as
 * admission judges it.
 *
 * @param source the object as its file has it; for a target with the Ingress contract the stable Ingress.
 */
export function playRelease(rollout: Rollout, { target, source, script }: Subject, rewriter: Rewriter): Played {
  const placed = besideObject(rollout, source);
  const states: State[] = [];
  let stored = source;
  try {
    stored = admitted({ operation: 'CREATE', incoming: source, byController: false }, rewriter).object;
    const stage = stageOf(rollout, target, stored, rewriter);
    let current = stage.isOurs ? undefined : stored;
    for (const moment of momentsOf(rollout)) {
      const directive =
        moment === 'restore'
          ? undefined
          : directiveText(placed, moment, { target, script }, isDirected(current, stage.key));
      const next = step(current, directive, stage);
      current = next?.object;
      states.push({ moment, object: current, warnings: next?.warnings ?? [] });
    }
    return { stored, states };
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
    return { stored, states, failure: error.message };
  }
}

function stageOf(rollout: Rollout, target: Target, stored: JsonMap, rewriter: Rewriter): Stage {
  const key = directiveKey(rollout.metadata.name ?? '');
  if (target.request.contract !== 'ingress') return { key, fresh: stored, isOurs: false, rewriter };
  const fresh = canaryIngress(stored, target.routes);
  if (fresh !== undefined) return { key, fresh, isOurs: true, rewriter };
  const services = target.routes.map(({ stableService }) => stableService).join(', ');
  throw new Denied(
    `no path of Ingress ${target.name} leads to ${services}; name the Service that it serves, or another Ingress`,
  );
}

/** Every step of a Rollout, then its end. */
function momentsOf(rollout: Rollout): Moment[] {
  return [...stepsOf(rollout).map((_, index) => index + 1), 'restore'];
}

/** @param continues whether the object was rewritten in the step before, so that its original must be there */
function directiveText(
  rollout: Rollout,
  step: number,
  { target, script }: Pick<Subject, 'target' | 'script'>,
  continues: boolean,
): string | undefined {
  const { matches, violations } = conditionTerms(stepsOf(rollout)[step - 1]?.matches as Json | undefined, ['matches']);
  // a Rollout that passed validation has none
  if (violations.length > 0) throw new Error(violations.map(violationText).join('; '));
  const directive = stepDirective(rollout, step, target, script, matches, { continues });
  return directive === undefined ? undefined : encodeDirective(directive);
}

function isDirected(object: JsonMap | undefined, key: string): boolean {
  return object !== undefined && ownAnnotations(object).some(([own]) => own === key);
}

type Stage = {
  /** Of the directive annotation. */
  readonly key: string;
  /** The object before its first rewrite. */
  readonly fresh: JsonMap;
  /** True for an object of ours, which exists only while it has a directive: the canary Ingress. */
  readonly isOurs: boolean;
  readonly rewriter: Rewriter;
};

function step(
  live: JsonMap | undefined,
  directive: string | undefined,
  { key, fresh, isOurs, rewriter }: Stage,
): Admitted | undefined {
  if (directive === undefined && isOurs) return undefined;
  const incoming = withAnnotation(live ?? fresh, key, directive);
  if (live === undefined) return admitted({ operation: 'CREATE', incoming, byController: true }, rewriter);
  if (incoming === live) return { object: live, warnings: [] };
  return admitted({ operation: 'UPDATE', incoming, live, byController: true }, rewriter);
}

/** @throws Denied */
function admitted(write: Write, rewriter: Rewriter): Admitted {
  const verdict = decide(write, rewriter);
  switch (verdict.verdict) {
    case 'denied':
      throw new Denied(verdict.message);
    case 'untouched':
      return { object: write.incoming, warnings: verdict.warnings };
    case 'rewritten':
      return { object: verdict.operations.reduce(patched, write.incoming), warnings: verdict.warnings };
  }
}

/** Applies one operation of a verdict. They replace or remove whole members, so that what is untouched stays the same value. */
function patched(object: JsonMap, operation: Operation): JsonMap {
  const [first, ...rest] = operation.path.slice(1).split('/');
  if (first === undefined) return object;
  const [inner] = rest;
  const value = operation.op === 'remove' ? undefined : operation.value;
  if (inner === undefined) return withMember(object, first, value);
  const parent = object[first];
  return withMember(object, first, withMember(isMap(parent) ? parent : {}, inner, value));
}

function withMember(map: JsonMap, key: string, value: Json | undefined): JsonMap {
  const { [key]: _, ...others } = map;
  if (value === undefined) return others;
  return Object.hasOwn(map, key) ? { ...map, [key]: value } : { ...others, [key]: value };
}

/** The object with an annotation set or removed; the very same object when it is so already. */
function withAnnotation(object: JsonMap, key: string, value: string | undefined): JsonMap {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  const annotations = isMap(metadata['annotations']) ? metadata['annotations'] : {};
  if (annotations[key] === value) return object;
  const changed = withMember(annotations, key, value);
  const rest = Object.keys(changed).length === 0 ? undefined : changed;
  return withMember(object, 'metadata', withMember(metadata, 'annotations', rest));
}

/** The annotations that Sluice keeps on the object during a release: directives and the original. */
export function ownAnnotations(object: JsonMap): [string, string][] {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  const annotations = isMap(metadata['annotations']) ? metadata['annotations'] : {};
  return Object.entries(annotations).filter((entry): entry is [string, string] => isOwn(entry[0]));
}

function isOwn(key: string): boolean {
  return key === ANNOTATIONS.original || key.startsWith(DIRECTIVE_PREFIX);
}

/** The object without {@link ownAnnotations}: what a user reads. */
export function withoutOwn(object: JsonMap): JsonMap {
  return ownAnnotations(object).reduce((rest, [key]) => withAnnotation(rest, key, undefined), object);
}

/** Whether two objects are the same in canonical JSON, but for empty labels and annotations, which no API server keeps. */
export function isSame(a: JsonMap, b: JsonMap): boolean {
  return canonicalJson(stripped(a)) === canonicalJson(stripped(b));
}

function stripped(object: JsonMap): JsonMap {
  const metadata = object['metadata'];
  if (!isMap(metadata)) return object;
  const kept = Object.entries(metadata).filter(
    ([key, value]) => !((key === 'labels' || key === 'annotations') && isMap(value) && Object.keys(value).length === 0),
  );
  return { ...object, metadata: Object.fromEntries(kept) };
}
