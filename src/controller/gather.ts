import type { JsonMap } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { RESOURCES, type Resource } from '../kube/resource.ts';
import type { Script } from '../lua/script.ts';
import { directiveKey, readDirective } from '../rewrite/directive.ts';
import { type Api, type Guard, TryAgain } from './api.ts';
import { type Decide, dryRun, dryRunFingerprint, type Obstacle, type Subject } from './dry-run.ts';
import type { Kinds } from './kinds.ts';
import type { Pins } from './pins.ts';
import { type Holder, type Observed, type Resolution, usedScript } from './plan.ts';
import { isWatched, type PlacedTarget, placedTargets, type Reference, trafficRoutingKey } from './references.ts';
import type { RolloutEntry } from './rollout-entry.ts';
import type { RolloutIndex } from './rollout-index.ts';
import type { RoutingBook } from './routing-book.ts';
import type { ScriptBook } from './script-book.ts';
import type { CarriedDirective } from './seen.ts';

export type GatherOptions = {
  readonly api: Api;
  readonly index: RolloutIndex;
  readonly kinds: Kinds;
  readonly book: ScriptBook;
  readonly pins: Pins;
  readonly decide: Decide;
  readonly guard: Guard;
  readonly routings: RoutingBook;
  /** A Rollout uses a shipped script although the user has one under this key. */
  readonly onShadowed: (key: string) => void;
};

/** Collects everything that the plan of a Rollout depends on. */
export type Gatherer = {
  /** @throws TryAgain while something is not known yet. */
  gather(entry: RolloutEntry): Promise<Observed>;
  /** Forgets what was remembered of a Rollout that is gone. */
  forget(key: string): void;
};

