import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { POD_RANGE, SERVICE_RANGE } from './network.ts';
import { environment } from './settings.ts';

const run = promisify(execFile);

/** Runs as process 1 of the new PID namespace: it stays, so that orphans have somebody who reaps them. */
const INSIDE = [
  'set -e',
  'ip link set lo up',
  `ip route add local ${POD_RANGE} dev lo`,
  `ip route add local ${SERVICE_RANGE} dev lo`,
  'set +e',
  '"$@"',
  'exit $?',
].join('\n');

/** unshare's arguments: a plain user becomes root of a user namespace, which may have the others. */
function namespaces(): string[] {
  const asUser = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  return [...asUser, '--net', '--pid', '--fork', '--mount', '--mount-proc', '--kill-child', '--'];
}

/** Why namespaces cannot be made here, with what helps; undefined when they can. */
export async function namespacesRefused(): Promise<string | undefined> {
  try {
    await run('unshare', [...namespaces(), 'ip', 'link', 'set', 'lo', 'up']);
    return undefined;
  } catch (error) {
    const words = error instanceof Error ? error.message.trim().replaceAll('\n', ' ') : String(error);
    return (
      `network namespaces cannot be made (${words}): install util-linux and iproute2, and run as root ` +
      'or allow user namespaces (Ubuntu: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)'
    );
  }
}

/**
 * Runs a command in network, PID and mount namespaces of its own, where every pod and Service address is local. When it
 * ends, or this process does, everything that it started ends too.
 * @returns its exit code; 128 and the number of the signal that ended it
 */
export function enter(command: readonly string[], variables: Readonly<Record<string, string>>): Promise<number> {
  const inside = ['sh', '-c', INSIDE, 'sh', ...command];
  // setpriv: unshare would outlive this process if that were killed, and with it the whole cluster.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...namespaces(), ...inside], {
    stdio: 'inherit',
    env: { ...environment, ...variables },
  });
  const end = (): void => void child.kill('SIGKILL');
  // Ctrl-C reaches what runs inside by itself, from the terminal; it decides when to end.
  const wait = (): void => undefined;
  process.on('SIGINT', wait);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', wait);
      for (const name of ['SIGTERM', 'SIGHUP'] as const) process.off(name, end);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
