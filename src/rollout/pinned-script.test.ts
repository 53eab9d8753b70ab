import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson } from '../json/text.ts';
import type { JsonMap } from '../json/value.ts';
import { makeScript } from '../lua/script.ts';
import { InvalidPinnedScript, pinnedHash, pinnedScript, readPinned } from './pinned-script.ts';

const modules = new Map([
  ['weights', 'return require("tables")'],
  ['tables', 'return {}'],
  ['unused', 'return 1'],
]);
const script = makeScript('ingress/nginx', 'local w = require("weights")\nreturn obj.annotations', modules);
const stored = pinnedScript(script, 'sluice-system');

function withData(change: JsonMap): JsonMap {
  return { ...stored, data: { ...(stored['data'] as JsonMap), ...change } };
}

test('a pinned script can be read by people: name, text and one key for each module', () => {
  expect(stored).toMatchObject({
    metadata: {
      name: `sluice-script-${script.hash}`,
      namespace: 'sluice-system',
      labels: { 'sluice.dev/script': 'true' },
    },
    immutable: true,
    data: {
      name: 'ingress/nginx',
      text: script.text,
      'module.weights': modules.get('weights'),
      'module.tables': 'return {}',
    },
  });
});

test('what is read is the script that was pinned', () => {
  expect(readPinned(parseJson(JSON.stringify(stored)))).toEqual(script);
});

test('any text at all is pinned and read without change', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, name) => {
      const any = makeScript(name, text, modules);
      expect(readPinned(parseJson(JSON.stringify(pinnedScript(any, 'x'))))).toEqual(any);
    }),
  );
});

test.each<[string, JsonMap]>([
  ['another text', withData({ text: 'return os.exit()' })],
  ['another module', withData({ 'module.tables': 'return nil' })],
  ['no text', { ...stored, data: { name: 'x' } }],
  ['no data', { ...stored, data: null }],
  ['another name', { ...stored, metadata: { name: `sluice-script-${'0'.repeat(32)}` } }],
  ['a name without a hash', { ...stored, metadata: { name: 'kruise-rollout-configuration' } }],
])('a forged script is refused: %s', (_, forged) => {
  expect(() => readPinned(forged)).toThrow(InvalidPinnedScript);
});

test('a module that the text does not require is never given out', () => {
  expect(readPinned(withData({ 'module.unused': 'return 1' })).modules).toEqual(script.modules);
});

test.each(['sluice-script-', 'sluice-script-XYZ', 'other'])('%s holds no hash', (name) => {
  expect(pinnedHash(name)).toBeUndefined();
});
