import { isMap, type JsonMap, member } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { type Cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import type { Installed } from '../installed.ts';

const MUTATING = RESOURCES.mutatingWebhookConfiguration;
const NAME = { name: 'zz-sluice-mutating' };

/**
 * Takes the webhooks away as an administrator would in an emergency: the controller first, or it puts them back.
 * @returns what brings them back; the controller stays at rest
 */
export async function bypass(cluster: Cluster, sluice: Installed): Promise<() => Promise<void>> {
  await sluice.rest();
  const { apiVersion, kind, metadata, webhooks = [] } = await cluster.client.get(MUTATING, NAME);
  succeeded(await cluster.kubectl(['delete', MUTATING.plural, NAME.name]));
  await until('the webhooks to be called no more', async () => !(await isCalled(cluster)));
  return async () => {
    const [labels = {}, ownerReferences = []] = ['labels', 'ownerReferences'].map((key) => member(metadata, key));
    const object = { apiVersion, kind, metadata: { ...NAME, labels, ownerReferences }, webhooks } as JsonMap;
    await cluster.client.create(MUTATING, object);
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
