import { text } from 'node:stream/consumers';
import { connect } from '../../../src/kube/connection.ts';
import type { Cluster } from '../../cluster/cluster.ts';

/** How many requests of this kind the API server has answered since it started, by its own count. */
export async function answered(
  { kubeconfig }: Cluster,
  {
    verb,
    resource,
    subresource = '',
  }: { readonly verb: string; readonly resource: string; readonly subresource?: string },
): Promise<number> {
  const connection = connect({ kubeconfig, env: {} });
  try {
    const metrics = await text(await connection.send({ method: 'GET', path: '/metrics', accept: 'text/plain' }));
    const wanted = [`verb="${verb}"`, `resource="${resource}"`, `subresource="${subresource}"`];
    return metrics
      .split('\n')
      .filter((line) => line.startsWith('apiserver_request_total{') && wanted.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  } finally {
    connection.close();
  }
}
