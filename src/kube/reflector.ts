import { type Json, stringAt } from '../json/value.ts';
import { ApiError, NoAnswer, outcomeOf } from './api-error.ts';
import { type Client, type KubeObject, nameOf, resourceVersionOf, type Selection } from './client.ts';
import { Backoff, jittered, Pause, Turns } from './pause.ts';
import { type ReflectorState, StateOf } from './reflector-state.ts';
import type { Resource } from './resource.ts';
import { keyOf, type ObjectKey, Store } from './store.ts';
import { type WatchEvent, watchEvents } from './watch-stream.ts';

/** The waits of a reflector, in milliseconds. */
export type ReflectorPace = {
  /** The first and the longest wait after a failure. */
  readonly leastWait: number;
  readonly mostWait: number;
  /** The longest wait where nobody answered at all, or the server says that it is busy (429): it passes soon. */
  readonly mostWaitBrief: number;
  /** The wait while the kind is not served, or may not be read. */
  readonly refusedWait: number;
  /** A watch that says nothing for so long is dead: bookmarks come about every minute. */
  readonly silence: number;
  /** A watch that was open for so long ends the row of failures before it. */
  readonly steady: number;
};

const PACE: ReflectorPace = {
  leastWait: 200,
  mostWait: 30_000,
  mostWaitBrief: 3_000,
  refusedWait: 5_000,
  silence: 90_000,
  steady: 5_000,
};

export type ReflectorOptions<T> = {
  readonly client: Pick<Client, 'list' | 'openWatch'>;
  readonly resource: Resource;
  readonly selection?: Selection;
  /** Only metadata is asked for: where labels and annotations suffice. */
  readonly metadataOnly?: boolean;
  /** What is kept of an object; pure. It may lack `apiVersion` and `kind`, which lists leave out. */
  readonly trim: (object: KubeObject) => T;
  /** Reads JSON; `parseJson` where numbers beyond 2^53 are kept, else `JSON.parse`, which is the default. */
  readonly parse?: (text: string) => Json;
  /** A store that has listeners and indexes already; else an empty one is made. */
  readonly store?: Store<T>;
  readonly pace?: Partial<ReflectorPace>;
};

/** A watch that ends sooner than this without a word is taken for a failure: else it would be reopened without end. */
const SHORT_WATCH_MILLISECONDS = 1000;

/** So many refusals in a row to reopen a watch, and everything is listed again: the resourceVersion may be the reason. */
const REFUSALS_BEFORE_LIST = 5;

/** The longest that a server's `Retry-After` is obeyed. */
const MOST_RETRY_AFTER_SECONDS = 60;

/** A page is parsed in one go: so many characters take about 20 ms. */
const PAGE_CHARACTERS = 2_000_000;
const FIRST_PAGE_OBJECTS = 10;

/**
 * Keeps a store filled with the objects of one kind: lists them once, then watches. A watch that ends is opened again
 * where it ended; after a failure, with growing waits; when the server has forgotten that resourceVersion (410), all
 * is listed again and the store sees the differences only. Only a complete list and a DELETED event remove an object:
 * a kind that is not served or may not be read leaves the store as it was.
 *
 * Lists come as a watch (`sendInitialEvents`, KEP-3157) line by line where the server can, else in pages.
 */
export class Reflector<T> {
  readonly store: Store<T>;
  /** Settles when the reflector has been closed; rejects with a fault of ours (`trim`, a listener), which ends it. */
  readonly finished: Promise<void>;

