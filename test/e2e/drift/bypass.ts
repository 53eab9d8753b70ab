import { isMap, member } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { type Cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import type { Installed } from '../installed.ts';

/**
 * Takes the webhooks away as an administrator would in an emergency: the controller first, or it puts them back.
 * @returns what brings both back
 */
export async function bypass(cluster: Cluster, { namespace }: Installed): Promise<() => Promise<void>> {
  const scale = async (replicas: number): Promise<void> => {
    const words = ['scale', 'deployment', 'sluice-controller', '-n', namespace, `--replicas=${replicas}`];
    succeeded(await cluster.kubectl(words));
    const wait = ['rollout', 'status', 'deployment/sluice-controller', '-n', namespace, '--timeout=60s'];
    succeeded(await cluster.kubectl(wait));
  };
  await scale(0);
  await until('the controllers to be gone', async () => {
    const words = ['get', 'pods', '-n', namespace, '-l', 'app.kubernetes.io/component=controller', '-o', 'name'];
    return succeeded(await cluster.kubectl(words)).trim() === '';
  });
  succeeded(await cluster.kubectl(['delete', 'mutatingwebhookconfiguration', 'zz-sluice-mutating']));
  await until('the webhooks to be called no more', async () => !(await isCalled(cluster)));
  return async () => {
    await scale(2);
    await until('the webhooks to be called again', () => isCalled(cluster));
  };
}

/** Whether the API server asks Sluice: what is not stored comes back without a directive that only the controller writes. */
async function isCalled({ client }: Cluster): Promise<boolean> {
  const annotations = { 'directive.sluice.dev/probe': '{}' };
  const probe = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'probe', namespace: 'default', annotations },
    spec: { ports: [{ port: 80 }] },
  };
  const { metadata } = await client.create(RESOURCES.service, probe, { dryRun: true });
  const left = member(metadata, 'annotations');
  return !isMap(left) || Object.keys(left).length === 0;
}
