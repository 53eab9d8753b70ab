import { type Connection, connect } from '../kube/connection.ts';
import type { Surroundings } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/**
 * The connection of a process in a cluster; nothing is sent yet.
 * @throws UsageError when there is no cluster to speak to
 */
export function openConnection(kubeconfig: string | undefined, { env }: Surroundings): Connection {
  try {
    return connect({ env, ...(kubeconfig === undefined ? {} : { kubeconfig }) });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
