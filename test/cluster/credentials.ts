import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issueLocal, validFor } from '../../src/tls/generate.ts';
import { API_SERVER, API_SERVER_URL, KUBERNETES_SERVICE, NODES } from './network.ts';

/** Users of the control plane with the groups that Kubernetes' bootstrap roles know. */
const USERS = {
  admin: { user: 'test-admin', group: 'system:masters' },
  'controller-manager': { user: 'system:kube-controller-manager', group: '' },
  scheduler: { user: 'system:kube-scheduler', group: '' },
} as const;

/** Paths of what the programs of a control plane need to know each other by. */
export type Credentials = {
  /** One certificate for the API server and for the log endpoints of the nodes. */
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
  /** RSA key that signs tokens of service accounts. */
  readonly serviceAccountKey: string;
  /** `token,user,uid,"groups"` lines. */
  readonly tokens: string;
  /** Kubeconfig files, by the names of {@link USERS}. */
  readonly kubeconfigs: Readonly<Record<keyof typeof USERS, string>>;
};

/** Writes fresh credentials into a folder. */
export async function writeCredentials(folder: string): Promise<Credentials> {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const hosts = [API_SERVER.host, KUBERNETES_SERVICE, 'kubernetes.default.svc', ...NODES.map(({ address }) => address)];
  const { authority, serving } = await issueLocal(hosts, validFor(2, new Date()));
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const tokens = { admin: newToken(), 'controller-manager': newToken(), scheduler: newToken() };
  const config = (name: keyof typeof USERS): string =>
    write(`${name}.kubeconfig`, kubeconfig({ authority: authority.certificate, user: { token: tokens[name] } }));
  return {
    certificate: write('tls.crt', serving.certificate),
    key: write('tls.key', serving.key),
    authority: write('ca.crt', authority.certificate),
    serviceAccountKey: write('sa.key', keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    tokens: write(
      'tokens.csv',
      Object.entries(USERS)
        .map(([name, who]) => tokenLine(tokens, name, who))
        .join(''),
    ),
    kubeconfigs: {
      admin: config('admin'),
      'controller-manager': config('controller-manager'),
      scheduler: config('scheduler'),
    },
  };
}

function newToken(): string {
  return randomBytes(24).toString('hex');
}

function tokenLine(
  tokens: Readonly<Record<string, string>>,
  name: string,
  { user, group }: { user: string; group: string },
): string {
  return `${tokens[name]},${user},${user}${group === '' ? '' : `,"${group}"`}\n`;
}

/** Who asks, as the `user` of a kubeconfig has it. */
export type KubeconfigUser = { readonly token: string; readonly as?: string; readonly 'as-groups'?: readonly string[] };

/** A kubeconfig (as JSON, which is YAML) for the test cluster's API server. */
export function kubeconfig({ authority, user }: { authority: string; user: KubeconfigUser }): string {
  const data = Buffer.from(authority).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: API_SERVER_URL, 'certificate-authority-data': data } }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
    'current-context': 'test',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
