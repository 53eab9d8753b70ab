import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ProblemName } from './problem.ts';

/** What a server counts. Times are in seconds, as Prometheus wants them. */
export type Metrics = {
  /** One review answered. `operation` is '' for conversions. */
  answered(path: string, operation: string, verdict: string, seconds: number): void;
  /** One request answered with an HTTP error. */
  problem(name: ProblemName): void;
  scriptFailed(script: string): void;
  /** The Prometheus text, and its content type. */
  text(): Promise<string>;
  readonly contentType: string;
};

/** What is looked at when the metrics are asked for. */
export type Observed = {
  readonly certificateNotAfter: () => Date | undefined;
  readonly requestsInFlight: () => number;
};

/** Bounds in seconds: an admission takes well under a millisecond to some tens of them; 10 s is a webhook's default end. */
const BUCKETS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Makes the metrics of one server in a registry of their own, with prom-client's defaults (event loop lag, memory). */
export function openMetrics({ certificateNotAfter, requestsInFlight }: Observed): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'sluice_admission_requests_total',
    help: 'Reviews answered, by path, operation and verdict.',
    labelNames: ['path', 'operation', 'verdict'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'sluice_admission_duration_seconds',
    help: 'Time from the headers of a review to its answer.',
    labelNames: ['path'] as const,
    buckets: BUCKETS,
    registers,
  });
  const problems = new Counter({
    name: 'sluice_http_problems_total',
    help: 'Requests answered with an HTTP error instead of a review.',
    labelNames: ['problem'] as const,
    registers,
  });
  const scriptFailures = new Counter({
    name: 'sluice_script_failures_total',
    help: 'Admissions refused because a script failed.',
    labelNames: ['script'] as const,
    registers,
  });
  new Gauge({
    name: 'sluice_certificate_expiry_timestamp_seconds',
    help: 'End of the serving certificate as Unix time.',
    registers,
    collect() {
      const end = certificateNotAfter();
      if (end !== undefined) this.set(end.getTime() / 1000);
    },
  });
  new Gauge({
    name: 'sluice_requests_in_flight',
    help: 'Requests that are being read or answered.',
    registers,
    collect() {
      this.set(requestsInFlight());
    },
  });
  // Finding a series by its labels costs more than counting; there are few, since paths and verdicts are ours.
  const known = new Map<string, { count: { inc(): void }; seconds: { observe(value: number): void } }>();
  function seriesOf(path: string, operation: string, verdict: string) {
    const key = `${path} ${operation} ${verdict}`;
    const found = known.get(key) ?? {
      count: requests.labels({ path, operation, verdict }),
      seconds: seconds.labels({ path }),
    };
    known.set(key, found);
    return found;
  }
  return {
    answered(path, operation, verdict, duration) {
      const series = seriesOf(path, operation, verdict);
      series.count.inc();
      series.seconds.observe(duration);
    },
    problem: (problem) => problems.inc({ problem }),
    scriptFailed: (script) => scriptFailures.inc({ script }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
