import { Client } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connection.ts';
import type { Cluster } from '../../cluster/cluster.ts';

/** The service account that alone may change directives. */
export const CONTROLLER_USER = 'system:serviceaccount:sluice-system:sluice-controller';

/** A client with the rights of Sluice's own controller, by a token of its service account. */
export async function controllerClient(cluster: Cluster): Promise<Client> {
  return new Client(connect({ kubeconfig: await cluster.as(CONTROLLER_USER), env: {} }));
}
