import type { Rollout } from '../api/generated.ts';
import { FINALIZERS } from '../api/names.ts';
import { stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import type { Clock } from '../kube/clock.ts';
import { apiVersionOf, RESOURCES } from '../kube/resource.ts';
import type { ReleasePlan } from '../release/machine.ts';
import { measuresOf } from '../release/measures.ts';
import { isSameButCounts, readRecord, writtenRecord } from '../release/record.ts';
import { styleOf } from '../rollout/directives.ts';
import { isRoutingKey } from '../rollout/traffic-routing.ts';
import { type Api, FIELD_MANAGER, type Log, type RecordEvent, TryAgain } from './api.ts';
import { arm, disarm } from './arming.ts';
import { restOf } from './at-rest.ts';
import { type ConditionType, conditionOf, type Finding, transitions } from './conditions.ts';
import type { Gatherer } from './gather.ts';
import type { Carrier, Kinds } from './kinds.ts';
import type { Measuring } from './measuring.ts';
import type { Pins } from './pins.ts';
import { type Observed, type Plan, planGone, planRollout } from './plan.ts';
import type { Again, Attempt } from './queue.ts';
import type { Releases, Turn } from './release/releases.ts';
import { Denied } from './release/steer.ts';
import { type RolloutEntry, type StoredRollout, storedRollout } from './rollout-entry.ts';
import type { RolloutIndex } from './rollout-index.ts';
import { type Report, regardingRollout, statusPatch } from './status.ts';

export type ReconcilerOptions = {
  readonly api: Api;
  readonly index: RolloutIndex;
  readonly kinds: Kinds;
  readonly pins: Pins;
  readonly gatherer: Gatherer;
  readonly releases: Releases;
  /** Brings a TrafficRouting to where it should be. */
  readonly route: (entry: RolloutEntry) => Promise<Again>;
  readonly event: RecordEvent;
  readonly log: Log;
  readonly clock: Clock;
  readonly measuring: Pick<Measuring, 'released'>;
  /** An error that lasts for so long is told in the Rollout's status. */
  readonly visibleAfterMilliseconds: number;
  /** The scripts that a Rollout uses have changed; undefined for one that is gone. */
  readonly onUse: (key: string, hashes: readonly string[] | undefined) => void;
};

/** Brings one Rollout to where it should be: gather → plan (pure) → apply → status. */
export type Reconcile = (key: string, attempt: Attempt) => Promise<Again>;

export function createReconciler(options: ReconcilerOptions): Reconcile {
  const { api, index, kinds, pins, gatherer, releases, route, event, log, clock, measuring, onUse } = options;
  /** When the status of a release was last written, by the monotonic clock. */
  const written = new Map<string, number>();
  /** Active directives of Rollouts that are gone, by uid of their objects: told once. */
  const told = new Set<string>();

  async function reconcile(entry: RolloutEntry): Promise<Again> {
    const observed = await gatherer.gather(entry);
    const plan = planRollout(observed);
    const { rollout } = entry;
    if (rollout !== undefined && releases.isRunning(entry, observed)) {
      const { state, afterMilliseconds } = await releases.makeWay(entry, rollout);
      if (state === 'goes on') {
        const { generation } = entry.stored;
        await report(entry, { generation, findings: plan.findings, phase: 'Progressing', message: WAY_TEXT });
        return soonest(afterMilliseconds);
      }
      const turn = await releases.look(entry, rollout, observed, plan.findings);
      if (turn !== undefined) return reconcileRelease(entry, rollout, plan, turn);
    }
    written.delete(entry.key);
    await letGo(entry);
    if (rollout === undefined) return unreadable(entry, plan);
    const left = await clear(entry, rollout);
    if (left.state === 'first') return left.again;
    if (left.state === 'nothing') releases.leave(entry.key);
    await rest(entry, rollout, observed, plan);
    return soonest(plan.afterMilliseconds, left.again.afterMilliseconds);
  }

  /**
   * Whoever waits for the status may write the workload at once, so it is armed by then. Status is written even where
   * something else fails; the failure comes last.
   */
  async function rest(entry: RolloutEntry, rollout: Rollout, observed: Observed, plan: Plan): Promise<void> {
    const { findings, phase, message } = plan;
    const [applied] = await Promise.allSettled([applyPlan(entry, plan)]);
    const [read] = await Promise.allSettled([phase === 'Healthy' ? restOf(api, observed, rollout) : undefined]);
    const failed = [applied, read].find(({ status }) => status === 'rejected');
    if (!entry.stored.isDeleting) {
      const all = failed === undefined ? [...findings, ...recovered(entry)] : findings;
      const told = read.status === 'fulfilled' ? read.value : undefined;
      await report(entry, { generation: entry.stored.generation, findings: all, phase, message, rest: told });
    }
    if (failed?.status === 'rejected') throw failed.reason;
  }

  /** A Rollout of a newer version, say: it is there, and nobody knows what it asks for. All that it has stays as it is. */
  async function unreadable(entry: RolloutEntry, { findings, message, ...plan }: Plan): Promise<Again> {
    const { generation, status, isDeleting } = entry.stored;
    const before = stringAt(status, 'phase') ?? 'Healthy';
    const phase = before === 'Healthy' ? plan.phase : before;
    if (!isDeleting) await report(entry, { generation, findings, phase, message });
    return {};
  }

  /** The record comes first: what a crash leaves undone is done again by what it says. */
  async function reconcileRelease(entry: RolloutEntry, rollout: Rollout, plan: Plan, turn: Turn): Promise<Again> {
    const { record, phase, message, events, afterMilliseconds } = turn.plan;
    for (const script of plan.scripts) await pins.ensure(script);
    onUse(
      entry.key,
      plan.scripts.map(({ hash }) => hash),
    );
    const style = styleOf(rollout);
    const release = writtenRecord(record, style, message);
    const findings = [...plan.findings, ...releaseFindings(turn.plan, entry)];
    // How the release before ended is no news of this one (compat §2.1).
    const outdated: ConditionType[] = record.reason === 'Completed' ? [] : ['Succeeded'];
    const before = readRecord(entry.stored.status, style);
    const since = clock.monotonic() - (written.get(entry.key) ?? Number.NEGATIVE_INFINITY);
    // Pods come one by one: that some more are there is no transition, and is told every now and then.
    const isCountOnly = before !== undefined && events.length === 0 && isSameButCounts(before, record);
    // A whole number: less than a clock can tell would be due again and again at the same moment.
    const countsDue = isCountOnly ? Math.ceil(COUNTS_MILLISECONDS - since) : 0;
    if (countsDue <= 0) {
      await report(entry, { generation: entry.stored.generation, findings, outdated, phase, message, release });
      if (isNewlyBlocked(turn.plan, plan, entry))
        event(regardingRollout(entry.stored), { type: 'Warning', reason: 'Held', action: 'Release', note: message });
      written.set(entry.key, clock.monotonic());
    }
    for (const { type, reason, note } of events)
      event(regardingRollout(entry.stored), { type, reason, action: 'Release', note });
    for (const measure of measuresOf(before, record)) measuring.released(style, measure);
    await turn.carryOut();
    if (record.reason === 'Completed') await letGo(entry);
    return soonest(afterMilliseconds, countsDue > 0 ? countsDue : undefined);
  }

  /** Rollouts that OpenKruise had before us bear its finalizer, and would never go. Sluice needs none. */
  async function letGo({ stored }: RolloutEntry): Promise<void> {
    const { namespace, name, finalizers, resourceVersion, isDeleting } = stored;
    if (!isDeleting || !finalizers.includes(FINALIZERS.rollout)) return;
    const others = finalizers.filter((each) => each !== FINALIZERS.rollout);
    const body = { metadata: { resourceVersion, finalizers: others } };
    try {
      await api.patch(RESOURCES.rollout, { namespace, name }, 'merge', body, {
        fieldManager: FIELD_MANAGER,
        isAnswerRead: false,
      });
    } catch (error) {
      if (outcomeOf(error) !== 'gone') throw error;
    }
  }

  /** A Rollout that was deleted and created again does not know what the one before has left where no release runs. */
  async function clear({ key }: RolloutEntry, rollout: Rollout): Promise<Remains> {
    const active = kinds.carriersOf(key).filter(({ directive }) => !directive.isArmed);
    if (kinds.madeFor(key).length === 0 && active.length === 0) return { state: 'nothing', again: {} };
    const named = rollout.spec?.workloadRef;
    const { state, held, afterMilliseconds } = await releases.abandoned(key, rollout);
    if (state === 'over') return { state: 'nothing', again: {} };
    if (held !== undefined && held.seen.name !== named?.name) tellLeft(held, renamedText(key));
    // What another workload waits for is no reason to leave the one unarmed that the Rollout names now.
    const isBeside = active.some(({ resource, seen }) => resource.kind === named?.kind && seen.name !== named.name);
    return { state: isBeside ? 'beside' : 'first', again: soonest(afterMilliseconds) };
  }

  async function applyPlan(entry: RolloutEntry, plan: Plan): Promise<void> {
    for (const script of plan.scripts) await pins.ensure(script);
    onUse(
      entry.key,
      plan.scripts.map(({ hash }) => hash),
    );
    if (plan.arm !== undefined) await arm(api, plan.arm);
    for (const carrier of plan.disarm) await disarm(api, carrier);
  }

  /** The Rollout is gone: an armed directive goes, too; a release goes on to where nothing depends on it. */
  async function sweep(key: string): Promise<Again> {
    gatherer.forget(key);
    const { disarm: armed } = planGone(kinds.carriersOf(key));
    for (const carrier of armed) await disarm(api, carrier);
    const { state, held, afterMilliseconds } = await releases.abandoned(key);
    if (held !== undefined) tellLeft(held, goneText(key));
    if (state === 'over') {
      onUse(key, undefined);
      releases.leave(key);
    }
    return soonest(afterMilliseconds);
  }

  function tellLeft({ resource, seen }: Carrier, note: string): void {
    if (told.has(seen.uid)) return;
    told.add(seen.uid);
    const { namespace, name, uid } = seen;
    log.warn({ kind: resource.kind, namespace, name }, note);
    const regarding = { apiVersion: apiVersionOf(resource), kind: resource.kind, namespace, name, uid };
    event(regarding, { type: 'Warning', reason: 'RolloutGone', action: 'Reconcile', note });
  }

  /** Writes what is reported, if anything is new; reads the Rollout again when somebody else has written it. */
  async function report(entry: RolloutEntry, what: Report): Promise<void> {
    const name = { namespace: entry.stored.namespace, name: entry.stored.name };
    let { stored } = entry;
    for (let attempts = 0; attempts < 5; attempts++) {
      const patch = statusPatch(stored, what, clock.now());
      if (patch === undefined) return;
      try {
        const options = { subresource: 'status', fieldManager: FIELD_MANAGER } as const;
        // What a version at rest was read for is not to be read again before the watch shows it.
        if (what.release === undefined && what.rest?.version === undefined)
          await api.patch(RESOURCES.rollout, name, 'merge', patch, { ...options, isAnswerRead: false });
        else take(entry.key, stored, storedRollout(await api.patch(RESOURCES.rollout, name, 'merge', patch, options)));
        for (const finding of transitions(stored.status['conditions'], what.findings)) tell(entry, finding);
        return;
      } catch (error) {
        if (outcomeOf(error) === 'gone') return;
        if (outcomeOf(error) !== 'conflict') throw error;
        // Somebody may have approved, jumped or aborted: that is looked at before anything is written over it.
        if (what.release !== undefined) throw new TryAgain(`Rollout ${entry.key} has changed meanwhile`);
      }
      stored = storedRollout(await api.get(RESOURCES.rollout, name));
      if (stored.uid !== entry.stored.uid || stored.generation !== entry.stored.generation) {
        throw new TryAgain(`Rollout ${entry.key} has changed meanwhile`);
      }
    }
    throw new TryAgain(`Rollout ${entry.key} changes all the time`);
  }

  /**
   * The next look at a release may come before the watch does: it must not begin where this one began. Where the watch was
   * first, it may have brought what somebody asked for since, which our answer does not know of.
   */
  function take(key: string, before: StoredRollout, answer: StoredRollout): void {
    if (index.get(key)?.stored.resourceVersion === before.resourceVersion) index.set(key, answer);
  }

  function tell({ stored }: RolloutEntry, { status, reason, message }: Finding): void {
    const type = status === 'False' ? 'Warning' : 'Normal';
    event(regardingRollout(stored), { type, reason, action: 'Reconcile', note: message });
  }

  return async (key, attempts) => {
    const entry = index.get(key);
    if (entry === undefined) return sweep(key);
    if (isRoutingKey(key)) return route(entry);
    try {
      return await reconcile(entry);
    } catch (error) {
      // What admission refuses, or somebody's object is in the way of, does not pass by itself.
      const isVisible = error instanceof Denied || attempts.failingFor >= options.visibleAfterMilliseconds;
      if (isVisible && !entry.stored.isDeleting) {
        const findings = failing(entry, error, clock.now());
        // That the status cannot be written either is no other failure: both come from the same server.
        await Promise.allSettled([report(entry, { generation: entry.stored.generation, findings })]);
      }
      throw error;
    }
  };
}

/**
 * What another Rollout of the same name has left. `first`: it comes before everything else. `beside`: it is another
 * workload's, and in nobody's way.
 */
type Remains = { readonly state: 'nothing' | 'first' | 'beside'; readonly again: Again };

function soonest(...milliseconds: readonly (number | undefined)[]): Again {
  const times = milliseconds.filter((time) => time !== undefined);
  return times.length === 0 ? {} : { afterMilliseconds: Math.min(...times) };
}

const WAY_TEXT =
  'what a Rollout of the same name has left is taken back first: its traffic, then what this one does not name';

function goneText(key: string): string {
  return `Rollout ${key} is gone in the middle of a release: the new version is held until you decide; create the Rollout again to go on, let it come out with kubectl sluice resume, or take it back with kubectl sluice undo`;
}

function renamedText(key: string): string {
  return `Rollout ${key} names another workload since the middle of a release of this one: the new version is held until you decide; apply the old version to take it back, or name this workload again to go on`;
}

/** What keeps a release from beginning, and is told of by no condition of its own, is told once in these words. */
function isNewlyBlocked({ isBlocked, message }: ReleasePlan, { findings }: Plan, { stored }: RolloutEntry): boolean {
  const told = stringAt(conditionOf(stored.status['conditions'], 'Progressing'), 'message');
  return isBlocked && told !== message && findings.every(({ status }) => status === 'True');
}

/** So often numbers of pods are told while nothing else happens. */
const COUNTS_MILLISECONDS = 3_000;

/** What conditions say of a release (compat §2.2); a stall is told where there is one, and where there was. */
function releaseFindings({ record, message, isStalled }: ReleasePlan, { stored }: RolloutEntry): Finding[] {
  const { reason, outcome } = record;
  const isOver = reason === 'Completed';
  const findings: Finding[] = [{ type: 'Progressing', status: isOver ? 'False' : 'True', reason, message }];
  if (isOver && outcome !== undefined) {
    findings.push({ type: 'Succeeded', status: outcome === 'Success' ? 'True' : 'False', reason: outcome, message });
  }
  const wasStalled = conditionOf(stored.status['conditions'], 'Advancing') !== undefined;
  if (isStalled) findings.push({ type: 'Advancing', status: 'False', reason: 'DeadlineExceeded', message });
  else if (wasStalled)
    findings.push({ type: 'Advancing', status: 'True', reason: 'Advancing', message: 'the release advances' });
  return findings;
}

/** An error's words may differ each time (a port in them, say): the latest are told once in so long. */
const RETOLD_MILLISECONDS = 60_000;

function failing({ stored }: RolloutEntry, error: unknown, now: Date): Finding[] {
  const told = conditionOf(stored.status['conditions'], 'Reconciled');
  const age = now.getTime() - Date.parse(stringAt(told, 'lastUpdateTime') ?? '');
  if (stringAt(told, 'status') === 'False' && Math.abs(age) < RETOLD_MILLISECONDS) return [];
  const message = error instanceof Error ? error.message : String(error);
  return [{ type: 'Reconciled', status: 'False', reason: 'Retrying', message }];
}

/** Where people were told that something keeps failing, they are told when it no longer does. */
function recovered({ stored }: RolloutEntry): Finding[] {
  if (conditionOf(stored.status['conditions'], 'Reconciled') === undefined) return [];
  const message = 'nothing keeps the controller from its work';
  return [{ type: 'Reconciled', status: 'True', reason: 'Reconciled', message }];
}
