import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../src/kube/client.ts';
import { type Connection, connect } from '../../src/kube/connection.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { CHART } from '../../test/chart/rendered.ts';
import { buildPrograms } from '../../test/cluster/build.ts';
import { succeeded } from '../../test/cluster/cluster.ts';
import { type CommandOptions, type CommandResult, runProgram } from '../../test/cluster/command.ts';
import { startControlPlane } from '../../test/cluster/control-plane.ts';
import { kubeconfig } from '../../test/cluster/credentials.ts';
import { definitionsPath } from '../../test/cluster/definitions.ts';
import { ADDRESSES, type Half, NAMESPACE } from './sluice-process.ts';

/** A control plane without nodes: Sluice's halves are processes, known to it by an EndpointSlice. */
export type BenchCluster = {
  readonly folder: string;
  /** The administrator's. */
  readonly client: Client;
  readonly connection: Connection;
  readonly authority: string;
  readonly token: string;
  /** The path of the administrator's kubeconfig. */
  readonly admin: string;
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Paths of kubeconfigs of the chart's service accounts. */
  accounts(): Promise<Readonly<Record<Half, string>>>;
  /** Stops the work of Kubernetes' own controllers: ReplicaSets of thousands of Deployments, at 20 writes a second. */
  pauseControllers(): void;
};

/** Starts a control plane with Istio's definitions and the chart, without pods, and stops it after the work. */
export async function withCluster<T>(
  folder: string,
  excludedNamespaces: readonly string[],
  work: (cluster: BenchCluster) => Promise<T>,
): Promise<T> {
  mkdirSync(folder, { recursive: true });
  const programs = await buildPrograms(); // built already; gives their paths
  const plane = await startControlPlane(folder, programs, (message) => process.stderr.write(`${message}\n`));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(bin, name));
  const { credentials, client } = plane;
  const admin = credentials.kubeconfigs.admin;
  const facts = { folder, kubeconfig: admin, authority: credentials.authority, bin, controlUrl: '' };
  const authority = readFileSync(credentials.authority, 'utf8');
  const kubectl: BenchCluster['kubectl'] = (args, options) => runProgram(facts, 'kubectl', args, options);
  const cluster: BenchCluster = {
    folder,
    client,
    connection: connect({ kubeconfig: admin, env: {}, userAgent: 'bench' }),
    authority,
    admin,
    token: JSON.parse(readFileSync(admin, 'utf8')).users[0].user.token,
    kubectl,
    async accounts() {
      const write = async (half: Half) => {
        const created = await kubectl(['create', 'token', '-n', NAMESPACE, `sluice-${half}`, '--duration=24h']);
        const path = join(folder, `${half}.kubeconfig`);
        writeFileSync(path, kubeconfig({ authority, user: { token: succeeded(created).trim() } }));
        return path;
      };
      return { controller: await write('controller'), webhook: await write('webhook') };
    },
    pauseControllers: () => signalControllers('SIGSTOP'),
  };
  try {
    succeeded(await kubectl(['apply', '--server-side', '-f', definitionsPath('istio')]));
    const excluded = excludedNamespaces.map((name, i) => `excludedNamespaces[${i}]=${name}`);
    const values = ['webhook.replicas=0', 'controller.replicas=0', ...excluded];
    const set = values.flatMap((value) => ['--set', value]);
    const words = ['install', 'sluice', CHART, '--namespace', NAMESPACE, '--create-namespace', ...set];
    succeeded(await runProgram(facts, 'helm', words));
    await announce(cluster, {
      namespace: NAMESPACE,
      service: 'sluice-webhook',
      address: ADDRESSES.webhook,
      port: 9443,
    });
    return await work(cluster);
  } finally {
    cluster.connection.close();
    signalControllers('SIGCONT');
    await plane.stop();
  }
}

/** Says where a Service is that has no pods. */
export async function announce(
  { client }: Pick<BenchCluster, 'client'>,
  { namespace, service, address, port }: { namespace: string; service: string; address: string; port: number },
): Promise<void> {
  await client.create(RESOURCES.endpointSlice, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-bench`, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  });
}

/** The PID namespace holds this run alone. The kernel keeps 15 characters of a name. */
function signalControllers(signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (readFileSync(`/proc/${entry}/comm`, 'utf8').trim() === 'kube-controller') process.kill(Number(entry), signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')))
        throw error;
    }
  }
}
