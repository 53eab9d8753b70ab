import { SCRIPT_CONFIG_MAP } from '../api/names.ts';
import { decideInput, type Judged } from '../isolate/decide.ts';
import type { Isolate } from '../isolate/isolate.ts';
import { parseJson } from '../json/text.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { type Clock, SYSTEM_CLOCK } from '../kube/clock.ts';
import { RESOURCES } from '../kube/resource.ts';
import type { Library } from '../lua/library.ts';
import type { Script } from '../lua/script.ts';
import { PINNED_LABEL, pinnedHash } from '../rollout/pinned-script.ts';
import { isRoutingKey } from '../rollout/traffic-routing.ts';
import { type Api, type Guard, type Log, type RecordEvent, TryAgain } from './api.ts';
import type { Decide } from './dry-run.ts';
import { figuresOf, type RolloutFigures } from './figures.ts';
import { createGatherer } from './gather.ts';
import { type KindInUse, type KindView, openKinds } from './kinds.ts';
import { type Measuring, UNMEASURED, type Work } from './measuring.ts';
import { createPins, pinnedConfigMap } from './pins.ts';
import { type Again, type Attempt, createQueue } from './queue.ts';
import { createReconciler } from './reconcile.ts';
import { type GroupKind, TRAFFIC_ROUTING } from './references.ts';
import { createCanaryIngresses } from './release/canary-ingresses.ts';
import { createReleases } from './release/releases.ts';
import { createRoutings } from './release/routings.ts';
import { openScenes } from './release/scenes.ts';
import { sentOnce } from './release/sent-once.ts';
import { createSteer } from './release/steer.ts';
import { createSteerGateways } from './release/steer-gateways.ts';
import { storedRollout } from './rollout-entry.ts';
import { RolloutIndex } from './rollout-index.ts';
import { RoutingBook } from './routing-book.ts';
import { isSameRouting, routingEntry, storedRouting } from './routing-entry.ts';
import { compileIn, createScriptBook } from './script-book.ts';
import { createRecordStore } from './script-record.ts';
import { scriptConfigMap } from './user-scripts.ts';
import type { Watch, Watcher, WatchState } from './watcher.ts';

export type ControllerSettings = {
  /** Rollouts that are worked on at the same time; each may wait for a thread of the isolate. */
  readonly workers: number;
  /** How long a pinned script is kept that nothing uses. */
  readonly scriptGraceMilliseconds: number;
  /** An error that lasts for so long is told in the Rollout's status and by an Event. */
  readonly visibleAfterMilliseconds: number;
};

export const DEFAULT_SETTINGS: ControllerSettings = {
  workers: 16,
  scriptGraceMilliseconds: 5 * 60_000,
  visibleAfterMilliseconds: 60_000,
};

export type ControllerOptions = {
  /** Its writes are fenced: it throws where this process may no longer be the leader. */
  readonly api: Api;
  readonly watcher: Watcher;
  readonly library: Library;
  readonly guard: Guard;
  /** Where scripts run, with a hard stop. */
  readonly isolate: Pick<Isolate, 'run'>;
  readonly event: RecordEvent;
  readonly log: Log;
  readonly measuring?: Measuring;
  readonly clock?: Clock;
  /** Our own namespace. */
  readonly namespace: string;
  readonly settings?: Partial<ControllerSettings>;
};

/** The running controller of Rollouts. */
export type Controller = {
  /** Resolves when everything has been seen once and the work on Rollouts has begun. */
  readonly ready: Promise<void>;
  /** The kinds that Rollouts name or whose objects carry a directive. */
  kindsInUse(): readonly KindInUse[];
  /** Called when {@link Controller.kindsInUse} may have changed. The answer ends that. */
  onKindsInUse(listener: () => void): () => void;
  /**
   * Looks whether objects of these kinds carry a directive, although no Rollout may name them any more: all kinds that
   * were in use before this process began, beside those that there are scripts for. Until it is called nothing is touched
   * of what Rollouts that are gone have left.
   */
  considerKinds(kinds: readonly GroupKind[]): void;
  /** What is known of a kind: whether it is served, and may be read. */
  kind(kind: GroupKind): KindView;
  /** Keys that are ready, worked on, or wait for their time. */
  queueSize(): { readonly ready: number; readonly working: number; readonly waiting: number };
  /** What can be told of each Rollout in numbers; computed as they are asked for. */
  figures(): Iterable<RolloutFigures>;
  /** Ends all watches and waits for the work that runs. */
  close(): Promise<void>;
};

