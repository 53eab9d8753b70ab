import { expect, test } from 'vitest';
import {
  type ManagerObserved,
  openManagerMetrics,
  type ReleaseNumbers,
  type RolloutNumbers,
} from './manager-metrics.ts';

const observed: ManagerObserved = {
  isLeading: () => true,
  isCalled: () => true,
  queue: () => ({ ready: 3, working: 2, waiting: 1 }),
  rollouts: () => [],
  known: { styles: [], outcomes: [] },
};

type Opened = ReturnType<typeof openManagerMetrics>;

/** The series of Sluice's own, without those that the library adds, and without buckets. */
async function told(metrics: Opened): Promise<string[]> {
  const text = await metrics.text();
  return text.split('\n').filter((line) => line.startsWith('sluice_') && !line.includes('_bucket'));
}

function series(given: Partial<ManagerObserved>): Promise<string[]> {
  return told(openManagerMetrics({ ...observed, ...given }));
}

/** Of histograms without labels. */
const UNUSED = ['sluice_queue_wait_seconds_sum 0', 'sluice_queue_wait_seconds_count 0'];

test('the series of a leader say what it does, each time that they are read', async () => {
  expect(await series({})).toEqual([
    'sluice_leading 1',
    'sluice_webhooks_called 1',
    'sluice_queue_size{state="ready"} 3',
    'sluice_queue_size{state="working"} 2',
    'sluice_queue_size{state="waiting"} 1',
    ...UNUSED,
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

const release: ReleaseNumbers = {
  ...{ style: 'partition', reason: 'InRolling', state: 'StepPaused', waitsFor: 'approval' },
  ...{ step: 2, steps: 4, weight: 20, startTime: 1_767_225_600_500, stateTime: 1_767_225_630_000, isStalled: false },
};

test('a release has one series of each kind, Rollouts at rest are counted only, and what is over is gone at once', async () => {
  let rollouts: RolloutNumbers[] = [
    { namespace: 'shop', name: 'web', phase: 'Progressing', release },
    { namespace: 'shop', name: 'cart', phase: 'Healthy', release: undefined },
    { namespace: 'shop', name: 'new', phase: '', release: undefined },
  ];
  const metrics = openManagerMetrics({ ...observed, rollouts: () => rollouts });
  const isOfRollouts = (line: string) => /^sluice_(rollouts|release_)/.test(line);
  const name = '{namespace="shop",rollout="web"}';
  const first = (await told(metrics)).filter(isOfRollouts);
  expect(first).toEqual([
    'sluice_rollouts{phase="Progressing"} 1',
    'sluice_rollouts{phase="Healthy"} 1',
    'sluice_rollouts{phase="Unknown"} 1',
    'sluice_release_state{namespace="shop",rollout="web",style="partition",reason="InRolling",state="StepPaused",waits_for="approval"} 1',
    `sluice_release_step${name} 2`,
    `sluice_release_steps${name} 4`,
    `sluice_release_weight_ratio${name} 0.2`,
    `sluice_release_start_timestamp_seconds${name} 1767225600.5`,
    `sluice_release_state_start_timestamp_seconds${name} 1767225630`,
    `sluice_release_stalled${name} 0`,
  ]);
  const later: ReleaseNumbers = { ...release, state: 'StepUpgrade', waitsFor: 'progress', weight: undefined };
  rollouts = [{ namespace: 'shop', name: 'web', phase: 'Progressing', release: { ...later, isStalled: true } }];
  const second = (await told(metrics)).filter(isOfRollouts);
  expect(second).toContain(`sluice_release_stalled${name} 1`);
  expect(second.filter((line) => line.startsWith('sluice_release_state{'))).toEqual([
    'sluice_release_state{namespace="shop",rollout="web",style="partition",reason="InRolling",state="StepUpgrade",waits_for="progress"} 1',
  ]);
  expect(second.filter((line) => line.startsWith('sluice_release_weight_ratio'))).toEqual([]);
  rollouts = [];
  expect((await told(metrics)).filter(isOfRollouts)).toEqual([]);
});

test('what releases took is counted by style, with every outcome there is from 0 on', async () => {
  const known = { styles: ['partition', 'canary'], outcomes: ['Success', 'Abort'] };
  const metrics = openManagerMetrics({ ...observed, known });
  metrics.released('partition', { of: 'state', state: 'StepPaused', milliseconds: 1500 });
  metrics.released('partition', { of: 'step', milliseconds: 40_000 });
  metrics.released('canary', { of: 'release', outcome: 'Abort', milliseconds: 90_000 });
  expect((await told(metrics)).filter((line) => line.startsWith('sluice_release'))).toEqual([
    'sluice_release_state_duration_seconds_sum{style="partition",state="StepPaused"} 1.5',
    'sluice_release_state_duration_seconds_count{style="partition",state="StepPaused"} 1',
    'sluice_release_step_duration_seconds_sum{style="partition"} 40',
    'sluice_release_step_duration_seconds_count{style="partition"} 1',
    'sluice_release_duration_seconds_sum{style="canary",outcome="Abort"} 90',
    'sluice_release_duration_seconds_count{style="canary",outcome="Abort"} 1',
    'sluice_releases_total{style="partition",outcome="Success"} 0',
    'sluice_releases_total{style="partition",outcome="Abort"} 0',
    'sluice_releases_total{style="canary",outcome="Success"} 0',
    'sluice_releases_total{style="canary",outcome="Abort"} 1',
  ]);
});

test('looks at Rollouts, waits for a worker and calls of the API server are counted with their time', async () => {
  const metrics = openManagerMetrics(observed);
  metrics.worked('rollout', 'done', 20);
  metrics.worked('scripts', 'failed', 30);
  metrics.waited(250);
  metrics.called({ verb: 'patch', resource: 'rollouts/status', code: '200', milliseconds: 4 });
  metrics.called({ verb: 'patch', resource: 'rollouts/status', code: '409', milliseconds: 4 });
  expect((await told(metrics)).slice(5)).toEqual([
    'sluice_reconcile_duration_seconds_sum{work="rollout",result="done"} 0.02',
    'sluice_reconcile_duration_seconds_count{work="rollout",result="done"} 1',
    'sluice_reconcile_duration_seconds_sum{work="scripts",result="failed"} 0.03',
    'sluice_reconcile_duration_seconds_count{work="scripts",result="failed"} 1',
    'sluice_queue_wait_seconds_sum 0.25',
    'sluice_queue_wait_seconds_count 1',
    'sluice_api_requests_total{verb="patch",resource="rollouts/status",code="200"} 1',
    'sluice_api_requests_total{verb="patch",resource="rollouts/status",code="409"} 1',
    'sluice_api_request_duration_seconds_sum{verb="patch"} 0.008',
    'sluice_api_request_duration_seconds_count{verb="patch"} 2',
  ]);
  expect(await metrics.text()).toContain('sluice_queue_wait_seconds_bucket{le="0.25"} 1');
});
