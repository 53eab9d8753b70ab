import { Client } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { CHART } from '../chart/rendered.ts';
import { type Cluster, succeeded } from '../cluster/cluster.ts';
import { type Definitions, definitionsPath } from '../cluster/definitions.ts';
import { until } from '../cluster/until.ts';
import { scale } from './faults/processes.ts';

/** Sluice in the test cluster, by its chart. */
export type Installed = {
  readonly namespace: string;
  /** A client with the rights of Sluice's controller, by a token of its service account: it alone changes directives. */
  readonly controller: Client;
  /**
   * Takes the pods of the controller away, for files that prove what admission does: the controller would take directives
   * off again that tests write in its name, as those of a Rollout that is gone.
   */
  rest(): Promise<void>;
  uninstall(): Promise<void>;
};

/** Where users install it; the CRDs stay between two files of a run, so they are taken over. */
const NAMESPACE = 'sluice-system';

/** The chart's ten seconds would be waited for at the end of each file; those that replace webhooks under load set them. */
const BRIEF = 'webhook.drainSeconds=1';

export type InstallOptions = {
  /** Kinds of gateways that are there before Sluice is. */
  readonly gateways?: readonly Definitions[];
  /** As in `--set`. */
  readonly values?: readonly string[];
};

/** Installs the chart, waits for its pods, and until the webhooks are called. */
export async function installSluice(
  cluster: Cluster,
  { gateways = [], values = [] }: InstallOptions = {},
): Promise<Installed> {
  for (const name of gateways) {
    succeeded(await cluster.kubectl(['apply', '--server-side', '-f', definitionsPath(name)]));
  }
  const words = ['--namespace', NAMESPACE, '--create-namespace', '--take-ownership', '--wait', '--timeout=90s'];
  const set = [BRIEF, ...values].flatMap((value) => ['--set', value]);
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
  let isAtRest = false;
  return {
    namespace: NAMESPACE,
    controller: new Client(connection),
    async rest() {
      await scale(cluster, NAMESPACE, 0, ['controller']);
      isAtRest = true;
    },
    async uninstall() {
      connection.close();
      // The controller ends what it has begun in the cluster: the conversion of the CRD, which is there for other files.
      if (isAtRest) await scale(cluster, NAMESPACE, 1, ['controller']);
      succeeded(await cluster.helm(['uninstall', 'sluice', '--namespace', NAMESPACE, '--wait']));
    },
  };
}
