import type { FailurePolicy } from '../admission/route.ts';
import type { Log } from '../controller/api.ts';
import type { Measuring } from '../controller/measuring.ts';
import { Client } from '../kube/client.ts';
import type { Connection } from '../kube/connection.ts';
import { electLeader, leaseIdentity } from '../kube/lease.ts';
import type { Library } from '../lua/library.ts';
import { openTerm, type Term } from './term.ts';

export type ManagerLog = Log;

export type ManagerSettings = {
  /** The namespace that Sluice is installed in. */
  readonly namespace: string;
  readonly podName: string;
  readonly failurePolicies: Readonly<Record<'gateways' | 'workloads' | 'pods', FailurePolicy>>;
  readonly excludedNamespaces: readonly string[];
  /** Of the CA, in milliseconds. */
  readonly certificateLifetime: number;
  /** cert-manager's `ca.crt`; undefined where Sluice keeps certificates itself. */
  readonly authorityFile: string | undefined;
};

export type ManagerParts = {
  readonly connection: Connection;
  /** For the Lease alone: requests that hang, or sockets that died unnoticed, must not keep it from being renewed. */
  readonly leaseConnection: Connection;
  readonly settings: ManagerSettings;
  readonly library: Library;
  readonly log: ManagerLog;
  readonly measuring?: Measuring;
  /**
   * Called when the process has to end: it lost the Lease, or has a fault of ours. What it did as a leader has been
   * stopped by its fence; a new process starts without any of its memory.
   */
  readonly onEnd: (reason: string) => void;
};

export type Manager = {
  /** Why it is not ready, or undefined: a process that waits for the Lease is. */
  notReady(): string | undefined;
  isLeading(): boolean;
  /** What it runs as a leader. */
  term(): Term | undefined;
  close(): Promise<void>;
};

/** The one Lease of a cluster's Sluice, in its namespace. */
const LEASE = 'sluice-controller';

/** Takes part in the election, and runs a {@link Term} when it is elected. It is elected once at most. */
export function openManager(parts: ManagerParts): Manager {
  const { connection, leaseConnection, settings, library, log, measuring, onEnd } = parts;
  let term: Term | undefined;
  let closing = false;
  const end = (reason: string): void => {
    if (!closing) onEnd(reason);
  };
  const onFault = (error: unknown): void => {
    log.error({ err: error }, 'a fault of Sluice itself');
    end('a fault of Sluice itself');
  };
  const election = electLeader(new Client(leaseConnection), {
    namespace: settings.namespace,
    name: LEASE,
    identity: leaseIdentity(settings.podName),
    onStartedLeading: () => {
      log.info({ lease: LEASE }, 'leading');
      const client = new Client(connection, { beforeWrite: election.fence });
      try {
        term = openTerm({ client, settings, library, log, onFault, ...(measuring === undefined ? {} : { measuring }) });
      } catch (error) {
        onFault(error);
      }
    },
    onStoppedLeading: (reason) => end(`the Lease ${LEASE} is lost: ${reason}`),
    onProblem: (error) => log.warn({ err: error }, 'the Lease cannot be read or renewed'),
  });
  election.finished.catch(onFault);
  return {
    notReady: () => (election.holder() === '' ? 'nobody leads yet' : undefined),
    isLeading: () => election.isLeading(),
    term: () => term,
    async close() {
      closing = true;
      await term?.close();
      await election.close();
    },
  };
}