/** Every release has its part in objects of these kinds. */
const ALWAYS: readonly GroupKind[] = [
  { group: 'apps', kind: 'Deployment' },
  { group: '', kind: 'Service' },
  { group: 'networking.k8s.io', kind: 'Ingress' },
];

/** Keys of the queue that are no Rollouts: their names hold no `/`. */
const SCRIPTS = 'scripts';
const PINS = 'pins';

/** So long all kinds are waited for when the controller opens. */
const PATIENCE_MILLISECONDS = 10_000;

/** A text of the user's that took too long to compile is tried again. */
const DOUBTFUL_MILLISECONDS = 30_000;

/** Scripts are looked at without any change: what is remembered of them is in a ConfigMap that is not watched. */
const RESYNC_MILLISECONDS = 10 * 60_000;

/** Several changes that come together are one sweep. */
const SWEEP_MILLISECONDS = 5_000;

/**
 * Opens the controller of Rollouts.
 *
 * ```
 *  Rollouts ─────────► index by reference ─┐
 *  objects they name ──────────────────────┼─► queue of names ─► reconcile: gather → plan → apply → status
 *  ConfigMap of scripts ─► checked, pinned ┘                                (one Rollout, by its name)
 * ```
 */
export function openController(options: ControllerOptions): Controller {
  const { api, watcher, library, guard, isolate, event, log, namespace, clock = SYSTEM_CLOCK } = options;
  const { measuring = UNMEASURED } = options;
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const index = new RolloutIndex();
  /** Rollout → hashes of the scripts that it uses. A Rollout without an entry has not been looked at yet. */
  const uses = new Map<string, readonly string[]>();
  const shipped = new Map([...library.scripts.values()].map((script) => [script.hash, script]));
  const early = new Set<string>();
  const watchStates = new Map<string, WatchState>();
  /** `opening`: not everything has been seen; `reading`: nothing is known of the user's scripts yet. */
  let state: 'opening' | 'reading' | 'open' | 'closed' = 'opening';
  let isPatient = true;
  const opened = Promise.withResolvers<void>();

  const queue = createQueue({ work, onFailure, clock, workers: settings.workers, onTaken: measuring.waited });
  const enqueue = (keys: Iterable<string>) => {
    for (const key of keys) {
      if (state === 'opening' || (state === 'reading' && key !== SCRIPTS)) early.add(key);
      else queue.add(key);
    }
  };

  const rollouts = watcher.watch({
    resource: RESOURCES.rollout,
    trim: storedRollout,
    onChange: ({ before, after }) => {
      const stored = after ?? before;
      if (stored !== undefined) enqueue(index.set(`${stored.namespace}/${stored.name}`, after));
    },
    onState: openWhenSeen,
  });
  const routings = new RoutingBook(index);
  const trafficRoutings = watcher.watch({
    resource: RESOURCES.trafficRouting,
    trim: storedRouting,
    onChange: ({ before, after }) => {
      const routing = after ?? before;
      if (routing === undefined) return;
      const { key, namespace, name } = routing;
      routings.set(key, after);
      if (!isSameRouting(before, after)) index.put(key, after && routingEntry(after));
      enqueue([key, ...index.naming({ ...TRAFFIC_ROUTING, name }, namespace)]);
    },
    onState: openWhenSeen,
  });
  const scriptMaps = watcher.watch({
    resource: RESOURCES.configMap,
    selection: { namespace, fieldSelector: `metadata.name=${SCRIPT_CONFIG_MAP.name}` },
    trim: scriptConfigMap,
    onChange: () => enqueue([SCRIPTS]),
    onState: openWhenSeen,
  });
  const pinned = watcher.watch({
    resource: RESOURCES.configMap,
    selection: { namespace, labelSelector: `${PINNED_LABEL}=true` },
    trim: pinnedConfigMap,
    onChange: (change) => {
      const { before, after } = change;
      pins.observe(change);
      if (after === undefined || 'problem' in after.content) enqueue([SCRIPTS, ...usersOf((after ?? before)?.name)]);
      if (state === 'open') queue.addAfter(PINS, SWEEP_MILLISECONDS);
    },
    onState: openWhenSeen,
  });
  const kinds = openKinds({
    ...{ watcher, index, clock, queue: enqueue, onState: openWhenSeen },
    always: ALWAYS,
    first: scriptedKinds(library),
  });
  const pins = createPins({
    api,
    namespace,
    stored: { get: (name) => pinned.get(namespace, name), values: () => pinned.values() },
    clock,
    log,
    graceMilliseconds: settings.scriptGraceMilliseconds,
  });
  const book = createScriptBook({
    library,
    namespace,
    configMap: () => scriptMaps.get(namespace, SCRIPT_CONFIG_MAP.name),
    check: compileIn((job, input) => isolate.run(job, input)),
    pins,
    record: createRecordStore(api, namespace),
    event,
  });
  const onShadowed = (key: string) => {
    if (book.tellShadowed(key)) enqueue([SCRIPTS]);
  };
  const decide = decideIn(isolate);
  const gatherer = createGatherer({ api, index, kinds, book, pins, decide, guard, routings, onShadowed });
  const scenes = openScenes({ watcher, index, clock, queue: enqueue });
  const writes = sentOnce(api, clock);
  const steer = createSteer({ api: writes, decide, script: scriptOf });
  const ingresses = createCanaryIngresses({ api: writes, decide, script: scriptOf });
  const steerGateways = createSteerGateways({ steer, ingresses });
  const steering = { api: writes, kinds, index, steer, steerGateways, script: scriptOf, clock };
  const releases = createReleases({ ...steering, routings, scenes });
  const route = createRoutings({ ...steering, book: routings, gatherer, pins, event, onUse, queue: enqueue });
  const reconcile = createReconciler({
    ...{ api, index, kinds, pins, gatherer, releases, route, event, log, clock, measuring },
    visibleAfterMilliseconds: settings.visibleAfterMilliseconds,
    onUse,
  });

  /**
   * Nothing is judged by what has not been seen: no Rollout is worked on before all that is watched has answered. A kind
   * that does not answer in time keeps only those waiting that name it.
   */
  function openWhenSeen(): void {
    for (const [what, watch] of base()) tellOfWatch(what, watch);
    if (state !== 'opening' || !base().every(([, watch]) => watch.hasSynced())) return;
    // Where the kind is not there, or may not be read, no Rollout can use one.
    if (!trafficRoutings.hasSynced() && trafficRoutings.state().state === 'starting') return;
    if (isPatient && kinds.areStarting()) return;
    cancelPatience();
    state = 'reading';
    queue.add(SCRIPTS);
  }

  /** Before that every Rollout would have to wait for its script, or be judged twice. */
  function openWhenRead(): void {
    state = 'open';
    for (const key of early) queue.add(key);
    early.clear();
    queue.addAfter(PINS, SWEEP_MILLISECONDS);
    log.info({ rollouts: [...index.keys()].length }, 'the controller works on Rollouts');
    opened.resolve();
  }

  function scriptOf(hash: string): Script | undefined {
    return pins.get(hash) ?? shipped.get(hash);
  }

  /** The Rollouts that use the script of this ConfigMap. */
  function usersOf(configMapName = ''): string[] {
    const hash = pinnedHash(configMapName) ?? '';
    return [...uses].flatMap(([key, hashes]) => (hashes.includes(hash) ? [key] : []));
  }

  const stopGuarding = guard.onCalling(() => enqueue(index.keys()));
  const cancelPatience = clock.after(PATIENCE_MILLISECONDS, () => {
    isPatient = false;
    openWhenSeen();
  });

  function base(): [string, Watch<unknown>][] {
    return [
      ['Rollouts', rollouts],
      ['the ConfigMap of scripts', scriptMaps],
      ['pinned scripts', pinned],
    ];
  }

  /** Without these nothing works at all, and no status can say so. */
  function tellOfWatch(what: string, watch: Watch<unknown>): void {
    const { state: now, message } = watch.state();
    if (watchStates.get(what) === now) return;
    const isBad = now !== 'synced' && now !== 'starting';
    if (isBad) log.warn({ state: now, reason: message }, `the watch of ${what} does not work`);
    else if (watchStates.has(what)) log.info({ state: now }, `the watch of ${what} works`);
    watchStates.set(what, now);
  }

  async function work(key: string, attempt: Attempt): Promise<Again> {
    const what: Work = key === SCRIPTS || key === PINS ? key : isRoutingKey(key) ? 'routing' : 'rollout';
    const begun = clock.monotonic();
    const tell = (result: Parameters<Measuring['worked']>[1]) =>
      measuring.worked(what, result, clock.monotonic() - begun);
    try {
      const again = await workOn(key, attempt);
      tell('done');
      return again;
    } catch (error) {
      tell(error instanceof TryAgain || outcomeOf(error) === 'conflict' ? 'again' : 'failed');
      throw error;
    }
  }

  function workOn(key: string, attempt: Attempt): Promise<Again> {
    if (key === SCRIPTS) return updateScripts();
    return key === PINS ? sweepPins() : reconcile(key, attempt);
  }

  async function updateScripts(): Promise<Again> {
    const { changed, isDoubtful } = await book.update();
    if (state === 'reading') openWhenRead();
    else if (changed) enqueue(index.keys());
    return { afterMilliseconds: isDoubtful ? DOUBTFUL_MILLISECONDS : RESYNC_MILLISECONDS };
  }

  async function sweepPins(): Promise<Again> {
    const isKnown = kinds.haveAllBeenSeen() && [...index.keys()].every((key) => uses.has(key));
    if (!isKnown) return { afterMilliseconds: SWEEP_MILLISECONDS };
    const used = new Set([...uses.values()].flat());
    const afterMilliseconds = await pins.sweep((hash) => used.has(hash) || book.keeps(hash) || kinds.nameScript(hash));
    return afterMilliseconds === undefined ? {} : { afterMilliseconds };
  }

  function onUse(key: string, hashes: readonly string[] | undefined): void {
    const before = uses.get(key);
    if (hashes === undefined) uses.delete(key);
    else uses.set(key, hashes);
    const gone = before?.some((hash) => hashes?.includes(hash) !== true) === true;
    if (gone) queue.addAfter(PINS, SWEEP_MILLISECONDS);
  }

  function onFailure(key: string, error: unknown, { failures, failingFor }: Attempt): void {
    // Where they cannot be read at all, each Rollout says so.
    const isTooLate = failingFor >= settings.visibleAfterMilliseconds;
    if (key === SCRIPTS && state === 'reading' && isTooLate) openWhenRead();
    // Told when it begins. That it lasts is told in the Rollout's status, as is what only waits for something.
    if (failures > 0 || (error instanceof TryAgain && index.get(key) !== undefined)) return;
    if (outcomeOf(error) !== undefined || error instanceof TryAgain) {
      log.warn({ key, reason: error instanceof Error ? error.message : String(error) }, 'will be tried again');
    } else log.error({ key, err: error }, 'failed, and will be tried again');
  }

  return {
    ready: opened.promise,
    kindsInUse: () => kinds.inUse(),
    onKindsInUse: (listener) => kinds.onInUse(listener),
    considerKinds: (considered) => kinds.consider(considered),
    kind: (kind) => kinds.of(kind),
    queueSize: () => queue.size(),
    *figures() {
      for (const key of index.keys()) {
        const entry = index.get(key);
        if (entry !== undefined) yield figuresOf(entry);
      }
    },
    async close() {
      state = 'closed';
      cancelPatience();
      stopGuarding();
      for (const watch of [rollouts, trafficRoutings, scriptMaps, pinned]) watch.close();
      kinds.close();
      scenes.close();
      await queue.close();
    },
  };
}

/** Kinds of gateway objects that API servers ask about whether or not a Rollout names them. */
function scriptedKinds({ scripts }: Library): GroupKind[] {
  return [...scripts.keys()].flatMap((name) => {
    const [group = '', kind = ''] = name.split('/');
    return group === 'ingress' ? [] : [{ group, kind }];
  });
}

function decideIn(isolate: Pick<Isolate, 'run'>): Decide {
  return async (write, scripts) => parseJson(await isolate.run('decide', decideInput(write, scripts))) as Judged; // the job's own output
}
