import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Exposition } from './plain.ts';

/** What is looked at when the metrics of a controller are asked for. */
export type ManagerObserved = {
  readonly isLeading: () => boolean;
  /** Whether API servers ask Sluice; undefined where this process does not know: it does not lead, or has just begun to. */
  readonly isCalled: () => boolean | undefined;
  /** Names of objects that are ready to be worked on, being worked on, or waiting for their time. */
  readonly queue: () => { readonly ready: number; readonly working: number; readonly waiting: number };
  /** Every Rollout that there is; none in a process that does not lead. */
  readonly rollouts: () => Iterable<RolloutNumbers>;
  /** Whose releases are counted from 0 on, so that the first of them is an increase. */
  readonly known: { readonly styles: readonly string[]; readonly outcomes: readonly string[] };
};

/** A Rollout as metrics tell it; `release` only while one runs or is held. Times are milliseconds since 1970. */
export type RolloutNumbers = {
  readonly namespace: string;
  readonly name: string;
  readonly phase: string;
  readonly release: ReleaseNumbers | undefined;
};

export type ReleaseNumbers = {
  readonly style: string;
  readonly reason: string;
  readonly state: string;
  readonly waitsFor: string;
  readonly step: number;
  readonly steps: number;
  /** Percent; undefined where no weight is set. */
  readonly weight: number | undefined;
  readonly startTime: number;
  readonly stateTime: number;
  readonly isStalled: boolean;
};

/** What came to its end in a release. */
export type ReleaseMeasure =
  | { readonly of: 'state'; readonly state: string; readonly milliseconds: number }
  | { readonly of: 'step'; readonly milliseconds: number }
  | { readonly of: 'release'; readonly outcome: string; readonly milliseconds: number };

/** The metrics of a controller, and what it tells them. */
export type ManagerMetrics = Exposition & {
  released(style: string, measure: ReleaseMeasure): void;
  worked(work: string, result: string, milliseconds: number): void;
  waited(milliseconds: number): void;
  called(call: {
    readonly verb: string;
    readonly resource: string;
    readonly code: string;
    readonly milliseconds: number;
  }): void;
};

/** Bounds in seconds. States of a step take from less than a second (Services) to days (approvals). */
const RELEASE_BUCKETS = [0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];
/** One look at a Rollout is a few calls of the API server, and so is the wait for a worker. */
const WORK_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

