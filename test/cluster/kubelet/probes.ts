import { setTimeout as sleep } from 'node:timers/promises';
import { handle, type Target } from './handler.ts';
import type { Container, Probe } from './pod-object.ts';

/** What probes tell of a container. */
export type ProbeListener = {
  /** The startup probe has succeeded, or there is none. */
  started(): void;
  ready(isReady: boolean): void;
  /** The startup or the liveness probe has failed for good. */
  failed(message: string): void;
};

/** Runs a container's probes until `signal` aborts. Without a probe of a kind, its answer is yes. */
export async function runProbes(target: Target, listener: ProbeListener, signal: AbortSignal): Promise<void> {
  const { startupProbe, readinessProbe, livenessProbe }: Container = target.container;
  if (startupProbe !== undefined && !(await untilStarted(startupProbe, target, listener, signal))) return;
  listener.started();
  if (readinessProbe === undefined) listener.ready(true);
  else void repeat(readinessProbe, target, signal, (isReady) => listener.ready(isReady));
  if (livenessProbe === undefined) return;
  void repeat(livenessProbe, target, signal, (isAlive, message) => {
    if (!isAlive) listener.failed(`Liveness probe failed: ${message}`);
  });
}

async function untilStarted(
  probe: Probe,
  target: Target,
  listener: ProbeListener,
  signal: AbortSignal,
): Promise<boolean> {
  const enough = new AbortController();
  let hasStarted = false;
  await repeat(probe, target, AbortSignal.any([signal, enough.signal]), (isStarted, message) => {
    hasStarted = isStarted;
    if (!isStarted) listener.failed(`Startup probe failed: ${message}`);
    enough.abort();
  });
  return hasStarted && !signal.aborted;
}

type OnAnswer = (isYes: boolean, message: string) => void;

/** Probes again and again; answers when a threshold is reached, with every further probe on that side too. */
async function repeat(probe: Probe, target: Target, signal: AbortSignal, answer: OnAnswer): Promise<void> {
  const { initialDelaySeconds = 0, periodSeconds = 10, timeoutSeconds = 1 } = probe;
  const { successThreshold = 1, failureThreshold = 3 } = probe;
  let [successes, failures] = [0, 0];
  await pause(initialDelaySeconds, signal);
  while (!signal.aborted) {
    const error = await handle(probe, target, timeoutSeconds * 1000).then(
      () => undefined,
      (reason: unknown) => String(reason),
    );
    if (signal.aborted) return;
    [successes, failures] = error === undefined ? [successes + 1, 0] : [0, failures + 1];
    if (successes >= successThreshold) answer(true, '');
    if (failures >= failureThreshold) answer(false, error ?? '');
    await pause(periodSeconds, signal);
  }
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => undefined); // aborted: the caller sees it
}
