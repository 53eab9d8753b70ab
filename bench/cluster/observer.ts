import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/** What a process tells of itself whenever it is asked (by any message); times of blocks are since its first request. */
export type Observation = {
  /** Requests to the API server, as `PATCH rollouts`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly bytesReceived: number;
  /** The longest time between two turns of the event loop, in milliseconds; up to {@link RESOLUTION} more than a block. */
  readonly longestBlock: number;
  /**
   * The most CPU time that the main thread took between two looks at the event loop, in milliseconds: the longest block
   * where nobody else uses the machine. Up to {@link BUSY_RESOLUTION} more than a block.
   */
  readonly longestBusy: number;
  readonly longestCollection: number;
  readonly heapUsed: number;
};

/** Milliseconds between two looks at the event loop. */
const RESOLUTION = 2;
const BUSY_RESOLUTION = 5;

/** Loaded before Sluice (`--import`), in the process that is measured: only there its event loop can be seen. */
if (isMainThread) observe();

function observe(): void {
  const requests = new Map<string, number>();
  const sockets = new Set<Socket>();
  let closedBytes = 0;
  let longestCollection = 0;
  const count = (socket: Socket): void => {
    if (sockets.has(socket)) return;
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      closedBytes += socket.bytesRead;
    });
  };
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest }; // Node's documentation of this channel
    const key = `${request.method} ${resourceOf(request.path)}`;
    requests.set(key, (requests.get(key) ?? 0) + 1);
    if (request.socket === null) request.once('socket', count);
    else count(request.socket);
  });
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  let longestBusy = (): number => 0;
  // Modules are loaded in one go before the first request, when there is nothing to be kept waiting.
  const begin = (): void => {
    unsubscribe('http.client.request.start', begin);
    delay.enable();
    longestBusy = watchBusy();
  };
  subscribe('http.client.request.start', begin);
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestCollection = Math.max(longestCollection, duration);
  }).observe({ entryTypes: ['gc'] });
  process.on('message', () => {
    const observation: Observation = {
      requests: Object.fromEntries(requests),
      bytesReceived: [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, closedBytes),
      longestBlock: delay.max / 1e6,
      longestBusy: longestBusy(),
      longestCollection,
      heapUsed: process.memoryUsage().heapUsed,
    };
    process.send?.(observation);
  });
  process.channel?.unref(); // it must not keep the process alive
}

function watchBusy(): () => number {
  let longest = 0;
  let before = process.threadCpuUsage();
  setInterval(() => {
    const now = process.threadCpuUsage();
    longest = Math.max(longest, (now.user + now.system - before.user - before.system) / 1000);
    before = now;
  }, BUSY_RESOLUTION).unref();
  return () => longest;
}

/** `/apis/apps/v1/namespaces/shop/deployments/web?…` is about `deployments`. */
function resourceOf(path: string): string {
  const [root = ''] = path.split('?');
  const parts = root.replace(/^\/(apis\/[^/]+|api)\/[^/]+\/?/, '').split('/');
  const named = parts[0] === 'namespaces' && parts.length > 2 ? parts.slice(2) : parts;
  const [plural = '', , subresource] = named;
  const isWatch = path.includes('watch=true');
  return `${plural === '' ? root : plural}${subresource === undefined ? '' : `/${subresource}`}${isWatch ? ' (watch)' : ''}`;
}
