import { equal } from '../json/equal.ts';
import type { Json } from '../json/value.ts';
import type { Clock } from '../kube/clock.ts';
import type { Resource } from '../kube/resource.ts';
import { type GroupKind, kindKey, WORKLOAD_TYPES } from './references.ts';
import type { RolloutIndex } from './rollout-index.ts';
import { type CarriedDirective, isSameButVersion, type Seen, seen } from './seen.ts';
import type { Change, Watch, Watcher, WatchState } from './watcher.ts';

/** An object that carries a directive of a Rollout. */
export type Carrier = {
  readonly kind: GroupKind;
  readonly resource: Resource;
  readonly seen: Seen;
  readonly directive: CarriedDirective;
};

/** What is known of one kind. */
export type KindView = {
  readonly state: WatchState;
  readonly message: string;
  /** Undefined as long as it is not known where the kind is served. */
  readonly resource: Resource | undefined;
  /** Whether an object that {@link KindView.get} does not find is known not to be there. */
  readonly hasSynced: boolean;
  get(namespace: string, name: string): Seen | undefined;
};

/**
 * A kind whose objects Sluice has to be asked about; `isCarried`: whether some of them carry a directive now, undefined
 * while they have not been seen.
 */
export type KindInUse = GroupKind & { readonly isCarried: boolean | undefined };

/** The objects that Rollouts name: a watch for each kind, only while some Rollout names it or an object has a directive. */
export type Kinds = {
  of(kind: GroupKind): KindView;
  /** Every object that carries a directive of this Rollout (`namespace/name`), named by it or not. */
  carriersOf(rolloutKey: string): Carrier[];
  /** Every object of ours that is there for this Rollout: canary Services, Ingresses, Deployments. */
  madeFor(rolloutKey: string): Pick<Carrier, 'resource' | 'seen'>[];
  /** Whether the directive of any object names this script. */
  nameScript(hash: string): boolean;
  /** Whether some kind has not answered yet, neither with its objects nor with a refusal. */
  areStarting(): boolean;
  /**
   * The kinds that Rollouts name or whose objects carry a directive, whether or not its Rollout is still there; and those
   * of {@link Kinds.consider} as long as it is not known.
   */
  inUse(): KindInUse[];
  /** Called when {@link Kinds.inUse} may have changed. The answer ends that. */
  onInUse(listener: () => void): () => void;
  /**
   * Looks through the objects of kinds that no Rollout may name: they were in use before this process began. Told once,
   * with all of them.
   */
  consider(kinds: readonly GroupKind[]): void;
  /**
   * Why it is not known yet what Rollouts that are gone have left; undefined when it is. Kinds that the controller may not
   * read are left out: it has no rights to change them either, and anybody can name one.
   */
  unknown(): string | undefined;
  /** Whether every object of every watched kind has been seen, so that what is not found is not there. */
  haveAllBeenSeen(): boolean;
  close(): void;
};

export type KindsOptions = {
  readonly watcher: Watcher;
  readonly index: RolloutIndex;
  readonly clock: Clock;
  /** Watched whether or not a Rollout names them: objects may carry directives of Rollouts that are gone. */
  readonly always: readonly GroupKind[];
  /** Watched, for the same reason, until all of their objects have been seen once. */
  readonly first: readonly GroupKind[];
  /** Something happened that matters to these Rollouts. */
  readonly queue: (rolloutKeys: Iterable<string>) => void;
  /** The state of some kind has changed. */
  readonly onState: () => void;
};

/** A kind that nobody names any more is watched on for so long: Rollouts are deleted and created again. */
const LINGER_MILLISECONDS = 60_000;

/** How soon a kind is tried again that could not be found or read: somebody is about to mend it, and watches. */
const RETRY_MILLISECONDS = 2_000;

/** APIs of other servers (APIService) come without a CustomResourceDefinition that would tell of it. */
const SEARCH_MILLISECONDS = 10_000;

