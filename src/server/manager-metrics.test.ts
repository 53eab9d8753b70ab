import { expect, test } from 'vitest';
import { type ManagerObserved, openManagerMetrics } from './manager-metrics.ts';

const observed: ManagerObserved = {
  isLeading: () => true,
  isCalled: () => true,
  queue: () => ({ ready: 3, working: 2, waiting: 1 }),
};

/** The series of Sluice's own, without those that the library adds. */
async function series(given: Partial<ManagerObserved>): Promise<string[]> {
  const text = await openManagerMetrics({ ...observed, ...given }).text();
  return text.split('\n').filter((line) => line.startsWith('sluice_'));
}

test('the series of a leader say what it does, each time that they are read', async () => {
  expect(await series({})).toEqual([
    'sluice_leading 1',
    'sluice_webhooks_called 1',
    'sluice_queue_size{state="ready"} 3',
    'sluice_queue_size{state="working"} 2',
    'sluice_queue_size{state="waiting"} 1',
  ]);
  expect(await series({ isCalled: () => false })).toContain('sluice_webhooks_called 0');
});

test('a process that does not lead says nothing of what only the leader knows', async () => {
  const other = await series({ isLeading: () => false, isCalled: () => undefined });
  expect(other).toContain('sluice_leading 0');
  expect(other.filter((line) => line.startsWith('sluice_webhooks_called'))).toEqual([]);
});

test('a gauge that was known is gone once the process leads no more', async () => {
  let isCalled: boolean | undefined = true;
  const metrics = openManagerMetrics({ ...observed, isCalled: () => isCalled });
  expect(await metrics.text()).toContain('sluice_webhooks_called 1');
  isCalled = undefined;
  expect(await metrics.text()).not.toMatch(/^sluice_webhooks_called/m);
});
