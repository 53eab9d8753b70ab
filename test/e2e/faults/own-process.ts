import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../../cluster/cluster.ts';
import { CHECKOUT } from '../../cluster/settings.ts';

/** A `sluice controller` that the test started, outside of any pod. */
export type OwnController = {
  log(): string;
  /** Null while it runs. */
  exitCode(): number | null;
  signal(signal: NodeJS.Signals): void;
  /** Ends it and waits for that. */
  stop(): Promise<void>;
};

export type OwnOptions = {
  readonly namespace: string;
  /** What stands before the API server, and the PEM of who signed its certificate. */
  readonly proxy: { readonly url: string; readonly authority: string };
  /** Told apart in the Lease and in logs. */
  readonly name: string;
  /** A pod address that nobody has. */
  readonly address: string;
};

/** Starts the controller with a kubeconfig of its service account. */
export async function startOwnController(cluster: Cluster, options: OwnOptions): Promise<OwnController> {
  const { namespace, proxy, name, address } = options;
  const kubeconfig = JSON.parse(
    readFileSync(await cluster.as(`system:serviceaccount:${namespace}:sluice-controller`), 'utf8'),
  );
  const file = join(cluster.facts.folder, `${name}.kubeconfig`);
  const [entry] = kubeconfig.clusters;
  writeFileSync(
    file,
    JSON.stringify({
      ...kubeconfig,
      clusters: [
        {
          ...entry,
          cluster: { server: proxy.url, 'certificate-authority-data': Buffer.from(proxy.authority).toString('base64') },
        },
      ],
    }),
  );
  const path = join(cluster.facts.folder, `${name}.log`);
  const output = openSync(path, 'a');
  const env = { KUBECONFIG: file, SLUICE_NAMESPACE: namespace, SLUICE_POD_NAME: name, SLUICE_METRICS_HOST: address };
  const program = [join(CHECKOUT, 'bin/sluice.js'), 'controller'];
  const child = spawn(process.execPath, program, { env, stdio: ['ignore', output, output] });
  closeSync(output);
  return {
    log: () => readFileSync(path, 'utf8'),
    exitCode: () => child.exitCode,
    signal: (signal) => void child.kill(signal),
    stop: () => stopped(child),
  };
}

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.on('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
