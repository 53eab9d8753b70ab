import type { Json } from '../../json/value.ts';
import type { Clock } from '../../kube/clock.ts';
import { type ObjectName, objectPath, type Resource } from '../../kube/resource.ts';
import { type Api, TryAgain } from '../api.ts';

/** Longer than a watch takes to show a write, and short for something that was undone at once. */
const MEMORY_MILLISECONDS = 5_000;

/**
 * The same API, on which no write is sent again that was carried out already. What releases write is computed from what
 * watches show, and a look at a release may come before the watch has shown what the look before has written: the same write
 * would be computed again, from the same version, and the API server would refuse it.
 *
 * Instead {@link TryAgain} is thrown: the event of the write brings the next look, or else the queue does. After five seconds
 * a write may be sent again.
 */
export function sentOnce(api: Api, clock: Clock): Api {
  /** Each write that succeeded, and when; the oldest first. */
  const sent = new Map<string, number>();

  async function once<T>(parts: readonly Json[], what: string, send: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(parts);
    const now = clock.monotonic();
    for (const [old, at] of sent) {
      if (now - at < MEMORY_MILLISECONDS) break;
      sent.delete(old);
    }
    if (sent.has(key)) throw new TryAgain(`${what} has been written, and is not seen yet`);
    const answer = await send();
    sent.delete(key);
    sent.set(key, clock.monotonic());
    return answer;
  }

  return {
    get: (...call) => api.get(...call),
    listAll: (...call) => api.listAll(...call),
    create(...call) {
      const [resource, object] = call;
      return once(['create', resource.plural, object], resource.kind, () => api.create(...call));
    },
    patch(...call) {
      const [resource, name, form, body, { subresource = '', dryRun = false } = {}] = call;
      if (dryRun) return api.patch(...call);
      const parts = ['patch', objectPath(resource, name), form, subresource, body];
      return once(parts, label(resource, name), () => api.patch(...call));
    },
    delete(...call) {
      const [resource, name, { uid = '', resourceVersion = '' } = {}] = call;
      const parts = ['delete', objectPath(resource, name), uid, resourceVersion];
      return once(parts, label(resource, name), () => api.delete(...call));
    },
  };
}

function label({ kind }: Resource, { namespace = '', name }: ObjectName): string {
  return `${kind} ${namespace}/${name}`;
}
