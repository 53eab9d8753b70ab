import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonMap } from '../json/value.ts';
import { templateHash } from './template.ts';

const template = (container: JsonMap = {}, metadata: JsonMap = {}): JsonMap => ({
  metadata: { labels: { app: 'web' }, ...metadata },
  spec: { containers: [{ name: 'web', image: 'web:1', ...container }] },
});

test.each<[string, JsonMap]>([
  [
    'the label that the native controller adds',
    template({}, { labels: { app: 'web', 'pod-template-hash': '6d4cf56db6' } }),
  ],
  ['a creation time that is null', template({}, { creationTimestamp: null })],
  ['empty lists and maps', template({ args: [], resources: { limits: {} } }, { annotations: {} })],
  ['empty texts', template({ workingDir: '' })],
  ['the order of keys', { spec: template()['spec'] ?? null, metadata: { labels: { app: 'web' } } }],
])('%s makes no other version', (_, same) => {
  expect(templateHash(same)).toBe(templateHash(template()));
});

test.each<[string, JsonMap]>([
  ['an image', template({ image: 'web:2' })],
  ['an annotation such as restartedAt', template({}, { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } })],
  ['a label', template({}, { labels: { app: 'web', tier: 'x' } })],
  ['a value that is false', template({ tty: false })],
  ['an empty element of a list, which has a place', template({ args: [''] })],
])('%s makes another version', (_, other) => {
  expect(templateHash(other)).not.toBe(templateHash(template()));
});

test('a hash has 16 hexadecimal digits, of whatever value', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => /^[0-9a-f]{16}$/.test(templateHash(value as JsonMap))));
  expect(templateHash(undefined)).toMatch(/^[0-9a-f]{16}$/);
});