export function createGatherer(options: GatherOptions): Gatherer {
  const { api, index, kinds, book, pins, decide, guard, routings, onShadowed } = options;
  /** The last dry run of each Rollout and what it depended on: objects change seldom, events come often. */
  const played = new Map<string, { readonly fingerprint: string; readonly obstacles: readonly Obstacle[] }>();

  /** What met a limit of time the last time: it is believed at the second time, since the machine may have been busy. */
  const suspected = new Map<string, string>();

  function resolve(reference: Reference, namespace: string): Resolution {
    if (!isWatched(reference)) return { state: 'missing' }; // the plan says more of it
    const view = kinds.of(reference);
    if (view.state === 'notServed') return { state: 'notServed' };
    const { resource } = view;
    if (resource !== undefined && !resource.namespaced) return { state: 'clusterScoped' };
    if (view.state === 'forbidden' && resource !== undefined) return { state: 'forbidden', resource };
    if (resource === undefined || !view.hasSynced) {
      const why = view.message === '' ? 'its objects have not all been seen yet' : view.message;
      throw new TryAgain(`${reference.kind} ${namespace}/${reference.name}: ${why}`);
    }
    const seen = view.get(namespace, reference.name);
    return seen === undefined ? { state: 'missing' } : { state: 'found', seen, resource };
  }

  function routingOf({ references, stored: { namespace } }: RolloutEntry): Observed['routing'] {
    const reference = references.find(({ role }) => role === 'routing');
    if (reference === undefined) return undefined;
    const routing = routings.get(trafficRoutingKey(namespace, reference.name));
    if (routing === undefined) return { reference, state: 'missing' };
    if (routing.isDeleting) return { reference, state: 'going' };
    const known = routings.problemOf(routing);
    if (known === 'unknown') throw new TryAgain(`TrafficRouting ${namespace}/${routing.name} is about to be looked at`);
    return { reference, state: 'found', problem: known.problem };
  }

  function holderOf({ key, stored }: RolloutEntry, references: Observed['references']): Holder | undefined {
    const workload = references.find(({ reference }) => reference.role === 'workload')?.resolution;
    const active = workload?.state === 'found' ? workload.seen.directives.filter(({ isArmed }) => !isArmed) : [];
    if (active.some((directive) => directive.key === directiveKey(stored.name))) return undefined;
    const directive = active.find(({ rollout }) => rollout !== undefined && rollout.key !== key);
    const rollout = directive?.rollout?.key;
    if (directive === undefined || rollout === undefined) return undefined;
    const services = references.flatMap(({ reference: { role, name } }) => (role === 'service' ? [name] : []));
    const pins = kinds
      .carriersOf(rollout)
      .filter(({ resource, seen }) => resource.plural === RESOURCES.service.plural && services.includes(seen.name));
    return { rollout, directive, state: holderState(rollout, directive), pins };
  }

  /** What leads to the new version goes with the last of its traffic, a grace period later (see `release/abandoned.ts`). */
  function holderState(rollout: string, { key, text }: CarriedDirective): Holder['state'] {
    if (index.get(rollout) !== undefined) return 'living';
    const action = readDirective(key, text)?.action;
    if (action?.type !== 'workload' || action.onDelete === 'complete') return 'under way';
    const { deployment, service } = RESOURCES;
    const isHolding = ({ plural }: Resource) => plural === deployment.plural || plural === service.plural;
    const isLeading =
      kinds.carriersOf(rollout).some(({ resource }) => !isHolding(resource)) ||
      kinds.madeFor(rollout).some(({ resource }) => resource.plural !== deployment.plural);
    return isLeading ? 'under way' : 'at rest';
  }

  function chosen(placed: PlacedTarget): Observed['scripts'][number] {
    const { request } = placed.target;
    const choice = book.choose(request);
    if (choice === undefined) throw new TryAgain('the ConfigMap of scripts has not been read yet');
    const shadowed = book.shadowed(request);
    if (shadowed !== undefined) onShadowed(shadowed);
    return { placed, choice };
  }

  async function play(
    entry: RolloutEntry,
    references: Observed['references'],
    scripts: Observed['scripts'],
  ): Promise<readonly Obstacle[] | undefined> {
    const { rollout, stored, key } = entry;
    const found = references.filter(({ resolution }) => resolution.state === 'found');
    if (rollout === undefined || found.length < references.length) return undefined;
    const planned = scripts.flatMap(({ placed, choice }) => toRead(placed, usedScript(choice), references) ?? []);
    if (planned.length < scripts.length) return undefined;
    const parts = planned.map(({ seen, script }) => ({ ...seen, hash: script.hash }));
    const fingerprint = dryRunFingerprint(stored.uid, stored.generation, parts);
    const before = played.get(key);
    if (before?.fingerprint === fingerprint) return before.obstacles;
    const subjects: Subject[] = [];
    for (const one of planned)
      subjects.push({ ...one.placed, script: one.script, object: await read(one, stored.namespace) });
    const obstacles = await dryRun(rollout, subjects, decide, (hash) => pins.get(hash));
    const doubtful = obstacles.find(({ mayPass }) => mayPass);
    if (doubtful === undefined) {
      suspected.delete(key);
      played.set(key, { fingerprint, obstacles });
    } else if (suspected.get(key) !== fingerprint) {
      suspected.set(key, fingerprint);
      throw new TryAgain(doubtful.message);
    }
    return obstacles;
  }

  async function read({ placed, resource }: ToRead, namespace: string): Promise<JsonMap> {
    const { name, kind } = placed.target;
    try {
      return await api.get(resource, { namespace, name });
    } catch (error) {
      if (outcomeOf(error) !== 'gone') throw error;
      throw new TryAgain(`${kind} ${namespace}/${name} has just been deleted`, { cause: error });
    }
  }

  return {
    async gather(entry) {
      const { rollout, stored, key } = entry;
      const named = entry.references.filter(({ role }) => role !== 'routing');
      const references = named.map((reference) => ({ reference, resolution: resolve(reference, stored.namespace) }));
      const scripts = rollout === undefined ? [] : placedTargets(rollout, entry.references).map(chosen);
      return {
        entry,
        isExcluded: guard.excludedNamespaces.has(stored.namespace),
        calling: guard.calling(),
        rival: index.rivalOf(entry)?.key,
        holder: holderOf(entry, references),
        references,
        routing: routingOf(entry),
        scripts,
        obstacles: await play(entry, references, scripts),
        carriers: kinds.carriersOf(key),
      };
    },
    forget(key) {
      played.delete(key);
      suspected.delete(key);
    },
  };
}

type ToRead = {
  readonly placed: PlacedTarget;
  readonly script: Script;
  readonly resource: Extract<Resolution, { state: 'found' }>['resource'];
  readonly seen: Extract<Resolution, { state: 'found' }>['seen'];
};

function toRead(
  placed: PlacedTarget,
  script: Script | undefined,
  references: Observed['references'],
): ToRead | undefined {
  const { target, group } = placed;
  const named = references.find(
    ({ reference: { role, kind, name, group: itsGroup } }) =>
      role === 'gateway' && kind === target.kind && name === target.name && itsGroup === group,
  );
  if (named?.resolution.state !== 'found' || script === undefined) return undefined;
  return { placed, script, resource: named.resolution.resource, seen: named.resolution.seen };
}
