import { at, isList, isMap, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { directiveKey } from '../../../src/rewrite/directive.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { deployment } from '../rollout-controller.ts';

const AT_ONCE = 20;

/** Creates so many Deployments without pods and the Rollouts that name them, `many-0` and so on. */
export async function createMany({ client }: Cluster, namespace: string, count: number): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) {
      const name = `many-${next++}`;
      await client.create(RESOURCES.deployment, placed(deployment(name), namespace));
      await client.create(RESOURCES.rollout, placed(rolloutOf(name), namespace));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function rolloutOf(name: string): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      strategy: { canary: { steps: [{ replicas: '20%' }, { replicas: '100%' }] } },
    },
  };
}

function placed(object: JsonMap, namespace: string): JsonMap {
  return { ...object, metadata: { ...(object['metadata'] as JsonMap), namespace } };
}

/** How many of the Rollouts have all their conditions, and how many of the Deployments are armed. */
export async function progress({ client }: Cluster, namespace: string): Promise<{ judged: number; armed: number }> {
  let [judged, armed] = [0, 0];
  for await (const rollout of client.listAll(RESOURCES.rollout, { namespace })) if (isJudged(rollout)) judged++;
  for await (const object of client.listAll(RESOURCES.deployment, { namespace })) {
    const annotations = at(object, ['metadata', 'annotations']);
    const key = directiveKey(stringAt(object, 'metadata', 'name') ?? '');
    if (isMap(annotations) && key in annotations) armed++;
  }
  return { judged, armed };
}

function isJudged(rollout: JsonMap): boolean {
  const conditions = at(rollout, ['status', 'conditions']);
  const isTrue = (type: string) =>
    isList(conditions) &&
    conditions.some((each) => stringAt(each, 'type') === type && stringAt(each, 'status') === 'True');
  return ['Accepted', 'ResolvedRefs', 'ScriptsReady', 'Expressible'].every(isTrue);
}
