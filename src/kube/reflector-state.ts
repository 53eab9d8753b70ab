/**
 * What a reflector knows of its kind: `starting`: not all objects have been seen yet; `synced`: what is in the store is
 * what is stored in the cluster, give or take a moment; `notServed`: there is no such kind (yet); `forbidden`: the rights
 * to read it are missing; `failing`: the API server does not answer, and what is in the store may be old.
 */
export type ReflectorPhase = 'starting' | 'synced' | 'notServed' | 'forbidden' | 'failing';

/** `message` says why, where something is wrong, else it is empty; `since`: when the phase began. */
export type ReflectorState = { readonly state: ReflectorPhase; readonly message: string; readonly since: Date };

/** Keeps a state and tells of its changes. */
export class StateOf {
  #state: ReflectorState = { state: 'starting', message: '', since: new Date() };
  readonly #listeners = new Set<(state: ReflectorState) => void>();

  get(): ReflectorState {
    return this.#state;
  }

  onChange(listener: (state: ReflectorState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(state: ReflectorPhase, message = ''): void {
    const before = this.#state;
    if (before.state === state && before.message === message) return;
    this.#state = { state, message, since: before.state === state ? before.since : new Date() };
    for (const listener of this.#listeners) listener(this.#state);
  }
}
