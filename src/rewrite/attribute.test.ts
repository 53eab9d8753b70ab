import { expect, test } from 'vitest';
import type { Json, JsonList } from '../json/value.ts';
import { fullEffort } from './align.ts';
import { attribute, type Context, type Path } from './attribute.ts';

/** Base, original and incoming of one path, with where each base element came from (index of the original). */
type Case = {
  readonly base: Json;
  readonly original: Json;
  readonly incoming: Json;
  readonly from?: readonly (number | undefined)[];
  readonly declares?: boolean;
  readonly explains?: boolean;
};

function attributed({ base, original, incoming, from = [], declares = false, explains = false }: Case): {
  result: Json | undefined;
  unkept: string[];
} {
  const unkept: string[] = [];
  const sources = new Map<Json, Json>();
  from.forEach((o, b) => {
    const [element, source] = [(base as JsonList)[b], o === undefined ? undefined : (original as JsonList)[o]];
    if (element !== undefined && source !== undefined) sources.set(element, source);
  });
  const context: Context = {
    storage: 'custom',
    effort: fullEffort(),
    sourceOf: (element) => sources.get(element),
    evidence: () => ({ isApply: declares, states: () => false, declares: () => declares, fromSource: () => declares }),
    explains: () => explains,
    computedValues: 'put back',
    onUnkept: (path: Path) => unkept.push(path.join('.')),
  };
  return { result: attribute(base, original, incoming, ['spec'], context), unkept };
}

const rule = (host: string, weight?: number, more: Record<string, Json> = {}): Json => ({
  host,
  ...(weight === undefined ? {} : { weight }),
  ...more,
});

test('nothing edited: the original comes back as the very same value', () => {
  const original = { a: { b: 1 }, list: [rule('svc')] };
  const base = { a: { b: 1 }, list: [rule('svc', 80), rule('canary', 20)], added: true };
  const incoming = structuredClone(base);
  expect(attributed({ base, original, incoming }).result).toBe(original);
  expect(attributed({ base, original, incoming: structuredClone(original) }).result).toBe(original);
});

test('a mixture of source and view is no edit: each path equals one of them', () => {
  const original = { to: { weight: 100 } };
  const base = { to: { weight: 80 }, backends: [rule('canary', 20)] };
  const incoming = { to: { weight: 100 }, backends: [rule('canary', 20)] };
  expect(attributed({ base, original, incoming }).result).toBe(original);
});

test('a list that the source declares is the original as it stands, even where it looks like the view', () => {
  // An exported view was committed to Git, with one more field: the source says that the canary is there.
  const original = [rule('svc')];
  const base = [rule('svc', 80), rule('canary', 20)];
  const incoming = [rule('svc', 80, { port: 80 }), rule('canary', 20)];
  expect(attributed({ base, original, incoming, from: [0, undefined], declares: true }).result).toBe(incoming);
});

test('without evidence the same list is an edit of the view: the canary drops out, the field stays', () => {
  const original = [rule('svc')];
  const base = [rule('svc', 80), rule('canary', 20)];
  const incoming = [rule('svc', 80, { port: 80 }), rule('canary', 20)];
  const { result } = attributed({ base, original, incoming, from: [0, undefined], explains: true });
  expect(result).toEqual([rule('svc', undefined, { port: 80 })]);
});

test('a list that bears no trace of the view came from a source, while nobody was called', () => {
  const original = [{ host: 'svc', path: '/a', cors: {} }];
  const base = [
    { host: 'canary', path: '/a', user: 'x', cors: {} },
    { host: 'svc', path: '/a', weight: 50, cors: {} },
  ];
  const incoming = [{ host: 'svc', path: '/b', weight: 7, cors: {} }];
  expect(attributed({ base, original, incoming, from: [undefined, 0] }).result).toBe(incoming);
});

test("the user's element is never taken for the rewrite's own, however alike", () => {
  const original = [{ path: '/a', cors: {}, retries: 1, host: 'svc' }];
  const own = { path: '/b', cors: {}, retries: 1, host: 'svc', canary: true };
  const base = [own, { path: '/a', cors: {}, retries: 1, host: 'svc', weight: 50 }];
  const incoming = [{ path: '/b', cors: {}, retries: 1, host: 'svc', weight: 50 }];
  const { result } = attributed({ base, original, incoming, from: [undefined, 0], explains: true });
  expect(result).toEqual([{ path: '/b', cors: {}, retries: 1, host: 'svc' }]);
});

test('a value that the rewrite computes and somebody sets by hand is put back and named', () => {
  const { result, unkept } = attributed({ base: { weight: 80 }, original: { weight: 100 }, incoming: { weight: 50 } });
  expect(result).toEqual({ weight: 100 });
  expect(unkept).toEqual(['spec.weight']);
});

test('the same value from the source is the new original', () => {
  const kind: Case = { base: { weight: 80 }, original: { weight: 100 }, incoming: { weight: 50 }, declares: true };
  expect(attributed(kind)).toEqual({ result: { weight: 50 }, unkept: ['spec.weight'] });
});

test('elements that the rewrite had taken away keep their place', () => {
  const [a, gone, b] = [rule('a'), rule('gone'), rule('b')];
  const { result } = attributed({
    base: [a, b],
    original: [a, gone, b],
    incoming: [a, rule('new'), b],
    from: [0, 2],
    explains: true,
  });
  expect(result).toEqual([a, gone, rule('new'), b]);
});

test('one that is put in again is not doubled', () => {
  const [a, gone] = [rule('a'), rule('gone')];
  const { result } = attributed({
    base: [a],
    original: [gone, a],
    incoming: [gone, a, rule('new')],
    from: [1],
    explains: true,
  });
  expect(result).toEqual([gone, a, rule('new')]);
});

test('a list that only the rewrite had stays absent when nothing of it is kept', () => {
  const base = { backends: [rule('canary', 20)] };
  const { result, unkept } = attributed({ base, original: {}, incoming: { backends: [rule('canary', 30)] } });
  expect(result).toEqual({});
  expect(unkept).toEqual(['spec.backends.0', 'spec.backends']);
});

test('moves, duplicates and scalars of a list follow the writer', () => {
  const original = ['x', 'y', 'y', 'z'];
  const { result } = attributed({
    base: ['canary', ...original],
    original,
    incoming: ['canary', 'z', 'y', 'y', 'w'],
    explains: true,
  });
  expect(result).toEqual(['z', 'y', 'y', 'w']);
});
