import { Client } from '../kube/client.ts';
import { loadLibrary } from '../lua/library.ts';
import { type Log, openLog } from '../server/log.ts';
import { checkSettings } from '../server/settings.ts';
import { fileCertificates } from '../tls/files.ts';
import type { CertificateSource } from '../tls/source.ts';
import { watchedCertificates } from '../tls/watched-secret.ts';
import { watchInventory } from '../webhook/inventory.ts';
import { openWebhook } from '../webhook/open.ts';
import { secretWatch } from '../webhook/serving-secret.ts';
import { openConnection } from './cluster-access.ts';
import { type ClusterFlags, type WebhookSettings, webhookSettings } from './cluster-settings.ts';
import { ended } from './ended.ts';
import type { Surroundings } from './terminal.ts';
import { EXIT } from './usage-error.ts';

/**
 * `sluice webhook`: the webhook in a cluster, until a signal ends it. Listens once it has a certificate; is ready once it
 * knows the Rollouts and scripts.
 * @returns the exit code: 0 when everything that ran was finished, 1 when something was cut off.
 * @throws UsageError for settings that are wrong, or when there is no cluster to speak to.
 */
export async function webhook(flags: ClusterFlags, surroundings: Surroundings): Promise<number> {
  const settings = webhookSettings(flags, surroundings.env);
  const { log, flush } = openLog(settings.logLevel);
  const client = new Client(openConnection(settings.kubeconfig, surroundings));
  const inventory = watchInventory({
    client,
    namespace: settings.namespace,
    onProblem: (problem) => log.error({ err: problem }, 'a pinned script cannot be used'),
    onUnwatched: (reason) => log.warn({ reason }, 'a watch cannot be kept now'),
  });
  log.info({ server: client.server, namespace: settings.namespace }, 'starting');
  flush();
  const waiting = new AbortController();
  const certificates = openCertificates(settings, client, waiting.signal, log);
  try {
    // A signal that comes while the first certificate is waited for ends the wait.
    let close = (): Promise<'finished' | 'cut off'> => {
      waiting.abort();
      return Promise.resolve('finished');
    };
    const end = ended(() => close(), surroundings, log);
    const opened = await openWebhook({
      settings: checkSettings(settings.server),
      certificates,
      log,
      controllerUser: settings.controllerUser,
      library: loadLibrary(),
      inventory,
      failurePolicies: {
        gateway: settings.failurePolicies.gateways,
        workload: settings.failurePolicies.workloads,
        pod: settings.failurePolicies.pods,
      },
      notReady: () => inventory.notReady(),
    });
    close = () => opened.close();
    flush();
    return await end;
  } catch (error) {
    if (waiting.signal.aborted) return EXIT.fine;
    throw error;
  } finally {
    inventory.close();
    certificates.then(
      (source) => source.close(),
      () => undefined, // it is told above
    );
    flush();
  }
}

/** The Secret that the controller keeps, or the files that cert-manager keeps. */
function openCertificates(
  { certificateFiles, namespace }: WebhookSettings,
  client: Client,
  signal: AbortSignal,
  log: Log,
): Promise<CertificateSource> {
  const onProblem = (problem: Error) => log.warn({ err: problem }, 'no new certificate');
  if (certificateFiles === undefined) {
    const onUnwatched = (reason: string) => log.warn({ reason }, 'a watch cannot be kept now');
    return watchedCertificates({ secrets: secretWatch(client, namespace, onUnwatched), onProblem, signal });
  }
  return Promise.resolve().then(() => fileCertificates({ ...certificateFiles, onProblem }));
}
