import type { JsonMap } from '../../json/value.ts';
import type { KubeObject, Selection } from '../../kube/client.ts';
import { Reflector } from '../../kube/reflector.ts';
import type { Resource } from '../../kube/resource.ts';
import { UsageError } from '../usage-error.ts';
import { missingRight } from './explained.ts';
import { type Observed, observedOf, type Part, partKey, partsOf, rolloutPart, type Sight } from './parts.ts';
import type { Requests } from './requests.ts';

/** A watch on one part. `undefined` while its kind is looked up. */
type Watched = { readonly part: Part; resource?: Resource; reflector?: Reflector<JsonMap>; sight?: Sight };

/**
 * Watches everything that the picture of a Rollout is made of. What belongs to it may change meanwhile (another workload,
 * another gateway object): watches are opened and closed accordingly.
 */
export class Follower {
  readonly #requests: Requests;
  readonly #rollout: { readonly namespace: string; readonly name: string };
  readonly #onChange: () => void;
  readonly #watched = new Map<string, Watched>();
  readonly #failed = Promise.withResolvers<never>();
  #isClosed = false;

  /** @param onChange called when {@link observed} or {@link trouble} may have another answer */
  constructor(requests: Requests, namespace: string, name: string, onChange: () => void) {
    this.#requests = requests;
    this.#rollout = { namespace, name };
    this.#onChange = onChange;
    this.#failed.promise.catch(() => undefined); // whoever waits for it is told
    this.#adjust();
  }

  /** Rejects with what ends the watching: a fault of ours, a cluster that cannot be asked for its kinds, a missing right. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** What there is to see now; `gone` where there is no such Rollout (any more), `unknown` while something is being read. */
  observed(): Observed | 'gone' | 'unknown' {
    return observedOf(this.#rollout, (part) => this.#sightOf(part));
  }

  /** Why what is seen may be old; undefined when all is well. */
  trouble(): string | undefined {
    const states = [...this.#watched.values()].map(({ reflector }) => reflector?.state());
    return states.find((state) => state?.state === 'failing')?.message;
  }

  close(): void {
    this.#isClosed = true;
    for (const { reflector } of this.#watched.values()) reflector?.close();
  }

  #adjust(): void {
    const wanted = new Map(
      partsOf(this.#rollout, (part) => this.#sightOf(part)).map((part) => [partKey(part), part] as const),
    );
    for (const [key, { reflector }] of this.#watched) {
      if (wanted.has(key)) continue;
      reflector?.close();
      this.#watched.delete(key);
    }
    for (const [key, part] of wanted) if (!this.#watched.has(key)) this.#open(key, part);
  }

  #open(key: string, part: Part): void {
    const watched: Watched = { part };
    this.#watched.set(key, watched);
    this.#requests.resource(part.apiVersion, part.kind).then(
      (resource) => this.#watch(key, watched, resource),
      (error) => this.#failed.reject(error),
    );
  }

  #watch(key: string, watched: Watched, resource: Resource | undefined): void {
    if (this.#isClosed || this.#watched.get(key) !== watched) return;
    const { part } = watched;
    if (resource === undefined) {
      watched.sight = { state: 'unreadable', reason: `the cluster has no kind ${part.kind} of ${part.apiVersion}` };
      this.#changed();
      return;
    }
    const reflector = new Reflector<JsonMap>({
      client: this.#requests.client,
      resource,
      selection: selectionOf(part),
      trim,
    });
    watched.resource = resource;
    watched.reflector = reflector;
    reflector.store.onChange(() => this.#changed());
    reflector.onState(() => this.#changed());
    reflector.finished.catch((error) => this.#failed.reject(error));
  }

  #changed(): void {
    if (this.#isClosed) return;
    const rollout = this.#sightOf(rolloutPart(this.#rollout));
    if (rollout?.state === 'unreadable') this.#failed.reject(new UsageError(rollout.reason));
    this.#adjust();
    this.#onChange();
  }

  #sightOf(part: Part): Sight | undefined {
    const watched = this.#watched.get(partKey(part));
    if (watched?.reflector === undefined) return watched?.sight;
    const { reflector, resource } = watched;
    const { state } = reflector.state();
    if (state === 'forbidden' && resource !== undefined) {
      return { state: 'unreadable', reason: missingRight({ verb: 'watch', resource, namespace: part.namespace }) };
    }
    if (state === 'notServed') return { state: 'unreadable', reason: `the cluster does not serve ${resource?.plural}` };
    if (!reflector.hasSynced()) return undefined;
    const objects = [...reflector.store.values()];
    return {
      state: 'seen',
      objects: 'name' in part ? objects.filter((object) => nameIn(object) === part.name) : objects,
    };
  }
}

function selectionOf(part: Part): Selection {
  const { namespace } = part;
  return 'name' in part
    ? { namespace, fieldSelector: `metadata.name=${part.name}` }
    : { namespace, labelSelector: part.labelSelector };
}

/** `managedFields` are half of many an object, and no part of any picture. */
function trim(object: KubeObject): JsonMap {
  const { managedFields: _, ...metadata } = object['metadata'] as JsonMap;
  return { ...object, metadata };
}

function nameIn({ metadata }: JsonMap): unknown {
  return (metadata as JsonMap)['name'];
}
