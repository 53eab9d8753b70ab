import { isMap, type JsonMap } from '../../../src/json/value.ts';
import { outcomeOf } from '../../../src/kube/api-error.ts';
import type { KubeObject } from '../../../src/kube/client.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { type Cluster, succeeded } from '../../cluster/cluster.ts';
import type { CommandResult } from '../../cluster/command.ts';
import { definitionsPath } from '../../cluster/definitions.ts';
import { until } from '../../cluster/until.ts';
import { deployment, ingress, type Subject, service, virtualService } from '../drift/objects.ts';
import type { Installed } from '../installed.ts';
import { rollout } from '../rollout-controller.ts';
import { nameOf, steer } from './steering.ts';

/** What takes part in the release of a shop. */
export const TAKING_PART = [virtualService, service, ingress, deployment] as const;

/** To be called before Sluice is installed. */
export async function installGateways({ kubectl }: Cluster): Promise<void> {
  succeeded(await kubectl(['apply', '--server-side', '-f', definitionsPath('istio')]));
}

/**
 * A namespace with objects `web` in step 1 of a release; objects `other` of the same kinds, which take no part; and a
 * Deployment `armed` at rest, which the Rollout `armed` names.
 */
export async function openShop(cluster: Cluster, sluice: Installed): Promise<string> {
  const namespace = await cluster.namespace();
  const all = TAKING_PART.flatMap(({ source }) => [source, renamed(source, 'other')]);
  await cluster.apply(namespace, ...all, renamed(deployment.source, 'armed'), armedRollout());
  for (const subject of TAKING_PART) await steer(sluice.controller, subject, namespace, 1);
  await until('the Deployment to be armed', async () => {
    const { metadata } = await cluster.client.get(RESOURCES.deployment, { namespace, name: 'armed' });
    return isMap(metadata) && JSON.stringify(metadata['annotations']).includes('directive.sluice.dev/armed');
  });
  return namespace;
}

function armedRollout(): JsonMap {
  const { apiVersion, kind } = rollout();
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'armed' };
  const strategy = { canary: { steps: [{ replicas: '50%' }, { replicas: '100%' }] } };
  return { apiVersion, kind, metadata: { name: 'armed' }, spec: { workloadRef, strategy } } as JsonMap;
}

/** The same object under another name, with pods of its own. */
export function renamed(source: JsonMap, name: string): JsonMap {
  const { metadata, ...rest } = source;
  const text = JSON.stringify(rest).replaceAll('"app":"web"', `"app":"${name}"`);
  return { ...JSON.parse(text), metadata: { ...(metadata as JsonMap), name } };
}

/** The user's write: their source with the first edit of the subject. */
export function edited({ source, edits }: Subject): JsonMap {
  const [edit] = edits;
  if (edit === undefined) throw new Error('no edit');
  return edit.apply(source);
}

export function applyTo({ kubectl }: Cluster, namespace: string, object: JsonMap): Promise<CommandResult> {
  return kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: JSON.stringify(object) });
}

export function live({ client }: Cluster, { resource }: Subject, namespace: string): Promise<KubeObject> {
  return client.get(resource, nameOf(namespace));
}

/** Whether admission by Sluice works now, seen by a dry run on an object in a release. */
export async function admits({ client }: Cluster, namespace: string): Promise<boolean> {
  const patch = { metadata: { labels: { asked: String(performance.now()) } } };
  try {
    await client.patch(virtualService.resource, nameOf(namespace), 'merge', patch, { dryRun: true });
    return true;
  } catch (error) {
    if (outcomeOf(error) === 'passing') return false;
    throw error;
  }
}