  readonly #options: ReflectorOptions<T>;
  readonly #pace: ReflectorPace;
  readonly #backoff: Backoff;
  readonly #what: string;
  readonly #parse: (text: string) => Json;
  readonly #state = new StateOf();
  readonly #closing = new AbortController();
  readonly #pause = new Pause();
  readonly #turns = new Turns();
  readonly #firstSync = Promise.withResolvers<void>();
  #hasSynced = false;
  /** Where the watch goes on; undefined: everything has to be listed. */
  #version: string | undefined;
  #canWatchList = true;
  #refusals = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
    this.#backoff = new Backoff(this.#pace.leastWait, this.#pace.mostWait);
    this.#what = `watch of ${options.resource.plural}`;
    this.#parse = options.parse ?? JSON.parse;
    this.store = options.store ?? new Store<T>();
    this.#firstSync.promise.catch(() => undefined); // whoever asked by synced() is told
    this.finished = this.#run();
  }

  state(): ReflectorState {
    return this.#state.get();
  }

  onState(listener: (state: ReflectorState) => void): () => void {
    return this.#state.onChange(listener);
  }

  /** Whether all objects have been seen once. */
  hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Resolves when all objects have been seen once; rejects when the reflector ends before that. */
  synced(): Promise<void> {
    return this.#firstSync.promise;
  }

  /** Tries again at once, where the reflector waits after a failure or a refusal: a CRD has come, say. */
  retry(): void {
    this.#backoff.reset();
    this.#pause.wake();
  }

  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!signal.aborted) {
        const wait = await this.#attempt();
        if (wait > 0) await this.#pause.wait(wait, signal);
      }
      this.#firstSync.reject(new Error(`the ${this.#what} was closed before all objects were seen`));
    } catch (error) {
      this.#firstSync.reject(error);
      throw error;
    }
  }

  /** Lists if need be, watches until that ends, and answers how long to wait before the next attempt. */
  async #attempt(): Promise<number> {
    try {
      if (this.#version === undefined && !this.#canWatchList) await this.#listPages();
      return (await this.#watch()) ? 0 : this.#backoff.next();
    } catch (error) {
      if (this.#closing.signal.aborted) return 0;
      return this.#waitAfter(error);
    }
  }

  #waitAfter(error: unknown): number {
    const outcome = outcomeOf(error);
    if (outcome === undefined) throw error;
    const { message } = error as Error;
    if (outcome === 'expired') {
      this.#version = undefined;
      return this.#backoff.next();
    }
    const status = error instanceof ApiError ? error.status : undefined;
    if (status === 404 || status === 403) {
      this.#version = undefined;
      this.#state.set(status === 404 ? 'notServed' : 'forbidden', message);
      return jittered(this.#pace.refusedWait);
    }
    if (this.#version === undefined && this.#canWatchList && (status === 422 || status === 400)) {
      this.#canWatchList = false;
      return 0;
    }
    this.#state.set('failing', message);
    // A server that is busy says nothing of the resourceVersion, and a list is the last thing that it needs.
    const isBusy = status === 429 || status === 503;
    if (status !== undefined && !isBusy && ++this.#refusals >= REFUSALS_BEFORE_LIST) this.#version = undefined;
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0;
    // 429 says when to come again; a watch cache that is being made anew says so for a moment.
    const isBrief = error instanceof NoAnswer || status === 429;
    const wait = Math.min(this.#backoff.next(), isBrief ? this.#pace.mostWaitBrief : this.#pace.mostWait);
    return Math.max(wait, Math.min(asked, MOST_RETRY_AFTER_SECONDS) * 1000);
  }

  async #listPages(): Promise<void> {
    const { client, resource, selection, metadataOnly = false } = this.#options;
    const { signal } = this.#closing;
    const seen = new Set<ObjectKey>();
    let limit = FIRST_PAGE_OBJECTS;
    let from: string | undefined;
    do {
      const page = await client.list(resource, selection, { limit, from, metadataOnly, parse: this.#parse, signal });
      for (const object of page.items) {
        seen.add(this.#put(object));
        if (this.#turns.areDue) await this.#turns.take();
      }
      const size = page.size / Math.max(1, page.items.length);
      limit = Math.max(1, Math.min(500, Math.floor(PAGE_CHARACTERS / size)));
      from = page.next;
      this.#version = page.next === undefined ? page.resourceVersion : undefined;
    } while (from !== undefined);
    this.#listed(seen);
  }

  /** Watches until the server ends it; answers whether to go on at once. */
  async #watch(): Promise<boolean> {
    const { client, resource, selection = {}, metadataOnly = false } = this.#options;
    const silence = new Silence(this.#pace.silence, this.#closing.signal);
    const opened = performance.now();
    const isOpenFor = (milliseconds: number): boolean => performance.now() - opened >= milliseconds;
    let events = 0;
    try {
      const { signal } = silence;
      const response = await client.openWatch(resource, selection, this.#query(), signal, metadataOnly);
      this.#refusals = 0;
      if (this.#version !== undefined) this.#state.set('synced');
      const list = this.#version === undefined ? new Set<ObjectKey>() : undefined;
      for await (const event of watchEvents(silence.heard(response), this.#what, this.#parse)) {
        events += 1;
        this.#take(event, list);
        if (this.#turns.areDue) await this.#turns.take();
      }
      // All objects and no bookmark to end them: an API that does not know `sendInitialEvents`, or is being restarted.
      if (this.#version === undefined) this.#canWatchList = false;
      return this.#version !== undefined && (events > 0 || isOpenFor(SHORT_WATCH_MILLISECONDS));
    } catch (error) {
      if (!silence.wasTooLong) throw error;
      // An API that does not know `sendInitialEvents` sends all objects, but no bookmark to end them.
      if (this.#version === undefined) this.#canWatchList = false;
      throw new NoAnswer(`${this.#what}: nothing came for ${this.#pace.silence / 1000} s`, { cause: error });
    } finally {
      silence.end();
      if (isOpenFor(this.#pace.steady)) this.#backoff.reset();
    }
  }

  #query(): Record<string, string> {
    const timeoutSeconds = String(Math.round(jittered(600)));
    const common = { allowWatchBookmarks: 'true', timeoutSeconds };
    if (this.#version !== undefined) return { ...common, resourceVersion: this.#version };
    return { ...common, sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' };
  }

  /** `list`: the keys of the list that the watch began with; undefined when it began with none. */
  #take({ type, object }: WatchEvent, list: Set<ObjectKey> | undefined): void {
    const isListing = list !== undefined && this.#version === undefined;
    if (type === 'BOOKMARK') {
      const endsList = stringAt(object, 'metadata', 'annotations', 'k8s.io/initial-events-end') === 'true';
      if (isListing && !endsList) return;
      this.#version = resourceVersionOf(object);
      if (isListing) this.#listed(list);
      return;
    }
    if (type === 'DELETED') {
      const key = keyOf(nameOf(object));
      this.store.remove(key);
      if (isListing) list.delete(key);
    } else {
      const key = this.#put(object);
      if (isListing) list.add(key);
    }
    if (!isListing) this.#version = resourceVersionOf(object);
  }

  #put(object: KubeObject): ObjectKey {
    const key = keyOf(nameOf(object));
    const [uid, resourceVersion] = [stringAt(object, 'metadata', 'uid'), resourceVersionOf(object)];
    if (uid === undefined || resourceVersion === '') throw new NoAnswer(`${this.#what}: ${key} has no uid or version`);
    this.store.put(key, { uid, resourceVersion, value: this.#options.trim(object) });
    return key;
  }

  #listed(keys: ReadonlySet<ObjectKey>): void {
    this.store.retain(keys);
    this.#hasSynced = true;
    this.#state.set('synced');
    this.#firstSync.resolve();
  }
}

/** Aborts its signal when nothing has been heard for so long, or with the signal around it. */
class Silence {
  readonly signal: AbortSignal;
  readonly #cut = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number, around: AbortSignal) {
    this.signal = AbortSignal.any([around, this.#cut.signal]);
    this.#timer = setTimeout(() => this.#cut.abort(), milliseconds);
  }

  get wasTooLong(): boolean {
    return this.#cut.signal.aborted;
  }

  /** The same chunks; each starts the wait anew. */
  async *heard(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#timer.refresh();
      yield chunk;
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
