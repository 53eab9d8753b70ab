import { type Connection, connect } from '../kube/connection.ts';
import type { Surroundings } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/**
 * The connection of a process in a cluster, or to one; nothing is sent yet.
 * @param context of the kubeconfig; its current one when undefined
 * @throws UsageError when there is no cluster to speak to
 */
export function openConnection(
  kubeconfig: string | undefined,
  { env }: Surroundings,
  context?: string | undefined,
): Connection {
  try {
    const named = {
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
    };
    return connect({ env, ...named });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
