import { ROUTE_TABLE } from '../admission/routes.ts';
import type { Controller } from '../controller/controller.ts';
import { kindKey } from '../controller/references.ts';
import { missingVerbs } from '../controller/rights.ts';
import { outcomeOf } from '../kube/api-error.ts';
import type { Client } from '../kube/client.ts';
import type { Discovery } from '../kube/discovery.ts';
import { type RuleKind, refusalOf } from '../registration/kinds.ts';

export type RuleKindsOptions = {
  readonly controller: Pick<Controller, 'ready' | 'kindsInUse' | 'onKindsInUse' | 'considerKinds'>;
  readonly discovery: Pick<Discovery, 'find' | 'kindOf' | 'onChange'>;
  /** Asks what the controller itself may do. */
  readonly client: Pick<Client, 'ask'>;
  /** The kinds that the stored configurations have rules for. */
  readonly stored: () => Promise<readonly RuleKind[]>;
  /** Told of the kinds that are in use, that are served, and that the controller has rights for. */
  readonly setKinds: (kinds: readonly RuleKind[]) => void;
  /** Told of what is no passing failure. */
  readonly onFault: (error: unknown) => void;
};

/** Rights and kinds of other API servers come without a word: so often they are asked for while something is missing. */
const ASK_AGAIN_MILLISECONDS = 5_000;

/** Kinds that have a rule anyway. */
const KNOWN = new Set(
  Object.values(ROUTE_TABLE).flatMap(({ rules }) =>
    rules.flatMap(({ apiGroups, resources }) =>
      apiGroups.flatMap((group) => resources.map((plural) => `${plural}.${group}`)),
    ),
  ),
);

/** The rule that a kind may have; `known`: it has one that nothing changes; `unknown`: that cannot be found out now. */
type Ruling = RuleKind | 'known' | 'missing' | 'unknown';

/**
 * Follows the kinds in use, and hands on those that may have a rule. A rule protects objects that are rewritten, so it goes
 * only when it is known that no object needs it: not with the Rollout, not with a right, and not with the leader before.
 * Returns what ends that.
 */
export function followRuleKinds(options: RuleKindsOptions): () => void {
  const { controller, discovery, client, stored, setKinds, onFault } = options;
  let closed = false;
  let looking = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  /** By group and kind; undefined before the rules that there are have been read. */
  let ruled: ReadonlyMap<string, RuleKind> | undefined;

  async function look(): Promise<void> {
    while (again && !closed) {
      again = false;
      const isComplete = await lookOnce();
      clearTimeout(timer);
      if (!isComplete && !closed) timer = setTimeout(wake, ASK_AGAIN_MILLISECONDS).unref();
    }
  }

  /** @returns false where something is missing or not known */
  async function lookOnce(): Promise<boolean> {
    const before = ruled ?? (await remembered());
    if (before === undefined) return false;
    await controller.ready;
    const found = await Promise.all(
      controller.kindsInUse().map(async ({ isCarried, ...kind }) => {
        const key = kindKey(kind);
        const ruling = await rulingOf(kind.group, kind.kind);
        const mayBeNeeded = ruling === 'unknown' || (ruling === 'missing' && isCarried !== false);
        return { key, ruling, kind: typeof ruling === 'object' ? ruling : mayBeNeeded ? before.get(key) : undefined };
      }),
    );
    if (closed) return true;
    ruled = new Map(found.flatMap(({ key, kind }) => (kind === undefined ? [] : [[key, kind] as const])));
    setKinds([...ruled.values()]);
    return found.every(({ ruling }) => ruling !== 'missing' && ruling !== 'unknown');
  }

  /** What the leader before has made rules for, which is looked through from now on. */
  async function remembered(): Promise<ReadonlyMap<string, RuleKind> | undefined> {
    const kinds = await stored();
    const named = await passing(() =>
      Promise.all(kinds.map(async (kind) => ({ kind, named: await discovery.kindOf(kind.group, kind.plural) }))),
    );
    if (named === undefined) return undefined;
    const known = named.flatMap(({ kind, named: name }) => (name === undefined ? [] : [{ kind, name }]));
    controller.considerKinds(known.map(({ name }) => name));
    return new Map(known.map(({ kind, name }) => [kindKey(name), kind]));
  }

  async function rulingOf(group: string, kind: string): Promise<Ruling> {
    const ruling = await passing(async (): Promise<Ruling> => {
      const resource = await discovery.find(group, kind);
      if (resource === undefined) return 'missing';
      const { version, plural, namespaced } = resource;
      const found: RuleKind = { group, version, plural, scope: namespaced ? 'Namespaced' : 'Cluster' };
      // Those of a CRD are handed on: they are matched in the version that this cluster stores.
      if (KNOWN.has(`${plural}.${group}`)) return refusalOf(found) === undefined ? found : 'known';
      // Without the rights its writes would wait for a webhook that no directive ever reaches.
      return (await missingVerbs(client, found)).length > 0 ? 'missing' : found;
    });
    return ruling ?? 'unknown';
  }

  function wake(): void {
    if (closed) return;
    again = true;
    if (looking) return;
    looking = true;
    look()
      .catch(onFault)
      .finally(() => {
        looking = false;
        if (again) wake(); // it came after the last look had ended
      });
  }

  const stops = [controller.onKindsInUse(wake), discovery.onChange(wake)];
  wake();
  return () => {
    closed = true;
    clearTimeout(timer);
    for (const stop of stops) stop();
  };
}

/** Undefined where the API server does not answer now. */
async function passing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (outcomeOf(error) === undefined) throw error;
    return undefined;
  }
}
