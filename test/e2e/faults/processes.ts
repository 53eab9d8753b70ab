import { readdirSync, readFileSync } from 'node:fs';
import type { Cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { podsOf } from '../pods.ts';

export type Half = 'webhook' | 'controller';

/** The ids of the processes of a pod of Sluice, found by what the downward API tells them. */
export function processesOf(pod: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && environmentOf(pid).includes(`SLUICE_POD_NAME=${pod}`));
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return []; // ended in between
  }
}

/** Sends a signal to every process of these pods. @throws when there is none: nothing would have been tested */
export function signalPods(pods: readonly string[], signal: NodeJS.Signals): void {
  const pids = pods.flatMap(processesOf);
  if (pids.length < pods.length) throw new Error(`${pods.join(', ')}: ${pids.length} processes found`);
  for (const pid of pids) process.kill(pid, signal);
}

/** The pods of one half of Sluice. */
export function podsOfHalf({ kubectl }: Cluster, namespace: string, half: Half) {
  return podsOf(kubectl, namespace, `app.kubernetes.io/name=sluice,app.kubernetes.io/component=${half}`);
}

/** The pod that holds the Lease. */
export function leader(cluster: Cluster, namespace: string): Promise<string> {
  const args = ['get', 'lease', 'sluice-controller', '-n', namespace, '-o', 'jsonpath={.spec.holderIdentity}'];
  return until('a leader', async () => {
    const pod = (await cluster.kubectl(args)).stdout.split('_')[0] ?? '';
    return pod !== '' && pod;
  });
}

/** How often the Lease went to another process. */
export async function leaseTransitions({ kubectl }: Cluster, namespace: string): Promise<number> {
  const args = ['get', 'lease', 'sluice-controller', '-n', namespace, '-o', 'jsonpath={.spec.leaseTransitions}'];
  return Number((await kubectl(args)).stdout);
}

/** Scales both halves, or one, and waits until the pods are there and ready, or gone. */
export async function scale(
  cluster: Cluster,
  namespace: string,
  replicas: number,
  halves: readonly Half[] = ['webhook', 'controller'],
): Promise<void> {
  for (const half of halves) {
    await cluster.kubectl(['scale', 'deployment', `sluice-${half}`, '-n', namespace, `--replicas=${replicas}`]);
  }
  await until(
    `${replicas} pods of ${halves.join(' and ')}`,
    async () => {
      const pods = (await Promise.all(halves.map((half) => podsOfHalf(cluster, namespace, half)))).flat();
      return pods.length === replicas * halves.length && pods.every(({ isReady, isEnding }) => isReady && !isEnding);
    },
    90,
  );
}
