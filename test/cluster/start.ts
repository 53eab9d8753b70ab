import { mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { RESOURCES } from '../../src/kube/resource.ts';
import { buildPrograms, type Programs } from './build.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { startKubelet } from './kubelet/kubelet.ts';
import { createNodes } from './nodes.ts';
import { serveNames } from './services/name-server.ts';
import { ServiceProxy } from './services/proxy.ts';
import { followServices } from './services/service-table.ts';
import { runFolder } from './settings.ts';
import { until } from './until.ts';

/** What other processes need to know of a running cluster; plain data. */
export type ClusterFacts = {
  /** Data, logs and credentials of this run. */
  readonly folder: string;
  /** The administrator's. */
  readonly kubeconfig: string;
  /** PEM file: who signed the API server's certificate. */
  readonly authority: string;
  /** A folder with kubectl, helm and the other programs. */
  readonly bin: string;
  /** `POST /restart-api-server` there. */
  readonly controlUrl: string;
};

export type RunningCluster = { readonly facts: ClusterFacts; stop(): Promise<void> };

/**
 * Starts a cluster; returns when pods can be created in its namespace `default`.
 * @throws outside of the namespaces of `enter.ts`
 */
export async function startCluster(): Promise<RunningCluster> {
  const folder = runFolder();
  if (folder === undefined) {
    throw new Error('a cluster needs namespaces of its own: use `npm run test:e2e` or `npm run cluster`');
  }
  const programs = await buildPrograms(); // built already; gives their paths
  const report = (message: unknown): void => void process.stderr.write(`test cluster: ${message}\n`);
  const controlPlane = await startControlPlane(folder, programs, report);
  const { client, connection, credentials } = controlPlane;
  await createNodes(client);
  const kubelet = await startKubelet({
    client,
    connection,
    folder: join(folder, 'pods'),
    tls: credentials,
    onFailure: report,
  });
  const table = followServices(client, () => proxy.update());
  const proxy = new ServiceProxy(table);
  table.finished.catch(report);
  const names = await serveNames(table);
  const control = await serveControl(controlPlane);
  await until('the controllers to start', () =>
    client.get(RESOURCES.configMap, { namespace: 'default', name: 'kube-root-ca.crt' }),
  );
  const facts = {
    folder,
    kubeconfig: credentials.kubeconfigs.admin,
    authority: credentials.authority,
    bin: linkPrograms(join(folder, 'bin'), programs),
    controlUrl: control.url,
  };
  return {
    facts,
    async stop() {
      control.close();
      table.close();
      names.close();
      proxy.close();
      await kubelet.stop();
      await controlPlane.stop();
    },
  };
}

function linkPrograms(folder: string, programs: Programs): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(folder, name));
  return folder;
}

/** Tests run in other processes than the cluster: what they may do to it goes through here. */
async function serveControl({ restartApiServer }: ControlPlane): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const known = request.method === 'POST' && request.url === '/restart-api-server';
    if (!known) response.writeHead(404).end();
    else {
      restartApiServer().then(
        () => response.end(),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}