/** The metrics of the controller, in a registry of their own, with prom-client's defaults (event loop lag, memory). */
export function openManagerMetrics(observed: ManagerObserved): ManagerMetrics {
  const { isLeading, isCalled, queue } = observed;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'sluice_leading',
    help: '1 in the process that leads, 0 in the others.',
    registers,
    collect() {
      this.set(isLeading() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'sluice_webhooks_called',
    help: '1 while API servers ask Sluice about workloads and gateway objects, 0 when they do not; only where that is known.',
    registers,
    collect() {
      const isAsked = isCalled();
      if (isAsked === undefined) this.remove();
      else this.set(isAsked ? 1 : 0);
    },
  });
  new Gauge({
    name: 'sluice_queue_size',
    help: 'Rollouts that are ready to be worked on, being worked on, or waiting for their time.',
    labelNames: ['state'] as const,
    registers,
    collect() {
      for (const [state, size] of Object.entries(queue())) this.set({ state }, size);
    },
  });
  addRollouts(observed, registers);
  const problems = new Counter({
    name: 'sluice_http_problems_total',
    help: 'Requests answered with an HTTP error.',
    labelNames: ['problem'] as const,
    registers,
  });
  return {
    problem: (problem) => problems.inc({ problem }),
    released: releaseMeasures(observed.known, registers),
    ...workMeasures(registers),
    called: callMeasures(registers),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/**
 * Gauges of Rollouts, made anew each time that they are read: the series of a Rollout are gone with its release. Rollouts at
 * rest are only counted, so that there are as many series as there are releases.
 */
function addRollouts({ rollouts }: ManagerObserved, registers: Registry[]): void {
  // Metrics are read in the order in which they were made: this one sets all that follow.
  new Gauge({
    name: 'sluice_rollouts',
    help: 'Rollouts by phase; Unknown where they have not been looked at.',
    labelNames: ['phase'] as const,
    registers,
    collect() {
      for (const gauge of [this, states, step, steps, weight, started, changed, stalled]) gauge.reset();
      for (const { namespace, name: rollout, phase, release } of rollouts()) {
        this.inc({ phase: phase === '' ? 'Unknown' : phase });
        if (release === undefined) continue;
        const name = { namespace, rollout };
        const { style, reason, state, waitsFor } = release;
        states.set({ ...name, style, reason, state, waits_for: waitsFor }, 1);
        step.set(name, release.step);
        steps.set(name, release.steps);
        if (release.weight !== undefined) weight.set(name, release.weight / 100);
        started.set(name, release.startTime / 1000);
        changed.set(name, release.stateTime / 1000);
        stalled.set(name, release.isStalled ? 1 : 0);
      }
    },
  });
  const named = ['namespace', 'rollout'] as const;
  const byName = (name: string, help: string) => new Gauge({ name, help, labelNames: named, registers });
  const states = new Gauge({
    name: 'sluice_release_state',
    help: 'Where each release that runs or is held stands, and for what it waits; always 1.',
    labelNames: [...named, 'style', 'reason', 'state', 'waits_for'] as const,
    registers,
  });
  const step = byName('sluice_release_step', 'The step that a release is at, counted from 1.');
  const steps = byName('sluice_release_steps', 'Steps of the plan of a release.');
  const weight = byName(
    'sluice_release_weight_ratio',
    'Share of the traffic that the new version gets by weight, from 0 to 1.',
  );
  const started = byName('sluice_release_start_timestamp_seconds', 'When a release began, as Unix time.');
  const changed = byName(
    'sluice_release_state_start_timestamp_seconds',
    'Since when a release is in its state, as Unix time.',
  );
  const stalled = byName('sluice_release_stalled', '1 while a release makes no progress for longer than its deadline.');
}

function releaseMeasures(
  { styles, outcomes }: ManagerObserved['known'],
  registers: Registry[],
): ManagerMetrics['released'] {
  const buckets = RELEASE_BUCKETS;
  const states = new Histogram({
    name: 'sluice_release_state_duration_seconds',
    help: 'How long releases were in each state of a step; StepPaused holds what people and pauses took.',
    labelNames: ['style', 'state'] as const,
    ...{ buckets, registers },
  });
  const steps = new Histogram({
    name: 'sluice_release_step_duration_seconds',
    help: 'How long steps that were done took, with their pauses.',
    labelNames: ['style'] as const,
    ...{ buckets, registers },
  });
  const durations = new Histogram({
    name: 'sluice_release_duration_seconds',
    help: 'How long releases took until they were over, or held after an abort or a failure.',
    labelNames: ['style', 'outcome'] as const,
    ...{ buckets, registers },
  });
  const releases = new Counter({
    name: 'sluice_releases_total',
    help: 'Releases that are over, or held after an abort or a failure.',
    labelNames: ['style', 'outcome'] as const,
    registers,
  });
  for (const style of styles) for (const outcome of outcomes) releases.inc({ style, outcome }, 0);
  return (style, measure) => {
    const seconds = measure.milliseconds / 1000;
    if (measure.of === 'state') states.observe({ style, state: measure.state }, seconds);
    else if (measure.of === 'step') steps.observe({ style }, seconds);
    else {
      durations.observe({ style, outcome: measure.outcome }, seconds);
      releases.inc({ style, outcome: measure.outcome });
    }
  };
}

function workMeasures(registers: Registry[]): Pick<ManagerMetrics, 'worked' | 'waited'> {
  const buckets = WORK_BUCKETS;
  const works = new Histogram({
    name: 'sluice_reconcile_duration_seconds',
    help: 'How long one look at a Rollout, at scripts or at pins took, with its calls of the API server.',
    labelNames: ['work', 'result'] as const,
    ...{ buckets, registers },
  });
  const waits = new Histogram({
    name: 'sluice_queue_wait_seconds',
    help: 'How long keys were ready before a worker took them.',
    ...{ buckets, registers },
  });
  return {
    worked: (work, result, milliseconds) => works.observe({ work, result }, milliseconds / 1000),
    waited: (milliseconds) => waits.observe(milliseconds / 1000),
  };
}

function callMeasures(registers: Registry[]): ManagerMetrics['called'] {
  const calls = new Counter({
    name: 'sluice_api_requests_total',
    help: 'Calls of the API server by verb, resource and HTTP status; none where no answer came.',
    labelNames: ['verb', 'resource', 'code'] as const,
    registers,
  });
  const durations = new Histogram({
    name: 'sluice_api_request_duration_seconds',
    help: 'Time from a call of the API server to the head of its answer.',
    labelNames: ['verb'] as const,
    ...{ buckets: WORK_BUCKETS, registers },
  });
  return ({ verb, resource, code, milliseconds }) => {
    calls.inc({ verb, resource, code });
    durations.observe({ verb }, milliseconds / 1000);
  };
}
