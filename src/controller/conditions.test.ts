import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMap, type JsonMap, stringAt } from '../json/value.ts';
import { type Finding, mergeConditions, REASONS, transitions } from './conditions.ts';

const now = new Date('2026-05-01T12:00:00.900Z');
const NOW = '2026-05-01T12:00:00Z';
const finding: Finding = { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'm' };
const written = { ...finding, lastUpdateTime: '2026-01-01T00:00:00Z', lastTransitionTime: '2026-01-01T00:00:00Z' };

test.each<[string, JsonMap | undefined, Partial<Finding>, JsonMap]>([
  ['a new condition has both times', undefined, {}, { ...finding, lastUpdateTime: NOW, lastTransitionTime: NOW }],
  ['nothing new: nothing moves', written, {}, written],
  [
    'another status moves both times',
    written,
    { status: 'False' },
    { ...written, status: 'False', lastUpdateTime: NOW, lastTransitionTime: NOW },
  ],
  [
    'another message moves the update only',
    written,
    { message: 'n' },
    { ...written, message: 'n', lastUpdateTime: NOW },
  ],
  [
    'another reason moves the update only',
    written,
    { reason: 'Invalid' },
    { ...written, reason: 'Invalid', lastUpdateTime: NOW },
  ],
  [
    'an unknown member stays',
    { ...written, extra: 1 },
    { message: 'n' },
    { ...written, extra: 1, message: 'n', lastUpdateTime: NOW },
  ],
  [
    'a time of the future stays the latest',
    { ...written, lastUpdateTime: '2030-01-01T00:00:00Z' },
    { status: 'False' },
    { ...written, status: 'False', lastUpdateTime: '2030-01-01T00:00:00Z', lastTransitionTime: '2030-01-01T00:00:00Z' },
  ],
  [
    'a time that is none counts for nothing',
    { ...written, lastUpdateTime: 'soon' },
    { message: 'n' },
    { ...written, message: 'n', lastUpdateTime: NOW },
  ],
])('%s', (_, before, change, after) => {
  const stored = before === undefined ? undefined : [before];
  expect(mergeConditions(stored, [{ ...finding, ...change }], now)).toEqual([after]);
});

test('conditions of others stay, in their places', () => {
  const progressing = { type: 'Progressing', status: 'True', reason: 'InRolling', message: '' };
  const merged = mergeConditions([progressing, { ...written }], [{ ...finding, message: 'n' }], now);
  expect(merged[0]).toBe(progressing);
  expect(merged).toHaveLength(2);
});

test('what is no longer so goes, and the others stay in their places', () => {
  const [succeeded, foreign] = [
    { ...written, type: 'Succeeded' },
    { type: 'Foreign', status: 'True' },
  ];
  expect(mergeConditions([succeeded, written, foreign], [finding], now, ['Succeeded'])).toEqual([written, foreign]);
});

test('the very same list comes back when there is nothing to write', () => {
  const stored = [written];
  expect(mergeConditions(stored, [finding], now, ['Succeeded'])).toBe(stored);
});

const findings: fc.Arbitrary<Finding> = fc.record({
  type: fc.constantFrom('Accepted', 'ResolvedRefs', 'Expressible'),
  status: fc.constantFrom('True', 'False', 'Unknown'),
  reason: fc.constantFrom('Accepted', 'Invalid'),
  message: fc.constantFrom('', 'm'),
});

test('for any findings and any jumps of the clock no time goes backwards, and the transition is never after the update', () => {
  const steps = fc.array(
    fc.tuple(findings, fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })),
  );
  fc.assert(
    fc.property(steps, (all) => {
      let stored = mergeConditions(undefined, [], now);
      for (const [next, at] of all) {
        const after = mergeConditions(stored, [next], at);
        expect(mergeConditions(after, [next], new Date(at.getTime() + 5_000))).toBe(after);
        for (const entry of after.filter(isMap)) {
          const before = stored.find((other) => stringAt(other, 'type') === entry['type']);
          const [update, transition] = [
            stringAt(entry, 'lastUpdateTime') ?? '',
            stringAt(entry, 'lastTransitionTime') ?? '',
          ];
          expect(update >= (stringAt(before, 'lastUpdateTime') ?? '')).toBe(true);
          expect(transition >= (stringAt(before, 'lastTransitionTime') ?? '')).toBe(true);
          expect(update >= transition).toBe(true);
          if (stringAt(before, 'status') === entry['status'])
            expect(transition).toBe(stringAt(before, 'lastTransitionTime'));
        }
        stored = after;
      }
    }),
  );
});

test.each<[string, Finding['status'], Finding['reason'] | undefined, Finding['status'], Finding['reason'], boolean]>([
  ['turned bad', 'True', 'WorkloadTaken', 'False', 'Invalid', true],
  ['bad from the start', 'Unknown', undefined, 'False', 'Invalid', true],
  ['bad for another reason', 'False', 'WorkloadTaken', 'False', 'Invalid', true],
  ['still bad', 'False', 'WorkloadTaken', 'False', 'WorkloadTaken', false],
  ['good again', 'False', 'WorkloadTaken', 'True', 'Invalid', true],
  ['good from the start', 'Unknown', undefined, 'True', 'Invalid', false],
  ['not known for the moment', 'False', 'WorkloadTaken', 'Unknown', 'Invalid', false],
])('an Event tells of what %s', (_, was, why, status, reason, isTold) => {
  const stored = why === undefined ? undefined : [{ type: 'Accepted', status: was, reason: why, message: '' }];
  expect(transitions(stored, [{ ...finding, status, reason }])).toHaveLength(isTold ? 1 : 0);
});

test('docs/conditions.md says of every condition and every reason what it means and what to do', () => {
  const text = readFileSync(new URL('../../docs/conditions.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| `(\w+)` \| (.+?) \| (.+?) \|$/gm)].map(
    ([, type, reason]) => `${type} ${reason}`,
  );
  const reported = Object.entries(REASONS).flatMap(([type, reasons]) => reasons.map((reason) => `${type} ${reason}`));
  expect(rows).toEqual(reported);
});
