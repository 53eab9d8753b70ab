import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../../../src/json/value.ts';
import { outcomeOf } from '../../../src/kube/api-error.ts';
import type { Client } from '../../../src/kube/client.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import type { Pod } from './pod-object.ts';

const RETRY_MILLISECONDS = 200;

type Patch = () => { readonly status: object };
type Entry = { latest: Patch | undefined; writing: Promise<void> };

/** Writes the statuses of pods, each pod's one after the other; what is overtaken while a write runs is left out. */
export class StatusWriter {
  readonly #client: Client;
  readonly #entries = new Map<string, Entry>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** @param patch makes the status at the moment of writing */
  write(pod: Pod, patch: Patch): void {
    const { uid } = pod.metadata;
    const entry = this.#entries.get(uid);
    if (entry !== undefined) {
      entry.latest = patch;
      return;
    }
    const made: Entry = { latest: patch, writing: Promise.resolve() };
    this.#entries.set(uid, made);
    made.writing = this.#drain(pod, made);
  }

  /** Resolves when all that was to be written of this pod is written. */
  async settled(pod: Pod): Promise<void> {
    await this.#entries.get(pod.metadata.uid)?.writing;
  }

  async #drain({ metadata: { namespace, name, uid } }: Pod, entry: Entry): Promise<void> {
    await Promise.resolve(); // changes of one moment are one write
    while (entry.latest !== undefined) {
      const patch = entry.latest;
      entry.latest = undefined;
      // The uid keeps a status from being written to a new pod of the same name.
      const body = JSON.parse(JSON.stringify({ metadata: { uid }, ...patch() })) as Json;
      try {
        await this.#client.patch(RESOURCES.pod, { namespace, name }, 'strategic', body, { subresource: 'status' });
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome === undefined) throw error;
        if (outcome === 'passing') {
          entry.latest ??= patch;
          await sleep(RETRY_MILLISECONDS);
        } else if (outcome !== 'gone' && outcome !== 'conflict') {
          process.stderr.write(`status of pod ${namespace}/${name}: ${error}\n`);
        }
      }
    }
    this.#entries.delete(uid);
  }
}
