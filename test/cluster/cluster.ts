import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, inject } from 'vitest';
import { Client } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { type CommandOptions, type CommandResult, runProgram } from './command.ts';
import { kubeconfig as kubeconfigText } from './credentials.ts';
import type { ClusterFacts } from './start.ts';
import { until } from './until.ts';

/** The running cluster, as tests use it. */
export type Cluster = {
  readonly facts: ClusterFacts;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** The administrator's client. */
  readonly client: Client;
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  helm(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** `kubectl apply -f -`; @throws with kubectl's words when it fails */
  apply(namespace: string, ...objects: readonly object[]): Promise<void>;
  /** Creates a namespace with a fresh name, which is deleted after the last test of the file. */
  namespace(): Promise<string>;
  /**
   * The path of a kubeconfig of another user: `system:serviceaccount:<namespace>:<name>` by a real token of it, any
   * other by impersonation, with `groups` (`system:authenticated` is always among them).
   */
  as(user: string, groups?: readonly string[]): Promise<string>;
  /** Ends the API server and returns when it is ready again. Watches break, as at an upgrade of the control plane. */
  restartApiServer(): Promise<void>;
};

/** To be called at the top of a test file: what tests make is cleaned up after the file's last test. */
export function cluster(): Cluster {
  const facts = inject('cluster');
  const connection = connect({ kubeconfig: facts.kubeconfig, env: {}, userAgent: 'e2e-tests' });
  const kubectl: Cluster['kubectl'] = (args, options) => runProgram(facts, 'kubectl', args, options);
  const made: string[] = [];
  afterAll(async () => {
    if (made.length > 0) await kubectl(['delete', 'namespace', '--wait=false', ...made]);
    connection.close();
  });
  return {
    facts,
    kubeconfig: facts.kubeconfig,
    client: new Client(connection),
    kubectl,
    helm: (args, options) => runProgram(facts, 'helm', args, options),
    async apply(namespace, ...objects) {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      succeeded(await kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: JSON.stringify(list) }));
    },
    async namespace() {
      const name = `test-${randomBytes(4).toString('hex')}`;
      succeeded(await kubectl(['create', 'namespace', name]));
      made.push(name);
      await until(`the service account of ${name}`, async () => {
        const { exitCode } = await kubectl(['get', 'serviceaccount', 'default', '-n', name]);
        return exitCode === 0;
      });
      return name;
    },
    as: (user, groups) => writeKubeconfig(facts, kubectl, user, groups),
    async restartApiServer() {
      const response = await fetch(`${facts.controlUrl}/restart-api-server`, { method: 'POST' });
      if (!response.ok) throw new Error(await response.text());
    },
  };
}

/**
 * The output of a command that has to succeed.
 * @throws with what it wrote on its standard error
 */
export function succeeded({ stdout, stderr, exitCode }: CommandResult): string {
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}${stdout}`);
  return stdout;
}

async function writeKubeconfig(
  facts: ClusterFacts,
  kubectl: Cluster['kubectl'],
  user: string,
  groups: readonly string[] = [],
): Promise<string> {
  const [, account] = user.split('system:serviceaccount:');
  const path = join(facts.folder, `user-${randomBytes(6).toString('hex')}.kubeconfig`);
  const authority = readFileSync(facts.authority, 'utf8');
  if (account !== undefined) {
    const [namespace = '', name = ''] = account.split(':');
    const token = succeeded(await kubectl(['create', 'token', '-n', namespace, name])).trim();
    writeFileSync(path, kubeconfigText({ authority, user: { token } }));
  } else {
    const config = JSON.parse(readFileSync(facts.kubeconfig, 'utf8'));
    const { token } = config.users[0].user;
    writeFileSync(path, kubeconfigText({ authority, user: { token, as: user, 'as-groups': groups } }));
  }
  return path;
}
