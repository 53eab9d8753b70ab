import { Unavailable } from '../admission/inventory.ts';
import type { Rollout } from '../api/generated.ts';
import { V1BETA1 } from '../api/names.ts';
import type { JsonMap } from '../json/value.ts';
import { ApiError, outcomeOf } from '../kube/api-error.ts';
import type { Client } from '../kube/client.ts';
import { RESOURCES } from '../kube/resource.ts';
import { releasingRollout, type WorkloadName } from '../rollout/naming.ts';

/** The API server waits two seconds for the whole admission. */
const LIMIT_MILLISECONDS = 1_500;

/**
 * Asks the API server which Rollout releases a workload, by a list that is consistent: it shows every Rollout that was
 * created before. The CRD lets Rollouts be selected by the name of their workload, so that the answer is small whatever
 * the namespace holds; Kubernetes 1.30 knows no such selectors, and is asked for all Rollouts of the namespace.
 *
 * @throws Unavailable when there is no answer in 1.5 s, or a right is missing
 */
export async function askRolloutNaming(
  client: Pick<Client, 'listAll'>,
  workload: WorkloadName,
  milliseconds = LIMIT_MILLISECONDS,
): Promise<Rollout | undefined> {
  const signal = AbortSignal.timeout(milliseconds);
  try {
    return releasingRollout(await rolloutsNaming(client, workload, signal), workload);
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome === 'gone') return undefined; // without the CRD there are no Rollouts
    if (outcome === undefined && !signal.aborted) throw error;
    const reason = signal.aborted ? `no answer within ${milliseconds / 1000} s` : (error as Error).message;
    throw new Unavailable(
      `whether a Rollout names ${workload.kind} ${workload.name} cannot be found out now: ${reason}`,
    );
  }
}

async function rolloutsNaming(
  client: Pick<Client, 'listAll'>,
  { namespace, name }: WorkloadName,
  signal: AbortSignal,
): Promise<JsonMap[]> {
  const list = (selection: { readonly fieldSelector?: string }) =>
    Array.fromAsync(client.listAll(RESOURCES.rollout, { namespace, ...selection }, signal), asRollout);
  try {
    return await list({ fieldSelector: `spec.workloadRef.name=${name}` });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 400)) throw error;
    return list({});
  }
}

/** Objects of a list may lack both. */
function asRollout(object: JsonMap): JsonMap {
  return { apiVersion: V1BETA1, kind: 'Rollout', ...object };
}
