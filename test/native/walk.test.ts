import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextBounds, type Room, walkFields } from '../../src/release/walk.ts';
import { type Kubelet, MAX, Plane, rollingUpdate, templateOf } from './plane.ts';

/** A step of a release as the native controller carries it out, bound by bound. */
type Step = { readonly replicas: number; readonly target: number; readonly room: Room; readonly kubelet: Kubelet };

const steps = fc.integer({ min: 1, max: 40 }).chain((replicas) =>
  fc.record<Step>({
    replicas: fc.constant(replicas),
    target: fc.integer({ min: 1, max: replicas }),
    room: fc
      .record({ surge: fc.nat(replicas), unavailable: fc.nat(replicas) })
      .filter(({ surge, unavailable }) => surge + unavailable > 0),
    kubelet: fc.constantFrom<Kubelet>('prompt', 'late'),
  }),
);

/** The most pods and the fewest ready ones on the way of a step, and what is there in the end. */
function walked({ replicas, target, room, kubelet }: Step) {
  const plane = new Plane(replicas);
  let [most, fewest] = [replicas, replicas];
  plane.onChange = () => {
    most = Math.max(most, plane.size('v1') + plane.size('v2'));
    fewest = Math.min(fewest, plane.readyPods);
  };
  const isThere = () => plane.ready('v2') >= target && plane.size('v1') <= replicas - target;
  for (let round = 0; !isThere(); round++) {
    if (round > 3 * replicas) throw new Error(`it never comes to its target: ${plane}`);
    const [ready, old] = [plane.ready('v2'), plane.size('v1')];
    const bounds = nextBounds({ replicas, target, ready, old, room, stableShare: undefined });
    const { maxSurge, maxUnavailable } = walkFields(bounds, replicas);
    const walk = { template: templateOf('v2'), minReadySeconds: MAX, ...rollingUpdate(maxUnavailable, maxSurge) };
    plane.change(walk).settle(kubelet);
  }
  return { most, fewest, old: plane.size('v1'), canary: plane.size('v2') };
}

test('bound by bound the native controller brings a step to its pods: never more than the size and maxSurge, never fewer ready ones than the size less maxUnavailable', () => {
  fc.assert(
    fc.property(steps, (step) => {
      const { replicas, target, room } = step;
      const { most, fewest, old, canary } = walked(step);
      expect({ old, canary }).toEqual({ old: replicas - target, canary: target });
      expect(most).toBeLessThanOrEqual(replicas + room.surge);
      expect(fewest).toBeGreaterThanOrEqual(replicas - room.unavailable);
    }),
  );
});
