import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_LIFETIMES, paceOf } from './pace.ts';

const HOSTS = ['sluice-webhook.sluice-system.svc'];

test('with the default lifetimes the waits are those that were asked for', () => {
  expect(paceOf({ hosts: HOSTS, ...DEFAULT_LIFETIMES })).toEqual({
    settle: 300_000,
    backDate: 3_600_000,
    quiet: 300_000,
    poll: 10_000,
    rest: 600_000,
  });
});

test('a serving certificate that is made when the CA falls due still lives as long as any', () => {
  expect(DEFAULT_LIFETIMES.servingLifetime).toBeLessThanOrEqual(DEFAULT_LIFETIMES.authorityLifetime / 3);
});

test('whatever the lifetimes, a rotation has time for all its waits twice over', () => {
  const lifetime = fc.integer({ min: 30_000, max: 10 ** 12 });
  fc.assert(
    fc.property(lifetime, lifetime, fc.nat(), (one, other, settle) => {
      const [servingLifetime, authorityLifetime] = [Math.min(one, other), Math.max(one, other)];
      const pace = paceOf({ hosts: HOSTS, authorityLifetime, servingLifetime, settle });
      expect(2 * (pace.rest + 2 * (pace.settle + pace.poll))).toBeLessThan(authorityLifetime / 3);
      expect(pace.backDate).toBeLessThan(servingLifetime / 3);
      expect(Math.min(pace.poll, pace.rest)).toBeGreaterThan(0);
    }),
  );
});

test.each([
  [{ servingLifetime: 29_999 }, '30 seconds'],
  [{ servingLifetime: Number.NaN }, '30 seconds'],
  [{ servingLifetime: DEFAULT_LIFETIMES.authorityLifetime + 1 }, 'outlive'],
  [{ settle: -1 }, 'negative'],
])('settings that cannot work are refused: %j', (wrong, message) => {
  expect(() => paceOf({ hosts: HOSTS, ...DEFAULT_LIFETIMES, ...wrong })).toThrow(message);
});
