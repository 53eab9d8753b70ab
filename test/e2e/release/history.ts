import { stringAt } from '../../../src/json/value.ts';
import { type Client, type KubeObject, resourceVersionOf } from '../../../src/kube/client.ts';
import type { Resource } from '../../../src/kube/resource.ts';
import { watchEvents } from '../../../src/kube/watch-stream.ts';

/** One change of one object. Revisions order the changes of all kinds: all are in one etcd, which counts them together. */
export type Change = {
  readonly revision: number;
  /** When it was seen. */
  readonly at: Date;
  readonly kind: string;
  readonly name: string;
  /** Undefined for an object that is gone. */
  readonly object: KubeObject | undefined;
};

/** Everything that the API server has stored of some kinds in a namespace, in its order. */
export type History = {
  /** From which revision on nothing is missing; what is older is the state at the beginning. */
  readonly begin: number;
  changes(): Change[];
  /** Ends with what was stored until now. */
  stop(): Promise<Change[]>;
};

/** Longer than any test: the server would end a watch within an hour by itself. */
const WATCH_SECONDS = '1800';

/** Records a namespace. Every state in between is there, not only the ones that a look at intervals would meet. */
export async function record(client: Client, namespace: string, kinds: readonly Resource[]): Promise<History> {
  const changes: Change[] = [];
  const closing = new AbortController();
  const add = ({ kind }: Resource, object: KubeObject, isGone: boolean): void => {
    const [revision, name] = [Number(resourceVersionOf(object)), stringAt(object, 'metadata', 'name') ?? ''];
    changes.push({ revision, at: new Date(), kind, name, object: isGone ? undefined : object });
  };
  const begin: number[] = [];
  const watches: Promise<void>[] = [];
  for (const resource of kinds) {
    const { items, resourceVersion } = await client.list(resource, { namespace });
    for (const object of items) add(resource, object, false);
    begin.push(Number(resourceVersion));
    const query = { resourceVersion, timeoutSeconds: WATCH_SECONDS };
    const response = await client.openWatch(resource, { namespace }, query, closing.signal);
    const follow = async (): Promise<void> => {
      for await (const { type, object } of watchEvents(response, resource.plural, JSON.parse)) {
        if (type !== 'BOOKMARK') add(resource, object, type === 'DELETED');
      }
    };
    watches.push(
      follow().catch((error: unknown) => {
        if (!closing.signal.aborted) throw error;
      }),
    );
  }
  const sorted = (): Change[] => [...changes].sort((a, b) => a.revision - b.revision);
  return {
    begin: Math.max(...begin),
    changes: sorted,
    async stop() {
      closing.abort();
      await Promise.all(watches);
      return sorted();
    },
  };
}

/** What an object was after one write. */
export type Moment<T> = { readonly revision: number; readonly value: T };

/** What the objects of a kind went through, write by write, from what was there at the beginning. */
export function momentsOf<T>(
  changes: readonly Change[],
  { kind }: Resource,
  read: (object: KubeObject) => T,
): Moment<T>[] {
  return changes.flatMap(({ revision, kind: of, object }) =>
    of !== kind || object === undefined ? [] : [{ revision, value: read(object) }],
  );
}
