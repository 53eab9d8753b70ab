import type { Rollout } from '../api/generated.ts';
import { type Json, stringAt } from '../json/value.ts';
import type { Library } from '../lua/library.ts';
import type { Script } from '../lua/script.ts';
import { releasingRollout, type WorkloadName } from '../rollout/naming.ts';
import type { PodMetadata } from '../rollout/pod-metadata.ts';

/**
 * What handlers know of the cluster beyond the request: filled by watches, or from files. Nothing here asks the API
 * server while an admission waits, except {@link Inventory.script} for a script that was pinned a moment ago, and
 * {@link Inventory.rolloutNaming}.
 */
export type Inventory = {
  /**
   * The pinned script with this content hash; undefined when it is certain that there is none.
   * @throws Unavailable when that cannot be said now.
   */
  script(hash: string): Promise<Script | undefined>;
  /** The Rollouts of a namespace in either version, as stored. */
  rolloutsIn(namespace: string): readonly Json[];
  /**
   * The Rollout that releases a workload at this very moment (see {@link releasingRollout}): a watch may not have brought
   * one that was created together with the new version.
   * @throws Unavailable when that cannot be said now.
   */
  rolloutNaming(workload: WorkloadName): Promise<Rollout | undefined>;
  /** What pods of a ReplicaSet in a release get; undefined for any other set, and for one that is not known yet. */
  podMetadata(replicaSet: OwnedName): PodMetadata | undefined;
};

/** An object as its dependants name it. */
export type OwnedName = { readonly namespace: string; readonly name: string; readonly uid: string };

/** Something that an admission needs is not there yet, or not for the moment: the writer should try again. */
export class Unavailable extends Error {
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds = 1) {
    super(message);
    this.name = 'Unavailable';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** What there is without a cluster: given scripts and Rollouts, which are never anything else, and no ReplicaSets. */
export function fixedInventory(scripts: Iterable<Script>, rollouts: readonly Json[]): Inventory {
  const byHash = new Map([...scripts].map((script) => [script.hash, script]));
  const byNamespace = Map.groupBy(rollouts, (rollout) => stringAt(rollout, 'metadata', 'namespace') ?? 'default');
  return {
    script: (hash) => Promise.resolve(byHash.get(hash)),
    rolloutsIn: (namespace) => byNamespace.get(namespace) ?? [],
    rolloutNaming: (workload) => Promise.resolve(releasingRollout(byNamespace.get(workload.namespace) ?? [], workload)),
    podMetadata: () => undefined,
  };
}

/** The scripts of a library by their content hash. */
export function scriptsByHash({ scripts }: Library): ReadonlyMap<string, Script> {
  return new Map([...scripts.values()].map((script) => [script.hash, script]));
}
