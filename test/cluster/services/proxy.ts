import { connect, createServer, type Server } from 'node:net';
import type { Service, ServiceTable } from './service-table.ts';

/**
 * Listens on each Service address and port (TCP) and hands each connection to one of its ready endpoints, in turn. A port
 * without ready endpoints refuses connections, as with kube-proxy.
 */
export class ServiceProxy {
  readonly #table: ServiceTable;
  readonly #listeners = new Map<string, Server>();
  #turn = 0;

  constructor(table: ServiceTable) {
    this.#table = table;
  }

  /** Makes the listeners fit the table. */
  update(): void {
    const wanted = new Map<string, () => void>();
    for (const service of this.#table.services()) {
      const { clusterIP = 'None', ports = [] } = service.spec;
      if (clusterIP === 'None' || clusterIP === '') continue;
      for (const { name = '', port, protocol = 'TCP' } of ports) {
        if (protocol !== 'TCP' || this.#table.endpoints(service, name).length === 0) continue;
        wanted.set(`${clusterIP}:${port}`, () => this.#listen(service, clusterIP, port, name));
      }
    }
    for (const [key, server] of this.#listeners) {
      if (wanted.has(key)) continue;
      server.close();
      this.#listeners.delete(key);
    }
    for (const [key, listen] of wanted) if (!this.#listeners.has(key)) listen();
  }

  close(): void {
    for (const server of this.#listeners.values()) server.close();
  }

  #listen({ metadata: { namespace, name } }: Service, host: string, port: number, portName: string): void {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) => {
      const service = this.#table.service(namespace, name);
      const endpoints = service === undefined ? [] : this.#table.endpoints(service, portName);
      this.#turn += 1;
      const endpoint = endpoints[this.#turn % Math.max(1, endpoints.length)];
      client.on('error', () => client.destroy());
      if (endpoint === undefined) {
        client.resetAndDestroy();
        return;
      }
      const upstream = connect({ ...endpoint, allowHalfOpen: true });
      upstream.on('error', () => client.resetAndDestroy());
      client.on('close', () => upstream.destroy());
      client.pipe(upstream);
      upstream.pipe(client);
    });
    server.on('error', (error) => process.stderr.write(`service ${namespace}/${name}: ${error.message}\n`));
    server.listen(port, host);
    this.#listeners.set(`${host}:${port}`, server);
  }
}
