import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Change, keyOf, nameOfKey, Store } from './store.ts';

type Thing = { readonly services: readonly string[] };

function entry(services: readonly string[], resourceVersion = '1', uid = 'u') {
  return { uid, resourceVersion, value: { services } };
}

test('keys are names, with their namespace where there is one', () => {
  expect(keyOf({ namespace: 'ns', name: 'a' })).toBe('ns/a');
  expect(nameOfKey('ns/a')).toEqual({ namespace: 'ns', name: 'a' });
  expect(nameOfKey(keyOf({ name: 'a' }))).toEqual({ name: 'a' });
});

describe('a change is told', () => {
  test('when an object comes, changes and goes, and not when it is the same', () => {
    const store = new Store<Thing>();
    const changes: Change<Thing>[] = [];
    store.onChange((change) => changes.push(change));
    store.put('ns/a', entry(['x'], '1'));
    store.put('ns/a', entry(['never looked at'], '1'));
    store.put('ns/a', entry(['y'], '2'));
    store.remove('ns/a');
    store.remove('ns/a');
    expect(changes).toEqual([
      { key: 'ns/a', before: undefined, after: { services: ['x'] } },
      { key: 'ns/a', before: { services: ['x'] }, after: { services: ['y'] } },
      { key: 'ns/a', before: { services: ['y'] }, after: undefined },
    ]);
  });

  test('for another object of the same name, even with the same resourceVersion', () => {
    const store = new Store<Thing>();
    store.put('ns/a', entry(['x'], '1', 'first'));
    store.put('ns/a', entry(['y'], '1', 'second'));
    expect(store.get('ns/a')).toEqual({ services: ['y'] });
    expect(store.entry('ns/a')).toMatchObject({ uid: 'second', resourceVersion: '1' });
  });

  test('when the store and its indexes have changed already, until the listener has enough', () => {
    const store = new Store<Thing>();
    const index = store.index(({ services }) => services);
    const seen: number[] = [];
    const stop = store.onChange(() => seen.push(store.size, index.keys('x').size));
    store.put('ns/a', entry(['x']));
    stop();
    store.remove('ns/a');
    expect(seen).toEqual([1, 1]);
  });
});

test('the end of a list removes what was not in it', () => {
  const store = new Store<Thing>();
  for (const key of ['a', 'b', 'c']) store.put(key, entry([]));
  const gone: string[] = [];
  store.onChange(({ key, after }) => after === undefined && gone.push(key));
  store.retain(new Set(['b', 'd']));
  expect([...store.keys()]).toEqual(['b']);
  expect(gone).toEqual(['a', 'c']);
});

const step = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd'),
  services: fc.option(fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 3 }), { nil: undefined }),
});

test('an index holds what a search through all objects would find, whenever it was made', () => {
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (before, after) => {
      const store = new Store<Thing>();
      let version = 0;
      const perform = ({ key, services }: { key: string; services: readonly string[] | undefined }) => {
        if (services === undefined) store.remove(key);
        else store.put(key, entry(services, String(++version)));
      };
      before.forEach(perform);
      const index = store.index(({ services }) => services);
      after.forEach(perform);
      const searched = (service: string) =>
        [...store.keys()].filter((key) => store.get(key)?.services.includes(service));
      for (const service of ['x', 'y', 'z']) expect([...index.keys(service)].sort()).toEqual(searched(service).sort());
      expect([...index.values()].sort()).toEqual(['x', 'y', 'z'].filter((service) => searched(service).length > 0));
    }),
  );
});
