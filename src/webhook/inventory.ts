import { type Inventory, Unavailable } from '../admission/inventory.ts';
import { withoutLastApplied } from '../api/last-applied.ts';
import { LABELS } from '../api/names.ts';
import { parseJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import type { Client, KubeObject } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import type { ReflectorState } from '../kube/reflector-state.ts';
import { RESOURCES } from '../kube/resource.ts';
import { keyOf } from '../kube/store.ts';
import type { Script } from '../lua/script.ts';
import { InvalidPinnedScript, PINNED_LABEL, pinnedName, readPinned } from '../rollout/pinned-script.ts';
import { podMetadataOf } from '../rollout/pod-metadata.ts';
import { askRolloutNaming } from './rollout-naming.ts';

/** An inventory that a cluster keeps current. */
export type WatchedInventory = Inventory & {
  /** What is not known yet, or undefined when everything has been seen once. */
  notReady(): string | undefined;
  close(): void;
};

export type InventoryOptions = {
  readonly client: Client;
  /** Ours: where pinned scripts are. */
  readonly namespace: string;
  /** Told of a ConfigMap that claims to be a script and is not what its name says. */
  readonly onProblem: (problem: Error) => void;
  /** Told why a watch cannot be kept: a right is missing, say. What was seen before stays known. */
  readonly onUnwatched: (reason: string) => void;
};

/**
 * What a webhook knows of its cluster: all Rollouts, the pinned scripts, and the few ReplicaSets whose pods a release
 * labels. A script that a directive names and the watch
 * has not brought yet is read once; what the API server does not answer is {@link Unavailable}, never "there is none".
 */
export function watchInventory({ client, namespace, onProblem, onUnwatched }: InventoryOptions): WatchedInventory {
  const rollouts = new Reflector({ client, resource: RESOURCES.rollout, trim: judgedPart, parse: parseJson });
  const byNamespace = rollouts.store.index((rollout) => [stringAt(rollout, 'metadata', 'namespace') ?? '']);
  const scripts = new Reflector({
    client,
    resource: RESOURCES.configMap,
    selection: { namespace, labelSelector: `${PINNED_LABEL}=true` },
    trim: (configMap) => readOrReport(configMap, onProblem),
  });

  const replicaSets = new Reflector({
    client,
    resource: RESOURCES.replicaSet,
    selection: { labelSelector: `${LABELS.podMetadata}=true` },
    // Of the whole object: only its selector says which labels its pods must keep.
    trim: podMetadataOf,
  });

  for (const reflector of [rollouts, scripts, replicaSets])
    reflector.onState(({ message }) => message !== '' && onUnwatched(message));

  async function readNow(hash: string): Promise<Script | undefined> {
    const name = pinnedName(hash);
    try {
      return readOrReport(await client.get(RESOURCES.configMap, { namespace, name }), onProblem);
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome === 'gone') return undefined;
      if (outcome === undefined) throw error;
      throw new Unavailable(`the pinned script ${name} cannot be read now; try again`);
    }
  }

  return {
    async script(hash) {
      return scripts.store.get(keyOf({ namespace, name: pinnedName(hash) })) ?? (await readNow(hash));
    },
    rolloutsIn: (wanted) => [...byNamespace.keys(wanted)].flatMap((key) => rollouts.store.get(key) ?? []),
    rolloutNaming: (workload) => askRolloutNaming(client, workload),
    podMetadata({ namespace: place, name, uid }) {
      const entry = replicaSets.store.entry(keyOf({ namespace: place, name }));
      return entry?.uid === uid ? entry.value : undefined;
    },
    notReady() {
      const isServed = rollouts.state().state !== 'notServed';
      if (!rollouts.hasSynced() && isServed) return unknownYet('Rollouts', rollouts.state());
      if (!scripts.hasSynced()) return unknownYet('pinned scripts', scripts.state());
      return replicaSets.hasSynced() ? undefined : unknownYet('ReplicaSets in a release', replicaSets.state());
    },
    close() {
      rollouts.close();
      scripts.close();
      replicaSets.close();
    },
  };
}

function unknownYet(what: string, { message }: ReflectorState): string {
  return `the ${what} are not known yet${message === '' ? '' : `: ${message}`}`;
}

/** What is asked of a Rollout when another is judged. */
function judgedPart(rollout: KubeObject): JsonMap {
  const metadata = rollout['metadata'];
  const kept = (key: string): Record<string, Json> => {
    const value = member(metadata, key);
    return value === undefined ? {} : { [key]: value };
  };
  const given = member(metadata, 'annotations');
  const annotations = isMap(given) ? { annotations: withoutLastApplied(given) } : {};
  return {
    // Objects of a list lack both.
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { ...kept('name'), ...kept('namespace'), ...kept('uid'), ...annotations },
    ...(rollout['spec'] === undefined ? {} : { spec: rollout['spec'] }),
  };
}

function readOrReport(configMap: KubeObject, onProblem: (problem: Error) => void): Script | undefined {
  try {
    return readPinned(configMap);
  } catch (error) {
    if (!(error instanceof InvalidPinnedScript)) throw error;
    onProblem(error);
    return undefined;
  }
}
