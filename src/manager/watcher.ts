import type { Watch, Watcher, WatchOptions } from '../controller/watcher.ts';
import type { Client } from '../kube/client.ts';
import type { Discovery } from '../kube/discovery.ts';
import { Reflector } from '../kube/reflector.ts';
import { keyOf } from '../kube/store.ts';

/**
 * The controller's watches, each a reflector. A reflector that ends by a fault of ours would leave the controller blind:
 * `onFault` is told, and ends the process.
 */
export function openWatcher(client: Client, discovery: Discovery, onFault: (error: unknown) => void): Watcher {
  return {
    watch: (options) => openWatch(client, options, onFault),
    find: (group, kind) => discovery.find(group, kind),
    onDiscovery: (listener) => discovery.onChange(listener),
  };
}

function openWatch<T>(client: Client, options: WatchOptions<T>, onFault: (error: unknown) => void): Watch<T> {
  const { resource, selection, metadataOnly, trim, onChange, onState } = options;
  const reflector = new Reflector<T>({
    client,
    resource,
    trim,
    ...(selection === undefined ? {} : { selection }),
    ...(metadataOnly === undefined ? {} : { metadataOnly }),
  });
  reflector.finished.catch(onFault);
  reflector.store.onChange(onChange);
  reflector.onState(onState);
  return {
    get: (namespace, name) => reflector.store.get(keyOf({ namespace, name })),
    values: () => reflector.store.values(),
    state: () => reflector.state(),
    hasSynced: () => reflector.hasSynced(),
    retry: () => reflector.retry(),
    close: () => reflector.close(),
  };
}
