import fc from 'fast-check';
import { expect, test } from 'vitest';
import { messageOf, readMessage, type Told } from './message.ts';
import { OUTCOMES, REASONS, STEP_STATES } from './record.ts';

const told: Told = {
  record: { step: 2, reason: 'InRolling', state: 'StepTrafficRouting', outcome: undefined },
  steps: 3,
  waitingFor: 'the canary Services',
  isBlocked: false,
};
const at = (record: Partial<Told['record']>, more: Partial<Told> = {}): Told => ({
  ...told,
  record: { ...told.record, ...record },
  ...more,
});

test.each<[Told, string]>([
  [at({ reason: 'Initializing' }), 'the release begins: waits for the canary Services'],
  [at({ reason: 'Initializing' }, { isBlocked: true }), 'the release is held: waits for the canary Services'],
  [at({}), 'Rollout is in step(2/3), and moving traffic: waits for the canary Services'],
  [at({ state: 'StepUpgrade' }), 'Rollout is in step(2/3), and upgrading workload: waits for the canary Services'],
  [at({ reason: 'Paused' }), 'Rollout is paused in step(2/3): waits for the canary Services'],
  [at({ reason: 'Cancelling', outcome: 'Abort' }), 'Abort: waits for the canary Services'],
  [
    at({ state: 'StepPaused' }, { waitingFor: 'duration(5 seconds)' }),
    'Rollout is in step(2/3), and waits duration(5 seconds) to enter the next step',
  ],
  [
    at({ state: 'StepPaused' }, { waitingFor: 'manual confirmation' }),
    'Rollout is in step(2/3), and needs manual confirmation to enter the next step: kubectl sluice approve',
  ],
])('%j is told as %j', (what, message) => {
  expect(messageOf(what)).toBe(message);
});

test('for any state but a pause, which waits for people or time, the reason can be read back as it was written', () => {
  const records = fc.record({
    step: fc.integer({ min: 1, max: 50 }),
    reason: fc.constantFrom(...REASONS),
    state: fc.constantFrom(...STEP_STATES.filter((state) => state !== 'StepPaused')),
    outcome: fc.constantFrom(undefined, ...OUTCOMES),
  });
  fc.assert(
    fc.property(records, fc.string(), fc.boolean(), (record, waitingFor, isBlocked) => {
      const read = readMessage(messageOf({ record, steps: 50, waitingFor, isBlocked }));
      expect(read).toEqual({ waitingFor, isBlocked: isBlocked && record.reason === 'Initializing' });
    }),
  );
});

test.each(['', 'ready for the next release', 'Rollout is in step(1/3), and wait for workload to be released'])(
  '%j gives no reason',
  (message) => {
    expect(readMessage(message)).toBeUndefined();
  },
);
