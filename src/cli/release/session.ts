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

export type OutputFlags = { readonly output?: 'text' | 'json' };

/** What a command for releases works with. */
export type Session = {
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
  work: (session: Session) => Promise<number>,
): Promise<number> {
  const connection = openConnection(flags.kubeconfig, surroundings, flags.context);
  const progress = openProgress(terminal.err);
  const client = new Client(withWarnings(connection, terminal.err));
  try {
    const namespace = flags.namespace ?? connection.namespace ?? 'default';
    const requests = new Requests(client, progress);
    return await work({ requests, namespace, terminal, surroundings, now: () => new Date() });
  } finally {
    progress.end();
    connection.close();
  }
}

/** A name as kubectl takes it, with or without the kind: `web`, `rollout/web`. @throws UsageError for another kind */
export function rolloutName(text: string): string {
  const [kind = '', name] = text.split('/');
  if (name === undefined) return text;
  if (/^rollouts?(\.rollouts\.kruise\.io)?$/i.test(kind) && name !== '') return name;
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
