import { outcomeOf } from '../../../src/kube/api-error.ts';
import { Client } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connection.ts';
import { electLeader, type LeaseTimes } from '../../../src/kube/lease.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';

/**
 * A process that takes part in an election, and as the leader writes its name into a ConfigMap as fast as it can, each
 * write on what it read before. It tells on standard output what happens, one JSON object a line.
 */
const [kubeconfig = '', namespace = '', identity = '', timesText = '{}'] = process.argv.slice(2);
const times: LeaseTimes = JSON.parse(timesText);
const name = { namespace, name: 'written' };

function tell(what: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ what, ...more })}\n`);
}

const connection = connect({ kubeconfig, env: {} });
const election = electLeader(new Client(connection), {
  namespace,
  name: 'election',
  identity,
  times,
  onStartedLeading: (signal) => {
    tell('started');
    void write(signal);
  },
  onStoppedLeading: (reason) => tell('stopped', { reason }),
});
const fenced = new Client(connection, { beforeWrite: election.fence });

async function write(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const before = await fenced.get(RESOURCES.configMap, name);
      await fenced.replace(RESOURCES.configMap, { ...before, data: { writer: identity } });
      tell('wrote');
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome === undefined) throw error;
      tell('refused', { outcome, error: (error as Error).name });
    }
  }
}

process.on('SIGTERM', () => {
  void election.close().then(() => connection.close());
});
tell('ready');
