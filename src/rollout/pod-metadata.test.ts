import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../api/names.ts';
import type { JsonMap } from '../json/value.ts';
import { encodePodMetadata, podMetadataOf, withPodMetadata } from './pod-metadata.ts';

const ID = 'rollouts.kruise.io/rollout-id';

function replicaSet(text: string | undefined, selector: JsonMap = { matchLabels: { app: 'web' } }): JsonMap {
  const annotations = text === undefined ? {} : { annotations: { [ANNOTATIONS.podMetadata]: text } };
  return { metadata: { name: 'web-1', ...annotations }, spec: { selector } };
}

const given = (labels: JsonMap, annotations: JsonMap = {}, selector?: JsonMap) =>
  podMetadataOf(replicaSet(JSON.stringify({ labels, annotations }), selector));

describe('what a ReplicaSet gives to its pods', () => {
  test('is what its annotation says', () => {
    expect(given({ [ID]: '5', empty: '' }, { note: 'any text, {even this}' })).toEqual({
      labels: { [ID]: '5', empty: '' },
      annotations: { note: 'any text, {even this}' },
    });
  });

  test('is nothing without the annotation', () => {
    expect(podMetadataOf(replicaSet(undefined))).toBeUndefined();
    expect(podMetadataOf({})).toBeUndefined();
  });

  test.each(['', '{', '[]', 'null', '7'])('is nothing where the annotation is %j', (text) => {
    expect(podMetadataOf(replicaSet(text))).toBeUndefined();
  });

  test.each<[string, JsonMap | undefined]>([
    ['by a value', { matchLabels: { app: 'web', track: 'stable' } }],
    ['by an expression', { matchExpressions: [{ key: 'track', operator: 'Exists' }] }],
  ])('never changes a label that the set selects its pods by: %s', (_, selector) => {
    expect(given({ track: 'canary', a: 'b' }, {}, selector)?.labels).toEqual({ a: 'b' });
  });

  test('never changes the label that tells the sets of a Deployment apart, whatever the selector is', () => {
    expect(given({ 'pod-template-hash': 'other' }, {}, {})?.labels).toEqual({});
  });

  test.each<[string, JsonMap]>([
    ['a value of more than 63 characters', { a: 'x'.repeat(64) }],
    ['a value with a space', { a: 'b c' }],
    ['a value that is no text', { a: 1 }],
    ['a key with two slashes', { 'a/b/c': 'x' }],
    ['a key that ends in a dot', { 'a.': 'x' }],
    ['a key of more than 63 characters', { [`a/${'x'.repeat(64)}`]: 'x' }],
    ['a prefix in capitals', { 'A.com/b': 'x' }],
    ['an empty prefix', { '/b': 'x' }],
    ['an empty key', { '': 'x' }],
  ])('leaves out what no API server takes, so that pods come into being: %s', (_, labels) => {
    expect(given(labels)).toEqual({ labels: {}, annotations: {} });
  });

  test('is read as it was written, and equal metadata have equal texts', () => {
    const key = fc.constantFrom(ID, 'rollouts.kruise.io/rollout-batch-id', 'team', 'a.b/c');
    const labels = fc.dictionary(key, fc.stringMatching(/^[a-z0-9]{0,20}$/));
    fc.assert(
      fc.property(labels, fc.dictionary(key, fc.string()), (labels, annotations) => {
        const text = encodePodMetadata({ labels, annotations });
        expect(podMetadataOf(replicaSet(text))).toEqual({ labels, annotations });
        const turned = Object.fromEntries(Object.entries(labels).reverse());
        expect(encodePodMetadata({ labels: turned, annotations })).toBe(text);
      }),
    );
  });
});

describe('a pod', () => {
  const metadata = { name: 'web-1-abc', labels: { app: 'web', tag: 'base' }, annotations: { own: 'a' } };

  test('gets it beside its own, and in place of what its template says under the same key', () => {
    const more = { labels: { tag: 'gray', [ID]: '5' }, annotations: { note: 'b' } };
    expect(withPodMetadata(metadata, more)).toEqual({
      name: 'web-1-abc',
      labels: { app: 'web', tag: 'gray', [ID]: '5' },
      annotations: { own: 'a', note: 'b' },
    });
  });

  test('that has neither labels nor annotations gets them', () => {
    const more = { labels: { [ID]: '5' }, annotations: { note: 'b' } };
    expect(withPodMetadata({ name: 'x' }, more)).toEqual({ name: 'x', ...more });
  });

  test('that has all of it stays the very same', () => {
    const more = { labels: { tag: 'base' }, annotations: { own: 'a' } };
    expect(withPodMetadata(metadata, more)).toBe(metadata);
    expect(withPodMetadata({ name: 'x' }, { labels: {}, annotations: {} })).toEqual({ name: 'x' });
  });
});
