import { ROUTE_TABLE } from '../admission/routes.ts';
import type { Controller } from '../controller/controller.ts';
import { outcomeOf } from '../kube/api-error.ts';
import type { Client } from '../kube/client.ts';
import type { Discovery } from '../kube/discovery.ts';
import type { RuleKind } from '../registration/kinds.ts';
import { missingVerbs } from '../registration/rights.ts';

export type RuleKindsOptions = {
  readonly controller: Pick<Controller, 'namedKinds' | 'onNamedKinds'>;
  readonly discovery: Pick<Discovery, 'find' | 'onChange'>;
  /** Asks what the controller itself may do. */
  readonly client: Client;
  /** Told of the kinds that Rollouts name, that are served, and that the controller has rights for. */
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

/** Follows the kinds that only Rollouts name, and hands on those that may have a rule. Returns what ends that. */
export function followRuleKinds({ controller, discovery, client, setKinds, onFault }: RuleKindsOptions): () => void {
  let closed = false;
  let looking = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    while (again && !closed) {
      again = false;
      const { kinds, isComplete } = await lookOnce();
      if (closed) return;
      setKinds(kinds);
      clearTimeout(timer);
      if (!isComplete) timer = setTimeout(wake, ASK_AGAIN_MILLISECONDS).unref();
    }
  }

  async function lookOnce(): Promise<{ kinds: RuleKind[]; isComplete: boolean }> {
    const found = await Promise.all(controller.namedKinds().map(({ group, kind }) => ruleKind(group, kind)));
    const kinds = found.filter((kind) => typeof kind === 'object');
    return { kinds, isComplete: !found.includes('missing') };
  }

  async function ruleKind(group: string, kind: string): Promise<RuleKind | 'known' | 'missing'> {
    try {
      const resource = await discovery.find(group, kind);
      if (resource === undefined) return 'missing';
      const { version, plural, namespaced } = resource;
      if (KNOWN.has(`${plural}.${group}`)) return 'known';
      if ((await missingVerbs(client, { group, plural })).length > 0) return 'missing';
      return { group, version, plural, scope: namespaced ? 'Namespaced' : 'Cluster' };
    } catch (error) {
      if (outcomeOf(error) === undefined) throw error;
      return 'missing';
    }
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
      });
  }

  const stops = [controller.onNamedKinds(wake), discovery.onChange(wake)];
  wake();
  return () => {
    closed = true;
    clearTimeout(timer);
    for (const stop of stops) stop();
  };
}
