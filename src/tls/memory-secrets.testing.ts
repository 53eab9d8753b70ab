import type { SecretData, SecretStore } from './secrets.ts';

/** Secrets in memory with the optimistic locking of an API server: versions count up over all Secrets. */
export class MemorySecrets implements SecretStore {
  readonly #secrets = new Map<string, { data: SecretData; resourceVersion: string }>();
  readonly #listeners = new Set<(name: string, data: SecretData | undefined) => void>();
  #version = 0;
  /** How many writes were made by those who lock. */
  writes = 0;

  read(name: string): ReturnType<SecretStore['read']> {
    return Promise.resolve(this.#secrets.get(name));
  }

  write(name: string, data: SecretData, resourceVersion: string): Promise<'written' | 'conflict'> {
    const current = this.#secrets.get(name)?.resourceVersion ?? 'absent';
    if (current !== resourceVersion) return Promise.resolve('conflict');
    this.put(name, data);
    this.writes++;
    return Promise.resolve('written');
  }

  /** What somebody else writes, without asking for a version; `undefined` deletes. */
  put(name: string, data: SecretData | undefined): void {
    if (data) this.#secrets.set(name, { data, resourceVersion: `${++this.#version}` });
    else this.#secrets.delete(name);
    for (const listener of this.#listeners) listener(name, data);
  }

  data(name: string): SecretData {
    return this.#secrets.get(name)?.data ?? {};
  }

  watch(name: string, listener: (data: SecretData | undefined) => void): () => void {
    const only = (changed: string, data: SecretData | undefined): void => {
      if (changed === name) listener(data);
    };
    this.#listeners.add(only);
    listener(this.#secrets.get(name)?.data);
    return () => this.#listeners.delete(only);
  }
}
