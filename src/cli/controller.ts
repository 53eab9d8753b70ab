import { outcomeOf } from '../kube/api-error.ts';
import { Client } from '../kube/client.ts';
import { counted } from '../kube/counted.ts';
import { Backoff, Pause } from '../kube/pause.ts';
import { loadLibrary } from '../lua/library.ts';
import { type Manager, openManager } from '../manager/manager.ts';
import { findPredecessor, predecessorMessage } from '../registration/predecessor.ts';
import { OUTCOMES } from '../release/record.ts';
import { STYLES } from '../rewrite/directive.ts';
import { openLog } from '../server/log.ts';
import { openManagerMetrics } from '../server/manager-metrics.ts';
import { listenPlain } from '../server/plain.ts';
import { openConnection } from './cluster-access.ts';
import { type ClusterFlags, controllerSettings } from './cluster-settings.ts';
import { ended } from './ended.ts';
import type { Surroundings } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

/** Milliseconds between two questions to a cluster that does not answer. */
const LEAST_WAIT = 500;
const LONGEST_WAIT = 10_000;

const EMPTY_QUEUE = { ready: 0, working: 0, waiting: 0 };

/**
 * `sluice controller`: waits for the Lease, then keeps certificates, webhook configurations and Rollouts, until a signal
 * ends it, or the Lease is lost: then the process exits with 1, and a new one begins with nothing remembered.
 * @returns the exit code after a signal
 * @throws UsageError for settings that are wrong, when there is no cluster, or OpenKruise's manager runs in it
 */
export async function controller(flags: ClusterFlags, surroundings: Surroundings): Promise<number> {
  const settings = controllerSettings(flags, surroundings.env);
  let manager: Manager | undefined;
  const metrics = openManagerMetrics({
    isLeading: () => manager?.isLeading() ?? false,
    isCalled() {
      const calling = manager?.term()?.registration.state().calling ?? 'undecided';
      return calling === 'undecided' ? undefined : calling === 'called';
    },
    queue: () => manager?.term()?.controller.queueSize() ?? EMPTY_QUEUE,
    rollouts: () => manager?.term()?.controller.figures() ?? [],
    known: { styles: STYLES, outcomes: OUTCOMES },
  });
  const open = () => counted(openConnection(settings.kubeconfig, surroundings), metrics.called);
  const connection = open();
  const leaseConnection = open();
  const { log, flush } = openLog(settings.logLevel);
  log.info({ server: connection.server, namespace: settings.namespace }, 'starting');
  flush();
  const plain = await listenPlain(
    {
      log,
      metrics,
      notReady: () => (manager === undefined ? 'starting' : manager.notReady()),
    },
    { host: settings.plain.plainHost, port: settings.plain.plainPort },
  );
  const stopping = new AbortController();
  const end = ended(
    async () => {
      stopping.abort();
      await manager?.close();
      return 'finished';
    },
    surroundings,
    log,
  );
  try {
    // It may take long: the cluster may be starting as well.
    const refused = refusePredecessor(new Client(connection), stopping.signal, () => {
      log.warn({ server: connection.server }, 'the cluster does not answer, and is asked again');
      flush();
    });
    await Promise.race([refused, end]);
    if (stopping.signal.aborted) return await end;
    manager = openManager({
      connection,
      leaseConnection,
      settings: { ...settings, authorityFile: settings.certificateFiles?.authorityFile },
      library: loadLibrary(),
      log,
      measuring: metrics,
      onEnd(reason) {
        log.error({ reason }, 'ending');
        flush();
        // At once: what it watches would keep the process alive, and an end in order waits for an API server that may be gone.
        surroundings.exit(EXIT.findings);
      },
    });
    flush();
    return await end;
  } finally {
    plain.close();
    connection.close();
    leaseConnection.close();
    flush();
  }
}

/** Calls `onWait` each time that the cluster does not answer: it may be starting as well. @throws UsageError */
async function refusePredecessor(client: Client, signal: AbortSignal, onWait: () => void): Promise<void> {
  const backoff = new Backoff(LEAST_WAIT, LONGEST_WAIT);
  const pause = new Pause();
  while (!signal.aborted) {
    try {
      const predecessor = await findPredecessor(client);
      if (predecessor !== undefined) throw new UsageError(predecessorMessage(predecessor));
      return;
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome === undefined) throw error;
      if (outcome !== 'passing') throw new UsageError((error as Error).message, { cause: error });
    }
    onWait();
    await pause.wait(backoff.next(), signal);
  }
}
