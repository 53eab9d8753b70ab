import { existsSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
// The package's index also loads what speaks to kubelets and clouds: a quarter of a second more.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { NoAnswer } from './api-error.ts';

/** Where an API server is and who asks. */
export type Access = {
  /**
   * A kubeconfig file. Without it: the files of `KUBECONFIG`, then the pod's service account, then `~/.kube/config`.
   */
  readonly kubeconfig?: string;
  /** A context of the kubeconfig; its current one otherwise. */
  readonly context?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Impersonate this user (`Impersonate-User`), with these groups. */
  readonly impersonate?: { readonly user: string; readonly groups?: readonly string[] };
  /** Names the program in audit logs and in managedFields of requests that name no field manager. */
  readonly userAgent?: string;
};

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
};

/** A connection to an API server: kept open between calls, with credentials that renew themselves. */
export type Connection = {
  /** `https://10.96.0.1:443`: for messages. */
  readonly server: string;
  /** The namespace of the kubeconfig's context, or of the pod; undefined where it names none. */
  readonly namespace?: string;
  /**
   * Sends one call; resolves once the head of the answer is there, whatever its status.
   * @throws NoAnswer when there is none.
   */
  send(call: Call): Promise<IncomingMessage>;
  close(): void;
};

/**
 * Opens a connection. Nothing is sent yet.
 * @throws when there is no configuration, saying where it was looked for.
 */
export function connect(access: Access): Connection {
  const config = loadConfig(access);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error('the kubeconfig has no current context with a cluster');
  const base = new URL(server);
  const headers = identity(access);
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  let agent: Agent | undefined;
  return {
    server,
    ...(namespace ? { namespace } : {}),
    async send(call) {
      const options: RequestOptions & { headers: Record<string, string | string[]> } = { headers: { ...headers } };
      await authenticate(config, options, call);
      agent = keptOpen(options.agent);
      return exchange(base, call, options);
    },
    close() {
      agent?.destroy();
    },
  };
}

function loadConfig({ kubeconfig, context, env }: Access): KubeConfig {
  const config = new KubeConfig();
  const files = kubeconfig === undefined ? filesOf(env['KUBECONFIG']) : [kubeconfig];
  if (files.length > 0) loadFiles(config, files);
  else if (env['KUBERNETES_SERVICE_HOST']) config.loadFromCluster();
  else loadFiles(config, [homeConfig()]);
  if (context !== undefined) useContext(config, context);
  return config;
}

function filesOf(list = ''): string[] {
  return list.split(delimiter).filter((file) => file !== '');
}

/** Several files are one configuration, as for kubectl: what an earlier one names wins, and one that is not there is passed over. */
function loadFiles(config: KubeConfig, files: readonly string[]): void {
  const there = files.length === 1 ? files : files.filter((file) => existsSync(file));
  if (there.length === 0) throw new Error(`none of the kubeconfig files is there: ${files.join(', ')}`);
  const parts = there.map(readFile);
  const current = parts.map((part) => part.getCurrentContext()).find((name) => name);
  config.loadFromOptions({
    clusters: firstOfEachName(parts.flatMap((part) => part.getClusters())),
    users: firstOfEachName(parts.flatMap((part) => part.getUsers())),
    contexts: firstOfEachName(parts.flatMap((part) => part.getContexts())),
    ...(current === undefined ? {} : { currentContext: current }),
  });
}

function readFile(file: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new Error(isMissing ? `there is no kubeconfig ${file}` : `the kubeconfig ${file} cannot be read: ${reason}`, {
      cause: error,
    });
  }
  return config;
}

function firstOfEachName<T extends { readonly name: string }>(entries: readonly T[]): T[] {
  return [...new Map(entries.toReversed().map((entry) => [entry.name, entry])).values()].toReversed();
}

function useContext(config: KubeConfig, context: string): void {
  const names = config.getContexts().map(({ name }) => name);
  if (!names.includes(context)) {
    throw new Error(`the kubeconfig has no context "${context}"; it has ${names.join(', ') || 'none'}`);
  }
  config.setCurrentContext(context);
}

/** Asked for last: a user that the image does not know has no home. */
function homeConfig(): string {
  const path = join(homedir(), '.kube', 'config');
  if (existsSync(path)) return path;
  throw new Error(
    `no cluster is known: there is no --kubeconfig, no KUBECONFIG, no service account of a pod and no ${path}`,
  );
}

function identity({ impersonate, userAgent = 'sluice' }: Access): Record<string, string | string[]> {
  return {
    'user-agent': userAgent,
    ...(impersonate === undefined ? {} : { 'impersonate-user': impersonate.user }),
    ...(impersonate?.groups === undefined ? {} : { 'impersonate-group': [...impersonate.groups] }),
  };
}

/** Puts the credentials in: a token file is read again, or a program of the kubeconfig is asked, where they have aged. */
async function authenticate(config: KubeConfig, options: RequestOptions, { method, path }: Call): Promise<void> {
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NoAnswer(`${method} ${path.split('?')[0]}: no credentials: ${reason}`, { cause: error });
  }
}

/** The library's agents open a connection, with its TLS handshake, for each request unless they are told otherwise. */
function keptOpen(agent: RequestOptions['agent']): Agent | undefined {
  if (!(agent instanceof Agent)) return undefined;
  Object.assign(agent, { keepAlive: true });
  Object.assign(agent.options, { keepAlive: true, keepAliveMsecs: 30_000 });
  return agent;
}

function exchange(base: URL, call: Call, options: RequestOptions): Promise<IncomingMessage> {
  const { method, path, body, contentType, accept = 'application/json', signal } = call;
  const headers = {
    ...options.headers,
    accept,
    ...(body === undefined
      ? {}
      : { 'content-type': contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
  const target = {
    ...options,
    protocol: base.protocol,
    hostname: base.hostname.replace(/^\[|\]$/g, ''),
    port: base.port,
    path: `${base.pathname.replace(/\/$/, '')}${path}`,
    method,
    headers,
    ...(signal === undefined ? {} : { signal }),
  };
  const what = `${method} ${path.split('?')[0]}`;
  const open = base.protocol === 'http:' ? plainRequest : request;
  return new Promise((resolve, reject) => {
    const attempt = (retries: number): void => {
      const sent = open(target, resolve);
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // The server may close an idle connection just as it is used again: reading can then simply be repeated.
        const stale = sent.reusedSocket && error.code === 'ECONNRESET' && method === 'GET';
        if (stale && retries > 0) attempt(retries - 1);
        else reject(signal?.aborted ? error : new NoAnswer(`${what}: ${error.message}`, { cause: error }));
      });
      sent.end(body);
    };
    attempt(1);
  });
}
