import { stringAt } from '../json/value.ts';
import type { Gateway } from '../release/observed.ts';
import type { RolloutIndex } from './rollout-index.ts';
import { progressingOf, type StoredRouting } from './routing-entry.ts';

/** What is to be with the gateway objects of a TrafficRouting: nothing, or what it says, or that at another weight. */
export type RoutingWish = { readonly isHeld: boolean; readonly weight: number | undefined };

/** Phases of a Rollout in a release. Its status says so before it uses a TrafficRouting, and until it uses it no more. */
const IN_RELEASE: ReadonlySet<string> = new Set(['Progressing', 'Disabling', 'Terminating']);

/**
 * All TrafficRoutings as they are stored, and what is known of each: what is wrong with it, and whether its gateway objects
 * are what it asks for now.
 */
export class RoutingBook {
  readonly #index: RolloutIndex;
  readonly #stored = new Map<string, StoredRouting>();
  /** Key → uid, and what is wrong with it; no entry before it was looked at. */
  readonly #problems = new Map<string, { readonly uid: string; readonly problem: string | undefined }>();
  /** Key → what its gateway objects were seen to do. */
  readonly #settled = new Map<string, string>();

  constructor(index: RolloutIndex) {
    this.#index = index;
  }

  set(key: string, stored: StoredRouting | undefined): void {
    if (stored !== undefined) {
      this.#stored.set(key, stored);
      return;
    }
    this.#stored.delete(key);
    this.#problems.delete(key);
    this.#settled.delete(key);
  }

  get(key: string): StoredRouting | undefined {
    return this.#stored.get(key);
  }

  /** What keeps it from being carried out, undefined when nothing does; `unknown` before it was looked at. */
  problemOf({ key, uid }: StoredRouting): { readonly problem: string | undefined } | 'unknown' {
    const known = this.#problems.get(key);
    return known?.uid === uid ? known : 'unknown';
  }

  /** @returns whether that is news */
  judge({ key, uid }: StoredRouting, problem: string | undefined): boolean {
    const known = this.#problems.get(key);
    this.#problems.set(key, { uid, problem });
    return known?.uid !== uid || known.problem !== problem;
  }

  /** @returns whether that is news */
  settle(routing: StoredRouting, isThere: boolean): boolean {
    const [before, after] = [this.#settled.get(routing.key), isThere ? this.#fingerprint(routing) : undefined];
    if (after === undefined) this.#settled.delete(routing.key);
    else this.#settled.set(routing.key, after);
    return before !== after;
  }

  /** All gateway objects of a TrafficRouting as the one that the release of a Rollout steers. */
  gatewayFor(rollout: string, routing: StoredRouting): Gateway {
    const hold = routing.holds.find((each) => each.rollout === rollout);
    const isInEffect = this.#settled.get(routing.key) === this.#fingerprint(routing);
    if (hold === undefined || routing.isDeleting) return { traffic: 'none', weight: undefined, isInEffect };
    return { traffic: hold.traffic, weight: hold.traffic.weight ?? routing.spec.strategy.weight, isInEffect };
  }

  /**
   * It is held while the release of a Rollout uses it, or while a finalizer of OpenKruise's kind says that something else
   * does. Of several weights that releases ask for on their way the least counts: each waits for its own pods.
   */
  wishOf(routing: StoredRouting): RoutingWish {
    const { isDeleting, holds, spec } = routing;
    const planned = spec.strategy.weight;
    const weights = holds.filter((hold) => this.isLive(routing, hold.rollout)).map((hold) => hold.traffic.weight);
    const strangers = progressingOf(routing).filter((name) => !this.isRollout(routing, name));
    const isHeld = !isDeleting && weights.length + strangers.length > 0;
    const asked = [...weights, ...strangers.map(() => undefined)].map((weight) => weight ?? planned);
    const known = asked.filter((weight) => weight !== undefined);
    const weight = known.length === asked.length ? Math.min(...known) : planned;
    return { isHeld, weight: !isHeld || weight === planned ? undefined : weight };
  }

  /** Whether the Rollout is there, in a release, and uses this TrafficRouting. */
  isLive({ namespace, name }: StoredRouting, rollout: string): boolean {
    const { references = [], stored } = this.#index.get(`${namespace}/${rollout}`) ?? {};
    const isInRelease = IN_RELEASE.has(stringAt(stored?.status, 'phase') ?? '');
    return isInRelease && references.some((reference) => reference.role === 'routing' && reference.name === name);
  }

  isRollout({ namespace }: StoredRouting, name: string): boolean {
    return this.#index.get(`${namespace}/${name}`) !== undefined;
  }

  #fingerprint(routing: StoredRouting): string {
    const { isHeld, weight } = this.wishOf(routing);
    return JSON.stringify([routing.uid, routing.generation, isHeld, weight ?? null]);
  }
}
