import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type KubeObject } from './client.ts';
import { connect } from './connection.ts';

/** What goes wrong with one request. `cutAfter`: the connection is cut after so many bytes of the body. */
export type Fault =
  | { readonly status: number; readonly retryAfter?: number; readonly reason?: string }
  | { readonly cutAfter: number }
  | { readonly endAfterEvents: number }
  | { readonly expireInStream: true }
  | { readonly silent: true };

/** A request as it came: its query, and when. */
export type Seen = { readonly query: URLSearchParams; readonly at: number; readonly accept: string | undefined };

type Event = { readonly version: number; readonly type: string; readonly object: KubeObject };
type Watcher = { readonly response: ServerResponse; readonly fault: Fault | undefined; sent: number; bytes: number };

/**
 * The list and watch protocol of an API server for ConfigMaps, over real connections, so that they can break at will.
 * Real API servers have none of these faults on demand.
 */
export class SimulatedApi {
  readonly objects = new Map<string, KubeObject>();
  readonly requests: Seen[] = [];
  /** Asked for each request: what goes wrong with it, if anything. */
  fault: (request: Seen) => Fault | undefined = () => undefined;
  canWatchList = true;
  /** An old aggregated API takes `sendInitialEvents` for any unknown parameter. */
  ignoresWatchList = false;
  #version = 100;
  #compacted = 0;
  #log: Event[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #folder = mkdtempSync(join(tmpdir(), 'simulated-api-'));
  readonly #server = createServer((request, response) => {
    const { searchParams: query } = new URL(request.url ?? '/', 'http://server');
    const seen = { query, at: performance.now(), accept: request.headers.accept };
    this.requests.push(seen);
    this.#answer(seen, response);
  });

  async open(): Promise<Client> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    const kubeconfig = join(this.#folder, 'kubeconfig');
    const config = {
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(kubeconfig, JSON.stringify(config));
    return new Client(connect({ kubeconfig, env: {} }));
  }

  async close(): Promise<void> {
    rmSync(this.#folder, { recursive: true });
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get watches(): number {
    return this.#watchers.size;
  }

  put(name: string, text: string): void {
    const before = this.objects.get(name) as { metadata: { uid: string } } | undefined;
    this.#version += 1;
    const uid = before?.metadata.uid ?? `uid-${this.#version}`;
    const metadata = { namespace: 'default', name, uid, resourceVersion: String(this.#version) };
    const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { text } };
    this.objects.set(name, object);
    this.#publish({ version: this.#version, type: before === undefined ? 'ADDED' : 'MODIFIED', object });
  }

  delete(name: string): void {
    const before = this.objects.get(name);
    if (before === undefined) return;
    this.#version += 1;
    this.objects.delete(name);
    const metadata = { ...(before['metadata'] as KubeObject), resourceVersion: String(this.#version) };
    this.#publish({ version: this.#version, type: 'DELETED', object: { ...before, metadata } });
  }

  bookmark(): void {
    for (const watcher of this.#watchers) this.#send(watcher, 'BOOKMARK', bookmark(this.#version));
  }

  /** Forgets all events so far: watches from before are refused. */
  compact(): void {
    this.#compacted = this.#version;
    this.#log = [];
  }

  /** Ends all watches, as the server does after `timeoutSeconds`, or cuts them. */
  endWatches(how: 'end' | 'cut'): void {
    for (const watcher of [...this.#watchers]) this.#end(watcher, how);
  }

  /** Bytes that are no whole lines. */
  sendRaw(bytes: Buffer): void {
    for (const { response } of this.#watchers) response.write(bytes);
  }

  #publish(event: Event): void {
    this.#log.push(event);
    for (const watcher of [...this.#watchers]) this.#send(watcher, event.type, event.object);
  }

  #answer(seen: Seen, response: ServerResponse): void {
    const fault = this.fault(seen);
    if (fault !== undefined && 'status' in fault) refuse(response, fault.status, fault.reason ?? '', fault.retryAfter);
    else if (seen.query.get('watch') === 'true') this.#watch(seen.query, response, fault);
    else this.#list(seen.query, response, fault);
  }

  #list(query: URLSearchParams, response: ServerResponse, fault: Fault | undefined): void {
    const [version, from] = (query.get('continue') ?? `${this.#version}/`).split('/');
    if (Number(version) < this.#compacted) {
      refuse(response, 410, 'Expired');
      return;
    }
    const rest = [...this.objects.keys()].sort().filter((name) => name > (from ?? ''));
    const names = rest.slice(0, Number(query.get('limit')));
    const next = names.length < rest.length ? { continue: `${version}/${names.at(-1)}` } : {};
    const items = names.map((name) => this.objects.get(name));
    const body = JSON.stringify({ metadata: { resourceVersion: version, ...next }, items });
    if (fault === undefined || !('cutAfter' in fault)) response.end(body);
    else response.write(body.slice(0, Math.min(fault.cutAfter, body.length - 1)), () => response.destroy());
  }

  #watch(query: URLSearchParams, response: ServerResponse, fault: Fault | undefined): void {
    const isListed = query.get('sendInitialEvents') === 'true';
    const from = Number(query.get('resourceVersion') ?? 0);
    if (isListed && !this.canWatchList) {
      refuse(response, 422, 'Invalid');
      return;
    }
    const watcher = { response, fault, sent: 0, bytes: 0 };
    response.writeHead(200).flushHeaders();
    response.on('close', () => this.#watchers.delete(watcher));
    this.#watchers.add(watcher);
    if (fault !== undefined && 'silent' in fault) return;
    const isExpired = !isListed && from < this.#compacted;
    if (isExpired || (fault !== undefined && 'expireInStream' in fault)) {
      const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
      this.#send({ ...watcher, fault: undefined }, 'ERROR', status);
      this.#end(watcher, 'end');
    } else if (isListed) this.#sendInitialEvents(watcher);
    else for (const event of this.#log) if (event.version > from) this.#send(watcher, event.type, event.object);
  }

  #sendInitialEvents(watcher: Watcher): void {
    for (const object of this.objects.values()) this.#send(watcher, 'ADDED', object);
    if (this.ignoresWatchList) return;
    this.#send(watcher, 'BOOKMARK', bookmark(this.#version, { 'k8s.io/initial-events-end': 'true' }));
  }

  #send(watcher: Watcher, type: string, object: KubeObject): void {
    const { response, fault } = watcher;
    if (response.writableEnded || response.destroyed || (fault !== undefined && 'silent' in fault)) return;
    const line = Buffer.from(`${JSON.stringify({ type, object })}\n`);
    const left = fault !== undefined && 'cutAfter' in fault ? fault.cutAfter - watcher.bytes : Number.POSITIVE_INFINITY;
    watcher.bytes += line.length;
    watcher.sent += 1;
    if (left < line.length) {
      this.#watchers.delete(watcher);
      response.write(line.subarray(0, Math.max(0, left)), () => response.destroy());
      watcher.bytes = Number.POSITIVE_INFINITY;
    } else {
      response.write(line);
      if (fault !== undefined && 'endAfterEvents' in fault && watcher.sent >= fault.endAfterEvents)
        this.#end(watcher, 'end');
    }
  }

  #end(watcher: Watcher, how: 'end' | 'cut'): void {
    this.#watchers.delete(watcher);
    if (how === 'end') watcher.response.end();
    else watcher.response.destroy();
  }
}

function bookmark(version: number, annotations: Record<string, string> = {}): KubeObject {
  return { kind: 'ConfigMap', metadata: { resourceVersion: String(version), annotations } };
}

function refuse(response: ServerResponse, code: number, reason: string, retryAfter?: number): void {
  if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
  response.writeHead(code).end(JSON.stringify({ kind: 'Status', code, reason, message: `${code} on demand` }));
}
