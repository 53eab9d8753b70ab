import type { Client } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { RESOURCES } from '../kube/resource.ts';
import type { Registration } from '../registration/keeper.ts';
import { SERVICE } from '../registration/render.ts';
import { fileBundle } from '../tls/bundle-file.ts';
import { keepCertificates } from '../tls/keeper.ts';
import { DEFAULT_LIFETIMES } from '../tls/pace.ts';
import { AUTHORITY_SECRET, SERVING_SECRET } from '../tls/secrets.ts';
import type { ManagerLog, ManagerSettings } from './manager.ts';
import { secretStore } from './secret-store.ts';

export type CertificatesOptions = {
  readonly client: Client;
  readonly settings: ManagerSettings;
  readonly registration: Pick<Registration, 'trust' | 'inUse'>;
  readonly log: ManagerLog;
  /** Told why a watch of the Secrets cannot be kept. */
  readonly onUnwatched: (reason: string) => void;
  /** Told of a fault of ours, by which a watch has ended for good. */
  readonly onFault: (error: unknown) => void;
};

/** A serving certificate lives a third of its CA's life, so that the CA's end never cuts it short. */
const SERVING_SHARE = 3;

/**
 * Keeps the certificates of the webhooks, or follows those that cert-manager keeps, and has the registration trust their
 * CAs. Returns what ends that.
 * @throws where the file of cert-manager is missing or wrong
 */
export function openCertificates(options: CertificatesOptions): () => Promise<void> {
  const { authorityFile } = options.settings;
  return authorityFile === undefined ? keep(options) : follow(options, authorityFile);
}

function keep({ client, settings, registration, log, onUnwatched, onFault }: CertificatesOptions): () => Promise<void> {
  const { namespace, certificateLifetime } = settings;
  const keeper = keepCertificates({
    settings: {
      ...DEFAULT_LIFETIMES,
      hosts: [`${SERVICE}.${namespace}.svc`, `${SERVICE}.${namespace}.svc.cluster.local`],
      authorityLifetime: certificateLifetime,
      servingLifetime: certificateLifetime / SERVING_SHARE,
    },
    secrets: secretStore(client, namespace),
    inUse: () => registration.inUse(),
    onWrite: ({ secret, reason, message }) => log.info({ secret, reason }, message),
    onProblem: (problem) => log.warn({ err: problem }, 'the certificates cannot be looked after now'),
  });
  const stop = keeper.onTrusted((bundle) => registration.trust(bundle));
  // Somebody who deletes or edits a Secret is answered at once.
  const watches = [AUTHORITY_SECRET, SERVING_SECRET].map((name) => {
    const selection = { namespace, fieldSelector: `metadata.name=${name}` };
    const reflector = new Reflector({ client, resource: RESOURCES.secret, selection, trim: () => true });
    reflector.store.onChange(() => void keeper.check());
    reflector.onState(({ message }) => message !== '' && onUnwatched(message));
    reflector.finished.catch(onFault);
    return reflector;
  });
  return async () => {
    stop();
    for (const watch of watches) watch.close();
    await keeper.close();
  };
}

function follow({ registration, log }: CertificatesOptions, file: string): () => Promise<void> {
  const bundle = fileBundle({
    file,
    onProblem: (problem) => log.error({ err: problem }, "cert-manager's CA cannot be used"),
  });
  const stop = bundle.onTrusted((text) => registration.trust(text));
  return () => {
    stop();
    bundle.close();
    return Promise.resolve();
  };
}
