import { ApiError } from './api-error.ts';
import type { KubeObject } from './client.ts';
import { nameOf, resourceVersionOf } from './client.ts';
import type { LeaseClient } from './lease.ts';
import type { SimulatedProcess, VirtualTime } from './simulated-process.testing.ts';

/** What becomes of one call: how long its two ways take in milliseconds, and which of them leads nowhere. */
export type Fate = { readonly there: number; readonly back: number; readonly lost?: 'request' | 'answer' };

/** An API server that stores one Lease, with optimistic locking as the real one has it. */
export class SimulatedLeases {
  readonly #time: VirtualTime;
  stored: KubeObject | undefined;
  #version = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  client(process: SimulatedProcess, fate: () => Fate): LeaseClient {
    const call = (act: () => KubeObject): Promise<KubeObject> => {
      const { there, back, lost } = fate();
      const { promise, resolve, reject } = Promise.withResolvers<KubeObject>();
      if (lost === 'request') return promise;
      this.#time.after(there, () => {
        const settle = outcome(act, resolve, reject);
        if (lost !== 'answer') this.#time.after(back, () => process.deliver(settle));
      });
      return promise;
    };
    return {
      get: () => call(() => this.stored ?? refuse(404, 'NotFound')),
      create: (_resource, object) =>
        call(() => (this.stored === undefined ? this.#store(object) : refuse(409, 'AlreadyExists'))),
      replace: (_resource, object) => call(() => this.#replace(object)),
    };
  }

  #replace(object: KubeObject): KubeObject {
    if (this.stored === undefined) refuse(404, 'NotFound');
    if (resourceVersionOf(object) !== String(this.#version)) refuse(409, 'Conflict');
    return this.#store(object);
  }

  #store(object: KubeObject): KubeObject {
    const isSame = JSON.stringify(object['spec']) === JSON.stringify(this.stored?.['spec']);
    if (!isSame) this.#version += 1; // the real one writes nothing either
    this.stored = structuredClone({
      ...object,
      metadata: { ...nameOf(object), resourceVersion: String(this.#version) },
    });
    return this.stored;
  }
}

function refuse(status: number, reason: string): never {
  throw new ApiError(status, reason, reason);
}

/** Acts now; what comes of it is told later. */
function outcome(
  act: () => KubeObject,
  resolve: (object: KubeObject) => void,
  reject: (error: unknown) => void,
): () => void {
  try {
    const object = act();
    return () => resolve(object);
  } catch (error) {
    return () => reject(error);
  }
}
