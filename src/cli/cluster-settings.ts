import { hostname } from 'node:os';
import { join } from 'node:path';
import type { FailurePolicy } from '../admission/route.ts';
import { controllerUser, DEFAULT_NAMESPACE } from '../api/names.ts';
import type { LogLevel } from '../server/log.ts';
import { CERTIFICATE_FILES } from '../tls/folder.ts';
import { type ListenFlags, plainPortSettings, webhookPortSettings } from './listen-settings.ts';
import { type Environment, SettingsReader } from './settings-reader.ts';

/** The flags of both halves of Sluice in a cluster. What only a pod can know comes by its environment alone. */
export type ClusterFlags = ListenFlags & {
  readonly kubeconfig?: string;
  readonly namespace?: string;
  readonly certs?: string;
  readonly logLevel?: string;
};

/** Where certificates come from: a Secret that the controller keeps, or files of cert-manager in a folder. */
export type CertificateFiles = {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly authorityFile: string;
};

type Common = {
  readonly kubeconfig: string | undefined;
  /** The namespace that Sluice is installed in. */
  readonly namespace: string;
  readonly certificateFiles: CertificateFiles | undefined;
  /** What the API server does where no webhook answers; the webhook answers its own failures accordingly. */
  readonly failurePolicies: Readonly<Record<'gateways' | 'workloads' | 'pods', FailurePolicy>>;
  readonly logLevel: LogLevel;
};

/** Everything that `sluice webhook` can be told, checked. */
export type WebhookSettings = Common & {
  readonly server: ReturnType<typeof webhookPortSettings>;
  /** `system:serviceaccount:<namespace>:<name>` of the controller: only it may change directives. */
  readonly controllerUser: string;
};

/** Everything that `sluice controller` can be told, checked. */
export type ControllerSettings = Common & {
  readonly plain: ReturnType<typeof plainPortSettings>;
  readonly podName: string;
  readonly excludedNamespaces: readonly string[];
  /** Of the CA, in milliseconds; serving certificates live a third of it. */
  readonly certificateLifetime: number;
};

/** In seconds. Serving certificates live a third of it, and X.509 counts whole seconds (`paceOf`). */
const SHORTEST_LIFETIME = 90;

/** @throws UsageError that lists everything that is wrong */
export function webhookSettings(flags: ClusterFlags, env: Environment): WebhookSettings {
  const reader = new SettingsReader(env);
  const common = commonSettings(reader, flags);
  const settings = {
    ...common,
    server: webhookPortSettings(reader, flags),
    controllerUser: reader.text({
      variable: 'SLUICE_CONTROLLER_USER',
      preset: controllerUser(common.namespace),
    }),
  };
  reader.end();
  return settings;
}

/** @throws UsageError that lists everything that is wrong */
export function controllerSettings(flags: ClusterFlags, env: Environment): ControllerSettings {
  const reader = new SettingsReader(env);
  const podName = reader.text({ variable: 'SLUICE_POD_NAME', preset: hostname() });
  const settings = {
    ...commonSettings(reader, flags),
    plain: plainPortSettings(reader, flags),
    podName,
    excludedNamespaces: reader.list({ variable: 'SLUICE_EXCLUDED_NAMESPACES' }),
    certificateLifetime: reader.duration(
      { variable: 'SLUICE_CERTIFICATE_LIFETIME', preset: '8760h' },
      SHORTEST_LIFETIME,
    ),
  };
  reader.end();
  return settings;
}

function commonSettings(reader: SettingsReader, flags: ClusterFlags): Common {
  const failurePolicy = (entry: 'GATEWAYS' | 'WORKLOADS' | 'PODS', preset: FailurePolicy): FailurePolicy =>
    reader.oneOf({ variable: `SLUICE_FAILURE_POLICY_${entry}`, preset }, ['Fail', 'Ignore']);
  const folder = reader.optional({ flag: '--certs', given: flags.certs, variable: 'SLUICE_CERTS' });
  return {
    kubeconfig: reader.optional({ flag: '--kubeconfig', given: flags.kubeconfig, variable: 'KUBECONFIG' }),
    namespace: reader.text({
      flag: '--namespace',
      given: flags.namespace,
      variable: 'SLUICE_NAMESPACE',
      preset: DEFAULT_NAMESPACE,
    }),
    certificateFiles:
      folder === undefined
        ? undefined
        : {
            certificateFile: join(folder, CERTIFICATE_FILES.certificate),
            keyFile: join(folder, CERTIFICATE_FILES.key),
            authorityFile: join(folder, CERTIFICATE_FILES.authority),
          },
    failurePolicies: {
      gateways: failurePolicy('GATEWAYS', 'Fail'),
      workloads: failurePolicy('WORKLOADS', 'Fail'),
      pods: failurePolicy('PODS', 'Ignore'),
    },
    logLevel: reader.logLevel(flags.logLevel),
  };
}
