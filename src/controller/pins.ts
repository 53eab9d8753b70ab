import { stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import type { KubeObject } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { RESOURCES } from '../kube/resource.ts';
import type { Script } from '../lua/script.ts';
import { InvalidPinnedScript, pinnedHash, pinnedName, pinnedScript, readPinned } from '../rollout/pinned-script.ts';
import { type Api, FIELD_MANAGER, type Log } from './api.ts';
import type { Change } from './watcher.ts';

/** A ConfigMap that is, or claims to be, a pinned script. */
export type PinnedConfigMap = {
  readonly name: string;
  readonly uid: string;
  readonly content: { readonly script: Script } | { readonly problem: string };
};

/** Reads a ConfigMap with the label of pinned scripts as it arrives. */
export function pinnedConfigMap(object: KubeObject): PinnedConfigMap {
  const name = stringAt(object, 'metadata', 'name') ?? '';
  const uid = stringAt(object, 'metadata', 'uid') ?? '';
  try {
    return { name, uid, content: { script: readPinned(object) } };
  } catch (error) {
    if (!(error instanceof InvalidPinnedScript)) throw error;
    return { name, uid, content: { problem: error.message } };
  }
}

/** The scripts that are kept in ConfigMaps as long as anything may run them. */
export type Pins = {
  /** The pinned script, if there is one and it is what its name says. */
  get(hash: string): Script | undefined;
  /** Pins a script, unless it is pinned. A forged ConfigMap in its place is replaced. */
  ensure(script: Script): Promise<void>;
  /** The watch has brought news of a ConfigMap: what it says counts from now on. */
  observe(change: Change<PinnedConfigMap>): void;
  /**
   * Deletes what has been unused for the grace. `isUsed` must know everything: it is asked when all is known.
   * @returns when to look again, in milliseconds; undefined when nothing is unused.
   */
  sweep(isUsed: (hash: string) => boolean): Promise<number | undefined>;
};

export type PinsOptions = {
  readonly api: Api;
  readonly namespace: string;
  /** What the watch of the ConfigMaps has now. */
  readonly stored: { get(name: string): PinnedConfigMap | undefined; values(): Iterable<PinnedConfigMap> };
  readonly clock: Clock;
  readonly log: Log;
  /** A script that nothing uses is kept for so long: what uses it may not have been seen yet. */
  readonly graceMilliseconds: number;
};

export function createPins({ api, namespace, stored, clock, log, graceMilliseconds }: PinsOptions): Pins {
  /** Created by us and not seen by the watch yet. */
  const fresh = new Map<string, Script>();
  /** Deleted by somebody, and perhaps still in use: where nothing else has the text, it is pinned again from here. */
  const lost = new Map<string, Script>();
  const pinning = new Map<string, Promise<void>>();
  const unusedSince = new Map<string, number>();

  function get(hash: string): Script | undefined {
    const content = stored.get(pinnedName(hash))?.content;
    return content !== undefined && 'script' in content ? content.script : (fresh.get(hash) ?? lost.get(hash));
  }

  /** Many Rollouts use one script: they wait for one write. */
  function ensure(script: Script): Promise<void> {
    const running = pinning.get(script.hash) ?? pin(script).finally(() => pinning.delete(script.hash));
    pinning.set(script.hash, running);
    return running;
  }

  async function pin(script: Script): Promise<void> {
    const before = stored.get(pinnedName(script.hash));
    if (fresh.has(script.hash) || (before !== undefined && 'script' in before.content)) return;
    if (before !== undefined && 'problem' in before.content) await remove(before, before.content.problem);
    try {
      await api.create(RESOURCES.configMap, pinnedScript(script, namespace), { fieldManager: FIELD_MANAGER });
    } catch (error) {
      if (outcomeOf(error) !== 'exists') throw error;
      // Another leader's, or one that the watch has not brought yet: believed only if it is what its name says.
      const there = pinnedConfigMap(await api.get(RESOURCES.configMap, { namespace, name: pinnedName(script.hash) }));
      if ('problem' in there.content) {
        await remove(there, there.content.problem);
        throw error;
      }
    }
    fresh.set(script.hash, script);
    lost.delete(script.hash);
  }

  async function remove({ name, uid }: PinnedConfigMap, why: string): Promise<void> {
    log.info({ configMap: name, why }, 'deletes a pinned script');
    try {
      await api.delete(RESOURCES.configMap, { namespace, name }, { uid });
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome !== 'gone' && outcome !== 'conflict') throw error; // another one has come in its place
    }
  }

  async function sweep(isUsed: (hash: string) => boolean): Promise<number | undefined> {
    const now = clock.monotonic();
    const present = [...stored.values()];
    const names = new Set(present.map(({ name }) => name));
    for (const name of unusedSince.keys()) if (!names.has(name)) unusedSince.delete(name);
    for (const hash of lost.keys()) if (!isUsed(hash)) lost.delete(hash);
    let next: number | undefined;
    for (const configMap of present) {
      const hash = pinnedHash(configMap.name);
      if (hash !== undefined && isUsed(hash)) {
        unusedSince.delete(configMap.name);
        continue;
      }
      const since = unusedSince.get(configMap.name) ?? now;
      unusedSince.set(configMap.name, since);
      const left = since + graceMilliseconds - now;
      if (left > 0) {
        next = Math.min(next ?? left, left);
        continue;
      }
      await remove(configMap, 'nothing uses it any more');
      unusedSince.delete(configMap.name);
    }
    return next;
  }

  return {
    get,
    ensure,
    observe({ before, after }) {
      const hash = pinnedHash((after ?? before)?.name ?? '');
      if (hash === undefined) return;
      fresh.delete(hash);
      if (after === undefined && before !== undefined && 'script' in before.content) {
        lost.set(hash, before.content.script);
      }
    },
    sweep,
  };
}
