import { expect, test } from 'vitest';
import { type Directive, decodeDirective, directiveKey, encodeDirective, FORMAT } from './directive.ts';

const directive: Directive = {
  format: FORMAT,
  rollout: { namespace: 'shop', name: 'web', uid: 'u' },
  revision: 'r',
  step: 2,
  continues: true,
  action: {
    type: 'gateway',
    contract: 'custom',
    script: { name: 'networking.istio.io/VirtualService', hash: '0123456789abcdef' },
    routes: [{ stableService: 'svc', canaryService: 'svc-canary' }],
    weight: 20,
    matches: [{ headers: [{ type: 'Exact', name: 'x', value: '1' }] }],
    podMetadata: { labels: { version: 'canary' } },
  },
};

test('a directive is read as it was written', () => {
  expect(decodeDirective('k', encodeDirective(directive))).toEqual(directive);
});

test.each([
  ['no JSON', '{'],
  ['no object', '[]'],
  ['another format', JSON.stringify({ ...directive, format: 2 })],
  ['no Rollout', JSON.stringify({ ...directive, rollout: {} })],
  ['no step', JSON.stringify({ ...directive, step: '1' })],
  ['no action', JSON.stringify({ ...directive, action: null })],
  ['an unknown action', JSON.stringify({ ...directive, action: { type: 'magic' } })],
  ['no script', JSON.stringify({ ...directive, action: { ...directive.action, script: {} } })],
  ['no Services', JSON.stringify({ ...directive, action: { ...directive.action, routes: [] } })],
  ['a weight over 100', JSON.stringify({ ...directive, action: { ...directive.action, weight: 101 } })],
  ['matches of another shape', JSON.stringify({ ...directive, action: { ...directive.action, matches: ['a'] } })],
  [
    'pod labels that are no strings',
    JSON.stringify({ ...directive, action: { ...directive.action, podMetadata: { labels: { a: 1 } } } }),
  ],
  [
    'a selector that is no map of strings',
    JSON.stringify({ ...directive, action: { type: 'service', selector: { a: 1 } } }),
  ],
  [
    'a walk without bounds',
    JSON.stringify({
      ...directive,
      action: { type: 'workload', style: 'partition', stable: '', paused: true, walk: { maxSurge: 1 } },
    }),
  ],
])('a directive with %s is refused, and the annotation named', (_what, text) => {
  expect(() => decodeDirective('directive.sluice.dev/web', text)).toThrow(
    'annotation directive.sluice.dev/web is not a directive',
  );
});

test('the key is the name of the Rollout; a name that is too long is cut and told apart by a hash', () => {
  expect(directiveKey('web')).toBe('directive.sluice.dev/web');
  const [a, b] = [directiveKey(`${'x'.repeat(80)}a`), directiveKey(`${'x'.repeat(80)}b`)];
  expect(a.split('/')[1]).toHaveLength(63);
  expect(a).not.toBe(b);
});
