import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RolloutIndex } from './rollout-index.ts';
import { aRollout } from './rollouts.testing.ts';

const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };

function named(name: string, workload: string, createdAt = '2026-01-01T00:00:00Z', generation = 1) {
  return aRollout({
    metadata: { name, uid: name, creationTimestamp: createdAt, generation },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: workload } },
  });
}

test('an object leads to the Rollouts that name it, by group and kind, in their namespace only', () => {
  const index = new RolloutIndex();
  index.set('shop/web', aRollout());
  const service = { group: 'networking.istio.io', kind: 'VirtualService', name: 'web' };
  expect([...index.naming(service, 'shop')]).toEqual(['shop/web']);
  expect([...index.naming(service, 'other')]).toEqual([]);
  expect([...index.naming({ ...service, group: 'example.com' }, 'shop')]).toEqual([]);
  expect([...index.naming({ ...DEPLOYMENT, name: 'web' }, 'shop')]).toEqual(['shop/web']);
});

test('listeners learn of a kind when the first Rollout names it, and when the last one does no more', () => {
  const index = new RolloutIndex();
  const kinds: string[][] = [];
  index.onKinds(() => kinds.push(index.namedKinds().map((kind) => `${kind.kind} ${[...index.namingKind(kind)]}`)));
  const first = ['Deployment shop/a', 'Service shop/a', 'VirtualService shop/a'];
  index.set('shop/a', named('a', 'web'));
  index.set('shop/b', named('b', 'db'));
  index.set('shop/b', undefined);
  const ingress = { service: 'web', ingress: { name: 'web' } };
  const strategy = { canary: { steps: [{ traffic: '20%' }], trafficRoutings: [ingress] } };
  index.set('shop/a', aRollout({ metadata: { name: 'a', uid: 'a', generation: 2 }, spec: { strategy } }));
  index.set('shop/a', undefined);
  expect(kinds).toEqual([first, ['Deployment shop/a', 'Service shop/a', 'Ingress shop/a'], []]);
});

test('a Rollout that is read again with the same generation keeps what was read of it', () => {
  const index = new RolloutIndex();
  index.set('shop/web', aRollout());
  const before = index.get('shop/web');
  index.set('shop/web', aRollout({ metadata: { resourceVersion: '2' }, status: { phase: 'Healthy' } }));
  const after = index.get('shop/web');
  expect(after?.rollout).toBe(before?.rollout);
  expect(after?.stored.resourceVersion).toBe('2');
  index.set('shop/web', aRollout({ metadata: { uid: 'new' } }));
  expect(index.get('shop/web')?.rollout?.metadata.uid).toBe('new');
});

test('of Rollouts that name one workload the oldest has it; each change of one matters to the others', () => {
  const index = new RolloutIndex();
  index.set('shop/b', named('b', 'web', '2026-01-02T00:00:00Z'));
  expect(index.set('shop/a', named('a', 'web', '2026-01-03T00:00:00Z'))).toEqual(['shop/a', 'shop/b']);
  index.set('shop/c', named('c', 'web', '2026-01-01T00:00:00Z'));
  const rivals = ['a', 'b', 'c'].map((name) => {
    const entry = index.get(`shop/${name}`);
    return entry && index.rivalOf(entry)?.key;
  });
  expect(rivals).toEqual(['shop/c', 'shop/c', undefined]);
  expect(index.set('shop/c', undefined).sort()).toEqual(['shop/a', 'shop/b', 'shop/c']);
  const [a, b] = [index.get('shop/a'), index.get('shop/b')];
  expect(a && index.rivalOf(a)?.key).toBe('shop/b');
  expect(b && index.rivalOf(b)).toBeUndefined();
});

test('for any sequence of changes the indexes say what a search through all Rollouts would', () => {
  const change = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    workload: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const index = new RolloutIndex();
      const live = new Map<string, string>();
      changes.forEach(({ name, workload }, generation) => {
        if (workload === undefined) live.delete(`shop/${name}`);
        else live.set(`shop/${name}`, workload);
        index.set(`shop/${name}`, (workload && named(name, workload, undefined, generation)) || undefined);
      });
      for (const workload of ['x', 'y']) {
        const expected = [...live].flatMap(([key, value]) => (value === workload ? [key] : []));
        expect([...index.naming({ ...DEPLOYMENT, name: workload }, 'shop')].sort()).toEqual(expected.sort());
      }
      const kinds = index.namedKinds();
      expect(kinds).toHaveLength(live.size === 0 ? 0 : 3);
      for (const kind of kinds) expect([...index.namingKind(kind)].sort()).toEqual([...live.keys()].sort());
    }),
  );
});

test('10,000 Rollouts are taken in within a few seconds', () => {
  const index = new RolloutIndex();
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) index.set(`shop/r${i}`, named(`r${i}`, `w${i}`));
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(index.naming({ ...DEPLOYMENT, name: 'w9999' }, 'shop').size).toBe(1);
});
