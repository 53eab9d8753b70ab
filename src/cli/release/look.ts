import { type Observed, observedOf, type Part, partKey, partsOf, rolloutPart, type Sight } from './parts.ts';
import type { Requests } from './requests.ts';

/**
 * Reads everything that the picture of a Rollout is made of, once.
 * @throws UsageError when there is no such Rollout, or the cluster cannot be read
 */
export async function look(requests: Requests, namespace: string, name: string): Promise<Observed> {
  const rollout = { namespace, name };
  const first: Sight = { state: 'seen', objects: [await requests.rollout(namespace, name)] };
  const sights = new Map<string, Sight>([[partKey(rolloutPart(rollout)), first]]);
  const sightOf = (part: Part): Sight | undefined => sights.get(partKey(part));
  for (;;) {
    const observed = observedOf(rollout, sightOf);
    if (observed === 'gone') throw new Error('a Rollout that was read is there');
    if (observed !== 'unknown') return observed;
    const unseen = partsOf(rollout, sightOf).filter((part) => sightOf(part) === undefined);
    await Promise.all(unseen.map(async (part) => sights.set(partKey(part), await requests.see(part))));
  }
}
