import { ANNOTATIONS, ROUTING_PREFIX } from '../api/names.ts';
import type { Path } from './attribute.ts';
import { decodeDirective, InvalidDirective, ownerText } from './directive.ts';
import type { Own } from './own-keys.ts';
import type { RewriteFailed } from './rewriter.ts';

/** Texts that users read behind kubectl's `Warning:`, or as the reason of a denial. Each says what to do. */

export function putBack(own: { incoming: Own; live: Own }, wanted: ReadonlyMap<string, string>): string {
  const keys = [...new Set([...own.incoming.directives.keys(), ...own.live.directives.keys()])];
  const changed = keys.filter((key) => own.incoming.directives.get(key) !== wanted.get(key));
  if (own.incoming.original !== own.live.original) changed.push(ANNOTATIONS.original);
  return `${changed.join(', ')}: only Sluice writes these annotations, so they are put back (${names(wanted)})`;
}

export function held(key: string, text: string): string {
  const { namespace, name } = decodeDirective(key, text).rollout;
  return `the new version is stored and held: Rollout ${namespace}/${name} releases it step by step; \`kubectl sluice status ${name} -n ${namespace}\` shows how far it is`;
}

export function unkept(paths: readonly Path[], wanted: ReadonlyMap<string, string>): string {
  const shown = paths.slice(0, 3).map((path) => path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)));
  const places = shown.map((keys) => keys.join('').replace(/^\./, '')).join(', ');
  return `${places || 'spec'}: set by ${names(wanted)} until its release ends, so what was sent there is not in effect; ${abort(wanted)}`;
}

export function orphan(wanted: ReadonlyMap<string, string>): string {
  return `annotation ${ANNOTATIONS.original} is missing, so nothing is rewritten for ${names(wanted)}; run \`kubectl sluice adopt\``;
}

export function viewWithoutOriginal(): string {
  return (
    `the object carries a directive but no ${ANNOTATIONS.original}: it was saved in the middle of a release, and is stored as it was ` +
    'sent; look for parts of the canary in it'
  );
}

export function viewUnknown(): string {
  return (
    `the object is taken to be what its annotation ${ANNOTATIONS.original} says; the script that rewrote it is not known here, so ` +
    'changes made to it since cannot be told: apply them again'
  );
}

export function tooDeep(): string {
  return 'the object is nested thousands of levels deep, more than can be compared; write it flatter';
}

export function leftover(): string {
  return (
    `the object carries the annotation ${ANNOTATIONS.original} of another tool or an earlier release, and nobody knows whether it is still true; ` +
    'run `kubectl sluice adopt` to keep the object as it is, or remove the annotation'
  );
}

export function otherVersion(saved: string, asked: string): string {
  return (
    `annotation ${ANNOTATIONS.original} was written in ${saved}, and this write is in ${asked}; ` +
    `write the object as ${saved}, or run \`kubectl sluice adopt\``
  );
}

export function tooLarge(size: number, limit: number): string {
  return (
    `annotations would take ${size} bytes of the ${limit} that the API server allows, because ${ANNOTATIONS.original} keeps the object's ` +
    'original; make the object smaller or split it'
  );
}

export function skipped(failure: RewriteFailed): string {
  return `left out: ${failure.message}`;
}

export function waiting(failure: RewriteFailed): string {
  return `the object stays as it is stored until this is mended, and changes are kept for then: ${failure.message}`;
}

function names(directives: ReadonlyMap<string, string>): string {
  const rollouts = rolloutsOf(directives).map(ownerText);
  return rollouts.length === 0 ? 'no Rollout' : rollouts.join(', ');
}

function abort(directives: ReadonlyMap<string, string>): string {
  const [routings, rollouts] = [true, false].map((isRouting) =>
    rolloutsOf(directives).filter(({ name }) => name.startsWith(ROUTING_PREFIX) === isRouting),
  );
  const commands = (rollouts ?? []).map(({ namespace, name }) => `\`kubectl sluice abort ${name} -n ${namespace}\``);
  const shared = (routings ?? []).map(
    (owner) => `the releases that ${ownerText(owner)} names in its status have to end`,
  );
  const ends = commands.length > 1 ? 'end their releases' : 'ends the release';
  return [...(commands.length === 0 ? [] : [`${commands.join(' and ')} ${ends}`]), ...shared].join('; ');
}

function rolloutsOf(directives: ReadonlyMap<string, string>): { namespace: string; name: string }[] {
  return [...directives].flatMap(([key, text]) => {
    try {
      return [decodeDirective(key, text).rollout];
    } catch (error) {
      if (error instanceof InvalidDirective) return [];
      throw error;
    }
  });
}
