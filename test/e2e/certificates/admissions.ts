import { connect as connectTls } from 'node:tls';
import { at, stringAt } from '../../../src/json/value.ts';
import { Client } from '../../../src/kube/client.ts';
import { type Connection, connect } from '../../../src/kube/connection.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { virtualService } from '../drift/objects.ts';
import { podsOfHalf } from '../faults/processes.ts';
import { nameIn } from '../faults/shop.ts';
import type { Shop } from '../release/shop.ts';
import { startLoad } from './load.ts';

const WORKERS = 4;
const INTERVAL = 250;

/**
 * Edits the VirtualService of a shop in step 1 over and over as dry runs, on several connections: each is an admission by our webhook, whose
 * answer shows, since the weight that the edit takes away is there again.
 */
export function startAdmissions({ kubeconfig }: Cluster, shop: Shop) {
  const connections: Connection[] = Array.from({ length: WORKERS }, () => connect({ kubeconfig, env: {} }));
  const clients = connections.map((connection) => new Client(connection));
  const { resource, rewritten } = virtualService;
  let count = 0;
  const load = startLoad({
    workers: WORKERS,
    interval: INTERVAL,
    async write(worker) {
      const hosts = [`web-${count++}.example.com`];
      const http = [{ name: 'web', route: [{ destination: { host: 'web' } }] }];
      const patch = { spec: { hosts, http: [virtualServiceRule(), ...http] } };
      const client = clients[worker] as Client;
      const stored = await client.patch(resource, nameIn(shop), 'merge', patch, { dryRun: true });
      const weight = at(stored, rewritten.path);
      if (weight !== rewritten.value) throw new Error(`admitted, but the weight is ${String(weight)}`);
    },
  });
  return {
    quiet: load.quiet,
    async stop() {
      const result = await load.stop();
      for (const connection of connections) connection.close();
      return result;
    },
  };
}

function virtualServiceRule() {
  return { name: 'api', match: [{ uri: { prefix: '/api' } }], route: [{ destination: { host: 'api' } }] };
}

/** The CAs that API servers are told to trust, in PEM. */
export async function carriedBundle({ client }: Cluster): Promise<string> {
  const name = { name: 'zz-sluice-mutating' };
  const configuration = await client.get(RESOURCES.mutatingWebhookConfiguration, name);
  const bundle = stringAt(at(configuration, ['webhooks', 0]), 'clientConfig', 'caBundle') ?? '';
  return Buffer.from(bundle, 'base64').toString();
}

/**
 * Shakes hands with every ready webhook as an API server does that has just read the configuration: whoever does so at
 * any moment has to succeed. @returns the fingerprints of the certificates served
 */
export async function shakeHands(cluster: Cluster, namespace: string): Promise<string[]> {
  const pods = (await podsOfHalf(cluster, namespace, 'webhook')).filter(
    ({ isReady, isEnding }) => isReady && !isEnding,
  );
  const ca = await carriedBundle(cluster);
  return Promise.all(pods.map(({ ip }) => handshake(ip, ca, `sluice-webhook.${namespace}.svc`)));
}

function handshake(host: string, ca: string, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: 9443, ca, servername, timeout: 10_000 }, () => {
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      resolve(fingerprint256);
    });
    socket.on('error', reject);
    socket.on('timeout', () => socket.destroy(new Error(`${host}: no handshake within 10 s`)));
  });
}
