import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { KUBELET_PORT, type NodeAddress } from '../network.ts';
import type { ContainerLog, LogSelection } from './container-log.ts';

/** Which log: that of the run now, or of the one before. */
export type FindLog = (
  place: { readonly namespace: string; readonly pod: string; readonly container: string },
  previous: boolean,
) => ContainerLog | undefined;

/** Serves `/containerLogs/<namespace>/<pod>/<container>` on a node's address: what `kubectl logs` reads. */
export async function serveLogs(
  node: NodeAddress,
  tls: { readonly cert: Buffer; readonly key: Buffer },
  find: FindLog,
): Promise<Server> {
  const server = createServer(tls, (request, response) => {
    const url = new URL(request.url ?? '/', 'https://node');
    const [, verb, namespace = '', pod = '', container = ''] = url.pathname.split('/');
    const previous = url.searchParams.get('previous') === 'true';
    const log = verb === 'containerLogs' ? find({ namespace, pod, container }, previous) : undefined;
    if (log === undefined) {
      response.writeHead(404).end(`${previous ? 'previous ' : ''}log of ${container} in ${namespace}/${pod} not found`);
    } else void send(log, url.searchParams, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(KUBELET_PORT, node.address, resolve);
  });
  return server;
}

async function send(log: ContainerLog, query: URLSearchParams, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain' });
  if (query.get('follow') !== 'true') {
    response.end(log.read(selectionOf(query)));
    return;
  }
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.flushHeaders();
  await log.follow(selectionOf(query), (text) => void response.write(text), gone.signal);
  response.end();
}

function selectionOf(query: URLSearchParams): LogSelection {
  const [tail, since, seconds] = ['tailLines', 'sinceTime', 'sinceSeconds'].map((name) => query.get(name));
  const from = since ? new Date(since) : seconds ? new Date(Date.now() - Number(seconds) * 1000) : undefined;
  return {
    timestamps: query.get('timestamps') === 'true',
    ...(tail ? { tailLines: Number(tail) } : {}),
    ...(from === undefined ? {} : { since: from }),
  };
}
