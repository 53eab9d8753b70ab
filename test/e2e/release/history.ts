import { type Client, type KubeObject, resourceVersionOf } from '../../../src/kube/client.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import type { Resource } from '../../../src/kube/resource.ts';

/** What an object was after one write; of two of any kinds the earlier one has the lesser place. */
export type Moment<T> = { readonly place: number; readonly value: T };

/** What the objects of a kind in a namespace go through, write by write. */
export type History<T> = {
  readonly moments: readonly Moment<T>[];
  close(): Promise<void>;
};

/** Follows them by a watch, which misses no write. Begins with what is there. */
export async function historyOf<T>(
  client: Client,
  resource: Resource,
  namespace: string,
  read: (object: KubeObject) => T,
): Promise<History<T>> {
  // All kinds are in one etcd, whose revisions are counted together.
  const trim = (object: KubeObject): Moment<T> => ({ place: Number(resourceVersionOf(object)), value: read(object) });
  const reflector = new Reflector({ client, resource, selection: { namespace }, trim });
  const moments: Moment<T>[] = [];
  reflector.store.onChange(({ after }) => after !== undefined && moments.push(after));
  await reflector.synced();
  return {
    moments,
    async close() {
      reflector.close();
      await reflector.finished;
    },
  };
}
