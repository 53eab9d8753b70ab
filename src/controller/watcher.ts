import type { KubeObject, Selection } from '../kube/client.ts';
import type { Resource } from '../kube/resource.ts';
import type { GroupKind } from './references.ts';

/**
 * What is known of a kind: `starting`: not all objects have been seen yet; `synced`: what is in memory is what is stored,
 * give or take a moment; `notServed`: there is no such kind (yet); `forbidden`: the controller may not read it;
 * `failing`: the API server does not answer, and what is in memory may be old.
 */
export type WatchState = 'starting' | 'synced' | 'notServed' | 'forbidden' | 'failing';

export type Change<T> = { readonly before: T | undefined; readonly after: T | undefined };

/** The objects of one kind, kept up to date. */
export type Watch<T> = {
  get(namespace: string, name: string): T | undefined;
  values(): Iterable<T>;
  /** `message` says why, where something is wrong. */
  state(): { readonly state: WatchState; readonly message: string };
  /** Whether all objects have been seen once; a watch that fails later keeps what it had. */
  hasSynced(): boolean;
  /** Asks again at once, where the last answer was a refusal. */
  retry(): void;
  close(): void;
};

export type WatchOptions<T> = {
  readonly resource: Resource;
  readonly selection?: Selection;
  /** Only metadata is asked for; `trim` then sees nothing else. */
  readonly metadataOnly?: boolean;
  /** What is kept of an object. */
  readonly trim: (object: KubeObject) => T;
  readonly onChange: (change: Change<T>) => void;
  /** Called when {@link Watch.state} has changed. */
  readonly onState: () => void;
};

/** Opens watches, and knows which kinds there are: the port to `src/kube`. */
export type Watcher = {
  watch<T>(options: WatchOptions<T>): Watch<T>;
  /** Where a kind is served, in the version that its objects are stored in; undefined when it is not. */
  find(group: string, kind: string): Promise<Resource | undefined>;
  /** Called when a kind has come or gone, or is served elsewhere. The answer ends that. */
  onDiscovery(listener: (kind: GroupKind) => void): () => void;
};
