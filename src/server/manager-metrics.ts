import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Exposition } from './plain.ts';

/** What is looked at when the metrics of a controller are asked for. */
export type ManagerObserved = {
  readonly isLeading: () => boolean;
  /** Whether API servers ask Sluice; undefined where this process does not know: it does not lead, or has just begun to. */
  readonly isCalled: () => boolean | undefined;
  /** Names of objects that are ready to be worked on, being worked on, or waiting for their time. */
  readonly queue: () => { readonly ready: number; readonly working: number; readonly waiting: number };
};

/** The metrics of the controller, in a registry of their own, with prom-client's defaults (event loop lag, memory). */
export function openManagerMetrics({ isLeading, isCalled, queue }: ManagerObserved): Exposition {
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
  const problems = new Counter({
    name: 'sluice_http_problems_total',
    help: 'Requests answered with an HTTP error.',
    labelNames: ['problem'] as const,
    registers,
  });
  return {
    problem: (problem) => problems.inc({ problem }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
