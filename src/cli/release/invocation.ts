import { Client } from '../../kube/client.ts';
import type { Connection } from '../../kube/connection.ts';
import { openConnection } from '../cluster-access.ts';
import type { Context } from '../command.ts';
import { openProgress } from '../progress.ts';
import type { Channel, Surroundings, Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { Requests } from './requests.ts';

/** Which cluster and namespace a command is about. */
export type AccessFlags = {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
};

/** What a command for releases works with. */
export type Invocation = {
  readonly requests: Requests;
  readonly namespace: string;
  readonly terminal: Terminal;
  readonly surroundings: Surroundings;
  readonly now: () => Date;
};

/**
 * Opens a connection for one command and closes it again.
 * @returns the exit code
 * @throws UsageError when there is no cluster to speak to
 */
export async function inCluster(
  flags: AccessFlags,
  { surroundings, terminal }: Context,
  work: (invocation: Invocation) => Promise<number>,
): Promise<number> {
  const connection = openConnection(flags.kubeconfig, surroundings, flags.context);
  const progress = openProgress(terminal.err);
  const client = new Client(withWarnings(connection, terminal.err));
  try {
    const namespace = flags.namespace ?? connection.namespace ?? 'default';
    if (!NAME.test(namespace)) throw new UsageError(`"${namespace}" cannot be the name of a namespace`);
    const requests = new Requests(client, progress);
    return await work({ requests, namespace, terminal, surroundings, now: () => new Date() });
  } finally {
    progress.end();
    connection.close();
  }
}

/** What names of objects are made of (RFC 1123 subdomain). */
const NAME = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;

/** A name as kubectl takes it, with or without the kind: `web`, `rollout/web`. @throws UsageError for another kind */
export function rolloutName(text: string): string {
  const name = text.replace(/^rollouts?(\.rollouts\.kruise\.io)?\//i, '');
  if (NAME.test(name)) return name;
  throw new UsageError(`${text} is no Rollout: write its name, or rollout/NAME`);
}

/** The same connection; warnings of the API server and of admission are shown once, as kubectl shows them. */
function withWarnings(connection: Connection, err: Channel): Connection {
  const shown = new Set<string>();
  return {
    ...connection,
    async send(call) {
      const response = await connection.send(call);
      for (const text of warningsIn(response.headers['warning'])) {
        if (shown.has(text)) continue;
        shown.add(text);
        err.line(`${err.paint('yellow', 'Warning:')} ${text}`);
      }
      return response;
    },
  };
}

/** The texts of `Warning` headers: `299 - "text", 299 - "another"` (RFC 9111 §5.5, as Kubernetes writes them). */
export function warningsIn(header: string | string[] | undefined): string[] {
  const whole = Array.isArray(header) ? header.join(', ') : (header ?? '');
  return [...whole.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}
