import { free } from './free.ts';
import type { Invocation } from './invocation.ts';
import type { Report } from './report.ts';
import { asRollout } from './rollout-status.ts';

/**
 * Holds a release where it is, or lets it go on: `spec.strategy.paused`, as kubectl-kruise writes it (compat §6). A workload whose
 * Rollout is gone is given free. @throws UsageError
 */
export async function hold(action: 'pause' | 'resume', name: string, invocation: Invocation): Promise<Report> {
  const { requests, namespace } = invocation;
  const rollout =
    action === 'pause' ? await requests.rollout(namespace, name) : await requests.rolloutIfAny(namespace, name);
  if (rollout === undefined) return free(name, invocation);
  const isPaused = asRollout(rollout).spec?.strategy.paused === true;
  const base = { action, rollout: { namespace, name } };
  if (isPaused === (action === 'pause')) {
    const message = isPaused ? 'it is paused already' : 'it is not paused';
    return { ...base, result: 'unchanged', message };
  }
  await requests.patchRollout(rollout, { spec: { strategy: { paused: isPaused ? null : true } } });
  return { ...base, result: 'done', message: isPaused ? 'resumed' : 'paused where it is; traffic stays as it is' };
}
