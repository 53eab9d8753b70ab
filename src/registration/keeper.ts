import type { FailurePolicies } from '../admission/routes.ts';
import { at, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { type Client, type KubeObject, resourceVersionOf } from '../kube/client.ts';
import { type Clock, SYSTEM_CLOCK } from '../kube/clock.ts';
import { RESOURCES } from '../kube/resource.ts';
import { bringAbout, type Intent } from './apply.ts';
import { type Answer, askRoutes, type Question } from './ask-routes.ts';
import { type ConversionState, CRD_NAMES, callsUs, howToAdopt } from './conversion.ts';
import { createDamping } from './damping.ts';
import { type Endpoint, readyEndpoints } from './endpoints.ts';
import { type RuleKind, refusalOf } from './kinds.ts';
import {
  calledNow,
  carriedBundles,
  crdIntent,
  type Observed,
  planRegistration,
  type RegistrationPlan,
  storedKinds,
} from './plan.ts';
import { SERVICE } from './render.ts';
import { readTemplates, type Template } from './templates.ts';
import { type Calling, whyUncalled } from './uncalled.ts';
import { followWebhooks, type KnownWebhook } from './webhooks.ts';

/** What the keeper sees of the cluster, kept current by watches. */
export type View = {
  /** Whether all of it has been read once. Nothing is decided before. */
  synced(): boolean;
  /** One of our configurations or CRDs, by its name. */
  object(name: string): KubeObject | undefined;
  /** The EndpointSlices of the webhooks' Service. */
  slices(): Iterable<KubeObject>;
  /** Calls `listener` after each change, and once all has been read. Returns what ends the calls. */
  onChange(listener: () => void): () => void;
};

export type RegistrationSettings = {
  /** Ours. */
  readonly namespace: string;
  /** The name of our ClusterRole, which owns the configurations. */
  readonly clusterRole: string;
  readonly failurePolicies: FailurePolicies;
  readonly excludedNamespaces: readonly string[];
  /** Milliseconds between two questions to a webhook that answers. */
  readonly askInterval: number;
};

export type RegistrationOptions = {
  /** Fenced: only the leader writes. */
  readonly client: Pick<Client, 'get' | 'patch'>;
  readonly view: View;
  readonly settings: RegistrationSettings;
  readonly templates?: readonly Template[];
  readonly ask?: (endpoint: Endpoint, question: Question) => Promise<Answer>;
  readonly clock?: Clock;
  /** Told of each write, for the log. */
  readonly onWrite: (object: string) => void;
  /** Told once of what somebody has to decide or mend. */
  readonly onRemark: (remark: string) => void;
  /** Told once of each new reason why a pass failed; it is repeated. */
  readonly onProblem: (problem: Error) => void;
};

/** What is known now, for metrics and conditions. */
export type RegistrationState = Pick<RegistrationPlan, 'called' | 'waiting' | 'conversions' | 'holds'> & {
  readonly webhooks: readonly KnownWebhook[];
  readonly calling: Calling;
  /** Why the last pass failed. */
  readonly problem: string | undefined;
};

export type Registration = {
  /** The bundle that API servers should trust, in PEM. */
  trust(bundle: string): void;
  /**
   * The kinds that Rollouts name, as discovery found them, for as long as a Rollout names them or one of their objects is in
   * a release. Until the first call the rules that are stored stay as they are. Returns those that get no rule, and why.
   */
  setKinds(kinds: readonly RuleKind[]): readonly { readonly kind: RuleKind; readonly reason: string }[];
  /** The kinds that stored rules name beyond those of the templates: what was in use before this process began. */
  storedKinds(): Promise<readonly RuleKind[]>;
  /** The bundles that configurations and CRDs carry, and the certificate that each ready webhook serves, asked now. */
  inUse(): Promise<{ bundles: readonly string[]; served: readonly string[] }>;
  state(): RegistrationState;
  /** Called when it has been decided that API servers ask, or do not. The answer ends that. */
  onCalling(listener: () => void): () => void;
  /** Ends the conversion by our webhooks, as before an uninstallation; the keeper is closed then. */
  release(): Promise<void>;
  /** Stops; ends when no write is under way. */
  close(): Promise<void>;
};

const FIRST_RETRY = 250;
const LONGEST_RETRY = 30_000;
/** A look at everything without any change: a ClusterRole that came or went is not watched. */
const RESYNC = 60_000;
/** How long a write of ours may take to come back by the watch. */
const ECHO = 2_000;
/** What is not called for so long is told: a start, or a change of the version, takes less. */
const UNCALLED = 30_000;

/**
 * Keeps our webhook configurations, and the conversion of our CRDs, as they should be: whatever changes in the cluster, in the
 * bundle or in the kinds leads to a new plan, and what differs is written. Only the leader runs one.
 *
 * ```
 *  configurations, CRDs ─┐
 *  EndpointSlices ─► /routes of each ready webhook ─┤► plan ──► server-side apply of what differs
 *  bundle, kinds ────────┘
 * ```
 */
export function keepRegistration(options: RegistrationOptions): Registration {
  const { client, view, settings, ask = askRoutes, clock = SYSTEM_CLOCK, onWrite, onRemark, onProblem } = options;
  const { namespace } = settings;
  const templates = options.templates ?? readTemplates();
  const damping = createDamping(clock.monotonic);
  const intended = new Map<string, string>();
  const echoes = new Map<string, { version: string; until: number }>();
  const remarks = new Set<string>();
  let bundle: string | undefined;
  let kinds: readonly RuleKind[] | undefined;
  const seen = Promise.withResolvers<void>();
  let owner: Observed['owner'];
  let plan: RegistrationPlan = NOTHING_KNOWN;
  let calledBefore: ReadonlySet<string> = new Set();
  let uncalledSince: number | undefined;
  let calling: Calling = 'undecided';
  /** The last that was no doubt. */
  let decided: Calling = 'undecided';
  const callingListeners = new Set<() => void>();
  let problem: string | undefined;
  let failures = 0;
  let closed = false;
  let running: Promise<void> | undefined;
  let again = false;
  let callOff = (): void => undefined;

  const webhooks = followWebhooks({
    servername: `${SERVICE}.${namespace}.svc`,
    ask,
    clock,
    interval: settings.askInterval,
    onChange: wake,
  });
  const stopViewing = view.onChange(wake);
  wake();

  /** Starts a pass, or lets the one that runs be followed by another. */
  function wake(): void {
    if (closed) return;
    again = true;
    running ??= passes().finally(() => {
      running = undefined;
      if (again) wake(); // it came after the last pass had ended
    });
  }

  async function passes(): Promise<void> {
    // What came at once (a listing, say) is looked at once.
    await Promise.resolve();
    while (again && !closed) {
      again = false;
      callOff();
      const wait = await pass().then(succeeded, failed);
      callOff = clock.after(Math.min(wait, decideCalling()), wake);
    }
    if (closed) callOff();
  }

  function succeeded(wait: number): number {
    problem = undefined;
    failures = 0;
    return wait;
  }

  function failed(error: unknown): number {
    const { message } = error instanceof Error ? error : new Error(String(error));
    if (message !== problem) onProblem(error instanceof Error ? error : new Error(message));
    problem = message;
    failures++;
    return Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** (failures - 1));
  }

  /** @returns after how many milliseconds to look again, if nothing changes */
  async function pass(): Promise<number> {
    if (!view.synced()) return RESYNC;
    seen.resolve();
    webhooks.follow(readyEndpoints(view.slices()));
    plan = planRegistration(observe());
    if (owner === undefined || plan.writes.length > 0) {
      owner = await readOwner(client, settings.clusterRole);
      plan = planRegistration(observe());
    }
    tellRemarks();
    const outcomes = await Promise.allSettled(plan.writes.map(write));
    // What is called stays known even if a hand takes it away, but not beyond an outage of all webhooks.
    calledBefore = plan.holds === undefined ? plan.called : new Set();
    return Math.min(RESYNC, ...outcomes.map(waitAfter));
  }

  /**
   * Decides whether API servers ask. The reason is that of the moment: it may change with every pod that comes or goes,
   * and each Rollout says it.
   * @returns after how many milliseconds to look again at the latest
   */
  function decideCalling(): number {
    const why = whyUncalled({ ...plan, called: calledNow(observe()), problem }, webhooks.known());
    if (why === undefined) {
      uncalledSince = undefined;
      decide('called');
      return RESYNC;
    }
    uncalledSince ??= clock.monotonic();
    const left = uncalledSince + UNCALLED - clock.monotonic();
    if (typeof calling === 'object') return RESYNC;
    if (left > 0) {
      calling = 'undecided';
      return left;
    }
    onRemark(why.detail === '' ? why.reason : `${why.reason} (${why.detail})`);
    decide({ reason: why.reason });
    return RESYNC;
  }

  function decide(now: Exclude<Calling, 'undecided'>): void {
    calling = now;
    if (decided === now) return;
    decided = now;
    for (const listener of callingListeners) listener();
  }

  function observe(): Observed {
    const names = [...templates.map(({ name }) => name), ...CRD_NAMES];
    const live = names.flatMap((name) => {
      const object = view.object(name);
      return object === undefined ? [] : [[name, object] as const];
    });
    const ready = webhooks.known().map(({ answer }) => answer?.paths);
    return { templates, ...settings, owner, bundle, kinds, ready, live: new Map(live), calledBefore };
  }

  /** @returns how long to wait before this write can be made; long when it has been made */
  async function write(intent: Intent): Promise<number> {
    const name = stringAt(intent.object, 'metadata', 'name') ?? '';
    const version = resourceVersionOf(view.object(name) ?? {});
    const echo = echoes.get(name);
    if (echo?.version === version && echo.until > clock.monotonic()) return echo.until - clock.monotonic();
    const text = JSON.stringify(intent.object);
    const isCorrection = intended.get(name) === text;
    const delay = isCorrection ? damping.delayFor(name) : 0;
    if (delay > 0) return delay;
    if (closed) return RESYNC;
    try {
      await bringAbout(client, intent, version);
    } catch (error) {
      if (outcomeOf(error) === 'conflict') return FIRST_RETRY; // somebody was faster: the watch brings what they wrote
      throw error;
    }
    if (isCorrection) damping.corrected(name);
    intended.set(name, text);
    echoes.set(name, { version, until: clock.monotonic() + ECHO });
    onWrite(`${intent.resource.kind} ${name}`);
    return ECHO;
  }

  function tellRemarks(): void {
    const now = remarksOf(plan.conversions, namespace);
    for (const remark of now) if (!remarks.has(remark)) onRemark(remark);
    remarks.clear();
    for (const remark of now) remarks.add(remark);
  }

  async function close(): Promise<void> {
    closed = true;
    stopViewing();
    webhooks.close();
    callOff();
    await running;
  }

  return {
    trust(pem) {
      bundle = pem;
      webhooks.trust(pem);
      wake();
    },
    setKinds(named) {
      const judged = named.map((kind) => ({ kind, reason: refusalOf(kind) }));
      kinds = judged.filter(({ reason }) => reason === undefined).map(({ kind }) => kind);
      wake();
      return judged.flatMap(({ kind, reason }) => (reason === undefined ? [] : [{ kind, reason }]));
    },
    async storedKinds() {
      await seen.promise;
      return storedKinds(observe());
    },
    async inUse() {
      // What has not been read would look as if nothing carried an old CA any more.
      if (!view.synced()) throw new Error('the webhook configurations have not been read yet');
      const served = (await webhooks.askAll()).map(({ answer }) => answer?.certificate ?? '');
      return { bundles: carriedBundles(observe()), served };
    },
    state: () => ({ ...plan, webhooks: webhooks.known(), calling, problem }),
    onCalling(listener) {
      callingListeners.add(listener);
      return () => callingListeners.delete(listener);
    },
    async release() {
      await close();
      for (const name of CRD_NAMES) {
        if (callsUs(view.object(name), namespace)) await bringAbout(client, crdIntent(name, { strategy: 'None' }));
      }
    },
    close,
  };
}

const NOTHING_KNOWN: RegistrationPlan = {
  writes: [],
  called: new Set(),
  waiting: new Map(),
  conversions: new Map(),
  holds: 'the cluster has not been read yet',
};

function remarksOf(conversions: ReadonlyMap<string, ConversionState>, namespace: string): string[] {
  const foreign = [...conversions].filter(([, state]) => state === 'foreign');
  return foreign.map(([name]) => howToAdopt(name, namespace));
}

/** @throws what the write threw: all others have been made by then */
function waitAfter(outcome: PromiseSettledResult<number>): number {
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}

/** Our ClusterRole; undefined when it is gone or going. */
async function readOwner(client: Pick<Client, 'get'>, name: string): Promise<Observed['owner']> {
  try {
    const role = await client.get(RESOURCES.clusterRole, { name });
    const uid = stringAt(role, 'metadata', 'uid') ?? '';
    return at(role, ['metadata', 'deletionTimestamp']) === undefined ? { name, uid } : undefined;
  } catch (error) {
    if (outcomeOf(error) === 'gone') return undefined;
    throw error;
  }
}