const NOT_SERVED = { state: 'notServed', message: '' } as const;

type WatchedKind = {
  readonly kind: GroupKind;
  readonly isWorkload: boolean;
  /** One of {@link KindsOptions.first}. */
  readonly isFirst: boolean;
  /** Some objects may carry a directive, as they did before this watch: asked for by {@link Kinds.consider}, or seen. */
  isConsidered: boolean;
  resource: Resource | undefined;
  watch: Watch<Seen> | undefined;
  state: { readonly state: WatchState; readonly message: string };
  /** Rollout key → keys of the objects (`namespace/name`) that carry a directive of it. */
  readonly carriers: Map<string, Map<string, Seen>>;
  /** Rollout key → the objects of ours that are there for it, by their keys. */
  readonly made: Map<string, Map<string, Seen>>;
  /** Script hash → how many directives name it. */
  readonly scripts: Map<string, number>;
  /** Above 0 while the kind is looked for, above 1 when it has to be looked for again. */
  searches: number;
  cancelRetry: () => void;
  cancelLinger: (() => void) | undefined;
  wasSynced: boolean;
};

const UNKNOWN: KindView = {
  state: 'starting',
  message: '',
  resource: undefined,
  hasSynced: false,
  get: () => undefined,
};

export function openKinds({ watcher, index, clock, always, first, queue, onState }: KindsOptions): Kinds {
  const kinds = new Map<string, WatchedKind>();
  const inUseListeners = new Set<() => void>();
  /** Whether it was told which kinds were in use before. */
  let isTold = false;
  let closed = false;

  const isAlways = (kind: GroupKind) => always.some((other) => kindKey(other) === kindKey(kind));
  const isUnknown = ({ wasSynced, state }: WatchedKind) => !wasSynced && state.state !== 'notServed';
  const isInUse = (entry: WatchedKind) =>
    index.names(entry.kind) ||
    entry.carriers.size > 0 ||
    entry.made.size > 0 ||
    (entry.isConsidered && isUnknown(entry));
  const isLate = (entry: WatchedKind) => isUnknown(entry) && entry.state.state !== 'forbidden';
  const isWanted = (entry: WatchedKind) => isAlways(entry.kind) || isInUse(entry) || (entry.isFirst && isLate(entry));

  function refresh(): void {
    if (closed) return;
    for (const kind of [...always, ...index.namedKinds()]) if (!kinds.has(kindKey(kind))) start(kind);
    for (const entry of kinds.values()) linger(entry);
    tellInUse();
  }

  function tellInUse(): void {
    for (const listener of inUseListeners) listener();
  }

  function linger(entry: WatchedKind): void {
    if (isWanted(entry)) {
      entry.cancelLinger?.();
      entry.cancelLinger = undefined;
      return;
    }
    entry.cancelLinger ??= clock.after(LINGER_MILLISECONDS, () => {
      if (!isWanted(entry)) stop(entry);
    });
  }

  function start(kind: GroupKind, isConsidered = false): void {
    const entry: WatchedKind = {
      kind,
      isWorkload: WORKLOAD_TYPES.has(kindKey(kind)),
      isFirst: first.some((other) => kindKey(other) === kindKey(kind)),
      isConsidered,
      resource: undefined,
      watch: undefined,
      state: { state: 'starting', message: '' },
      carriers: new Map(),
      made: new Map(),
      scripts: new Map(),
      searches: 0,
      cancelRetry: () => undefined,
      cancelLinger: undefined,
      wasSynced: false,
    };
    kinds.set(kindKey(kind), entry);
    void search(entry);
  }

  function stop(entry: WatchedKind): void {
    kinds.delete(kindKey(entry.kind));
    entry.cancelRetry();
    entry.cancelLinger?.();
    entry.watch?.close();
  }

  const isLive = (entry: WatchedKind) => !closed && kinds.get(kindKey(entry.kind)) === entry;

  /** Finds out where the kind is served, and has its watch there. What comes meanwhile is looked for after that. */
  async function search(entry: WatchedKind): Promise<void> {
    entry.searches += 1;
    if (entry.searches > 1) return;
    do {
      entry.searches = 1;
      await searchOnce(entry);
    } while (entry.searches > 1);
    entry.searches = 0;
  }

  async function searchOnce(entry: WatchedKind): Promise<void> {
    let found: Resource | undefined;
    let problem: string | undefined;
    try {
      found = await watcher.find(entry.kind.group, entry.kind.kind);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (!isLive(entry)) return;
    if (found !== undefined) open(entry, found);
    else if (entry.watch === undefined) {
      setState(entry, problem === undefined ? NOT_SERVED : { state: 'failing', message: problem });
      entry.cancelRetry();
      entry.cancelRetry = clock.after(
        problem === undefined ? SEARCH_MILLISECONDS : RETRY_MILLISECONDS,
        () => void search(entry),
      );
    }
  }

  function open(entry: WatchedKind, resource: Resource): void {
    if (equal(entry.resource as Json | undefined, resource)) {
      if (entry.state.state === 'notServed') entry.watch?.retry();
      return;
    }
    entry.watch?.close();
    entry.cancelRetry();
    entry.isConsidered ||= entry.carriers.size > 0;
    entry.carriers.clear();
    entry.made.clear();
    entry.scripts.clear();
    entry.resource = resource;
    if (!resource.namespaced) {
      entry.watch = undefined;
      setState(entry, { state: 'synced', message: '' });
      return;
    }
    const watch: Watch<Seen> = watcher.watch({
      resource,
      metadataOnly: true,
      trim: (object) => seen(object, resource.kind, !entry.isWorkload),
      onChange: (change) => entry.watch === watch && receive(entry, change),
      onState: () => entry.watch === watch && follow(entry),
    });
    entry.watch = watch;
    follow(entry);
  }

  function follow(entry: WatchedKind): void {
    if (!isLive(entry) || entry.watch === undefined) return;
    setState(entry, entry.watch.state());
    // The right may be granted, or the kind installed, at any moment, and nothing tells of it.
    const isRefused = entry.state.state === 'forbidden' || entry.state.state === 'notServed';
    entry.cancelRetry();
    if (isRefused) entry.cancelRetry = clock.after(RETRY_MILLISECONDS, () => retry(entry));
  }

  function retry(entry: WatchedKind): void {
    if (!isLive(entry)) return;
    entry.watch?.retry();
    entry.cancelRetry = clock.after(RETRY_MILLISECONDS, () => retry(entry));
  }

  function setState(entry: WatchedKind, state: WatchedKind['state']): void {
    const before = entry.state;
    entry.state = state;
    const hasSynced = entry.watch?.hasSynced() ?? !(entry.resource?.namespaced ?? true);
    // What has been seen stays known while a watch fails: that it does is no news to Rollouts, and it may come often.
    const isNews = refusal(before) !== refusal(state) || hasSynced !== entry.wasSynced;
    entry.wasSynced = hasSynced;
    if (isNews) {
      queue(index.namingKind(entry.kind));
      linger(entry);
      tellInUse();
    }
    onState();
  }

  function receive(entry: WatchedKind, { before, after }: Change<Seen>): void {
    const wasCarried = entry.carriers.size > 0;
    if (before !== undefined) carry(entry, before, -1);
    if (after !== undefined) carry(entry, after, 1);
    if (wasCarried !== entry.carriers.size > 0) tellInUse();
    // Status changes with every pod, and with every look of a gateway's controller; nothing here depends on it.
    if (before !== undefined && after !== undefined && isSameButVersion(before, after)) return;
    const object = after ?? before;
    if (object === undefined) return;
    queue(index.naming({ ...entry.kind, name: object.name }, object.namespace));
    queue([before, after].flatMap((state) => state?.made?.rollout ?? []));
    queue([before, after].flatMap((state) => state?.directives.flatMap(({ rollout }) => rollout?.key ?? []) ?? []));
    linger(entry);
  }

  function carry(entry: WatchedKind, object: Seen, count: 1 | -1): void {
    const objectKey = `${object.namespace}/${object.name}`;
    const file = (byRollout: Map<string, Map<string, Seen>>, key: string) => {
      const objects = byRollout.get(key) ?? new Map<string, Seen>();
      if (count === 1) byRollout.set(key, objects.set(objectKey, object));
      else objects.delete(objectKey);
      if (objects.size === 0) byRollout.delete(key);
    };
    if (object.made !== undefined) file(entry.made, object.made.rollout);
    for (const { rollout, script } of object.directives) {
      if (script !== undefined) counted(entry.scripts, script, count);
      if (rollout !== undefined) file(entry.carriers, rollout.key);
    }
  }

  const stopListening = [
    index.onKinds(refresh),
    watcher.onDiscovery((kind) => {
      const entry = kinds.get(kindKey(kind));
      if (entry !== undefined) void search(entry);
    }),
  ];
  for (const kind of first) start(kind);
  refresh();

  return {
    of(kind) {
      const entry = kinds.get(kindKey(kind));
      if (entry === undefined) return UNKNOWN;
      return {
        ...entry.state,
        resource: entry.resource,
        hasSynced: entry.wasSynced,
        get: (namespace, name) => entry.watch?.get(namespace, name),
      };
    },
    carriersOf: (rolloutKey) =>
      [...kinds.values()].flatMap(({ kind, resource, carriers }) =>
        [...(carriers.get(rolloutKey)?.values() ?? [])].flatMap((object) =>
          object.directives
            .filter(({ rollout }) => rollout?.key === rolloutKey)
            .flatMap((directive) => (resource === undefined ? [] : [{ kind, resource, seen: object, directive }])),
        ),
      ),
    madeFor: (rolloutKey) =>
      [...kinds.values()].flatMap(({ resource, made }) =>
        [...(made.get(rolloutKey)?.values() ?? [])].flatMap((object) =>
          resource === undefined ? [] : [{ resource, seen: object }],
        ),
      ),
    inUse: () =>
      [...kinds.values()].filter(isInUse).map((entry) => {
        const isCarried = entry.carriers.size > 0 || (isUnknown(entry) ? undefined : false);
        return { ...entry.kind, isCarried };
      }),
    onInUse(listener) {
      inUseListeners.add(listener);
      return () => inUseListeners.delete(listener);
    },
    consider(considered) {
      if (closed) return;
      isTold = true;
      for (const kind of considered) {
        const known = kinds.get(kindKey(kind));
        if (known === undefined) start(kind, true);
        else known.isConsidered = true;
      }
      tellInUse();
    },
    unknown() {
      if (!isTold) return 'it is not known yet which kinds were in use before';
      const late = [...kinds.values()].find(
        (entry) => (isAlways(entry.kind) || entry.isFirst || entry.isConsidered) && isLate(entry),
      );
      return late && `${late.kind.kind}: ${late.state.message || 'its objects have not all been seen yet'}`;
    },
    nameScript: (hash) => [...kinds.values()].some(({ scripts }) => scripts.has(hash)),
    areStarting: () => [...kinds.values()].some(({ state }) => state.state === 'starting'),
    haveAllBeenSeen: () =>
      [...kinds.values()].every(({ wasSynced, state }) => wasSynced || state.state === 'notServed'),
    close() {
      closed = true;
      for (const stopOne of stopListening) stopOne();
      for (const entry of [...kinds.values()]) stop(entry);
    },
  };
}

function refusal({ state }: { readonly state: WatchState }): WatchState | undefined {
  return state === 'notServed' || state === 'forbidden' ? state : undefined;
}

function counted(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
