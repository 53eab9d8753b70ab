import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../../src/kube/client.ts';
import { type Connection, connect } from '../../src/kube/connection.ts';
import type { Programs } from './build.ts';
import { type Credentials, writeCredentials } from './credentials.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { API_SERVER, ETCD_URL, POD_RANGE, SERVICE_RANGE } from './network.ts';

/** etcd, API server, controller manager and scheduler: the real ones. */
export type ControlPlane = {
  readonly credentials: Credentials;
  /** The administrator's. */
  readonly client: Client;
  readonly connection: Connection;
  /** Ends the API server as its node's restart would, and returns when the next one is ready. */
  restartApiServer(): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Starts a control plane; returns when its API server is ready and its controllers run.
 * @param folder where its data, credentials and logs go
 * @param onDeath told when one of its programs ends by itself
 */
export async function startControlPlane(
  folder: string,
  programs: Programs,
  onDeath: (message: string) => void,
): Promise<ControlPlane> {
  const credentials = await writeCredentials(join(folder, 'credentials'));
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const start = (name: string, args: readonly string[]): Daemon =>
    startDaemon({ name, path: programs[name] ?? name, args, log: join(folder, 'logs', `${name}.log`), onDeath });
  const connection = connect({ kubeconfig: credentials.kubeconfigs.admin, env: {}, userAgent: 'test-cluster' });

  const startApiServer = async (): Promise<Daemon> => {
    const daemon = start('kube-apiserver', apiServerArgs(credentials));
    await daemon.ready(() => isReady(connection));
    return daemon;
  };
  const etcd = start('etcd', etcdArgs(join(folder, 'etcd')));
  let apiServer = await startApiServer();
  const controllers = [
    start('kube-controller-manager', controllerManagerArgs(credentials)),
    start('kube-scheduler', schedulerArgs(credentials)),
  ];
  return {
    credentials,
    client: new Client(connection),
    connection,
    async restartApiServer() {
      await apiServer.stop();
      apiServer = await startApiServer();
    },
    async stop() {
      connection.close();
      await Promise.all([...controllers, apiServer, etcd].map((daemon) => daemon.stop()));
    },
  };
}

async function isReady(connection: Connection): Promise<boolean> {
  const response = await connection.send({ method: 'GET', path: '/readyz' });
  response.resume();
  return response.statusCode === 200;
}

function etcdArgs(data: string): string[] {
  return [
    `--data-dir=${data}`,
    '--unsafe-no-fsync', // nothing of a test cluster has to outlive the machine
    `--listen-client-urls=${ETCD_URL}`,
    `--advertise-client-urls=${ETCD_URL}`,
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--log-level=warn',
  ];
}

function apiServerArgs({ certificate, key, authority, serviceAccountKey, tokens }: Credentials): string[] {
  return [
    `--etcd-servers=${ETCD_URL}`,
    `--bind-address=${API_SERVER.host}`,
    `--advertise-address=${API_SERVER.host}`,
    `--secure-port=${API_SERVER.port}`,
    `--tls-cert-file=${certificate}`,
    `--tls-private-key-file=${key}`,
    `--service-cluster-ip-range=${SERVICE_RANGE}`,
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${serviceAccountKey}`,
    `--service-account-signing-key-file=${serviceAccountKey}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--kubelet-certificate-authority=${authority}`,
    // Webhooks that name a Service are sent to its endpoints: there is no kube-proxy here.
    '--enable-aggregator-routing=true',
  ];
}

function controllerManagerArgs({ kubeconfigs, serviceAccountKey, authority }: Credentials): string[] {
  return [
    `--kubeconfig=${kubeconfigs['controller-manager']}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${serviceAccountKey}`,
    `--root-ca-file=${authority}`,
    `--cluster-cidr=${POD_RANGE}`,
    // The nodes have no heartbeat, addresses of their own, and no routes.
    '--controllers=*,-node-lifecycle-controller,-node-ipam-controller,-node-route-controller',
    '--bind-address=127.0.0.1',
    // By default 20 requests a second, in which a thousand Deployments of a test hold everything up for minutes.
    '--kube-api-qps=300',
    '--kube-api-burst=600',
  ];
}

function schedulerArgs({ kubeconfigs }: Credentials): string[] {
  return [`--kubeconfig=${kubeconfigs.scheduler}`, '--leader-elect=false', '--bind-address=127.0.0.1'];
}
