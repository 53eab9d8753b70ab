import { execFile } from 'node:child_process';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { besideProcess } from './container-root.ts';
import type { Container, Handler } from './pod-object.ts';

/** Where a probe or a hook of a container goes. */
export type Target = { readonly container: Container; readonly podIP: string; readonly pid: number };

/**
 * Does once what a probe or a lifecycle hook says.
 * @throws with the reason when it fails or takes longer than `timeoutMilliseconds`
 */
export async function handle(handler: Handler, target: Target, timeoutMilliseconds: number): Promise<void> {
  const { httpGet, tcpSocket, exec, sleep: pause } = handler;
  if (httpGet !== undefined) await get(httpGet, target, timeoutMilliseconds);
  else if (tcpSocket !== undefined) await open(tcpSocket, target, timeoutMilliseconds);
  else if (exec !== undefined) await execute(exec.command ?? [], target.pid, timeoutMilliseconds);
  else if (pause !== undefined) await sleep(pause.seconds * 1000);
  else throw new Error('this kind of probe or hook is not known to this kubelet');
}

function portOf(port: number | string, { container }: Target): number {
  if (typeof port === 'number') return port;
  const found = container.ports?.find(({ name }) => name === port);
  if (found === undefined) throw new Error(`container ${container.name} has no port named ${port}`);
  return found.containerPort;
}

async function get(action: NonNullable<Handler['httpGet']>, target: Target, timeout: number): Promise<void> {
  const { path = '/', host = target.podIP, scheme = 'HTTP', httpHeaders = [] } = action;
  const options = {
    host,
    port: portOf(action.port, target),
    path,
    agent: false as const,
    signal: AbortSignal.timeout(timeout),
    headers: { 'user-agent': 'kube-probe/1.36', ...Object.fromEntries(httpHeaders.map((h) => [h.name, h.value])) },
  };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    // As a kubelet: the certificate of a probed container is not verified.
    const sent =
      scheme === 'HTTPS' ? request({ ...options, rejectUnauthorized: false }, resolve) : plainRequest(options, resolve);
    sent.on('error', reject);
    sent.end();
  });
  answer.destroy();
  const { statusCode = 0 } = answer;
  if (statusCode < 200 || statusCode >= 400) throw new Error(`HTTP probe failed with statuscode: ${statusCode}`);
}

function open(action: NonNullable<Handler['tcpSocket']>, target: Target, timeout: number): Promise<void> {
  const socket = connect({ host: action.host ?? target.podIP, port: portOf(action.port, target), timeout });
  return new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
    socket.once('timeout', () => reject(new Error('the connection took too long')));
  }).finally(() => socket.destroy());
}

function execute(command: readonly string[], pid: number, timeout: number): Promise<void> {
  const [file, args] = besideProcess(pid, command);
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout, killSignal: 'SIGKILL' }, (error) => (error === null ? resolve() : reject(error)));
  });
}
