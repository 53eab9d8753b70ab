import { Client } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { CHART } from '../chart/rendered.ts';
import { type Cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';

/** Sluice in the test cluster, by its chart. */
export type Installed = {
  readonly namespace: string;
  /** A client with the rights of Sluice's controller, by a token of its service account: it alone changes directives. */
  readonly controller: Client;
  uninstall(): Promise<void>;
};

/** Where users install it; the CRDs stay between two files of a run, so they are taken over. */
const NAMESPACE = 'sluice-system';

/**
 * Installs the chart, waits for its pods, and until the webhooks are called.
 * @param values as in `--set`
 */
export async function installSluice(cluster: Cluster, values: readonly string[] = []): Promise<Installed> {
  const words = ['--namespace', NAMESPACE, '--create-namespace', '--take-ownership', '--wait', '--timeout=90s'];
  const set = values.flatMap((value) => ['--set', value]);
  succeeded(await cluster.helm(['install', 'sluice', CHART, ...words, ...set]));
  await until('the webhook configurations', async () => {
    const named = [
      'mutatingwebhookconfiguration/zz-sluice-mutating',
      'validatingwebhookconfiguration/zz-sluice-validating',
    ];
    return (await cluster.kubectl(['get', ...named])).exitCode === 0;
  });
  const user = `system:serviceaccount:${NAMESPACE}:sluice-controller`;
  const connection = connect({ kubeconfig: await cluster.as(user), env: {} });
  return {
    namespace: NAMESPACE,
    controller: new Client(connection),
    async uninstall() {
      connection.close();
      succeeded(await cluster.helm(['uninstall', 'sluice', '--namespace', NAMESPACE, '--wait']));
    },
  };
}
