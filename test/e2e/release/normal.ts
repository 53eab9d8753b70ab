import { expect } from 'vitest';
import { equal } from '../../../src/json/equal.ts';
import { type Json, type JsonMap, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { leftAmong } from '../../release/invariants.ts';
import { takenFields } from '../ownership.ts';
import { type Shop, settingsName } from './shop.ts';

/** What a shop is to be after a release. */
export type Normal = {
  /** The version that serves, alone. */
  readonly version: string;
  /** As before the first release when absent. */
  readonly replicas?: number;
  /** `spec` of the gateway object, as the user last wrote it; as before the first release when absent. */
  readonly gateway?: Json;
  /** Deployments that share the namespace; the shop alone when absent. */
  readonly names?: readonly string[];
};

/**
 * Waits until a shop is its owner's again: one version with all its pods, gateway object, Service and Deployment exactly
 * what they were, no object or mark of a release left, nothing without its owner, no field owned by Sluice.
 */
export async function backToNormal(cluster: Cluster, shop: Shop, normal: Normal, within = 60): Promise<void> {
  let problems: string[] = [];
  const isNormal = async () => {
    problems = await abnormal(cluster, shop, normal);
    return problems.length === 0;
  };
  await until('the shop to be as before', isNormal, within).catch(async (error: unknown) => {
    const state = { problems, status: await shop.status(), pods: await shop.pods(), weights: await shop.weights() };
    expect.fail(`${shop.namespace}/${shop.name}: ${String(error)}\n${JSON.stringify(state, null, 1)}`);
  });
}

async function abnormal(cluster: Cluster, shop: Shop, normal: Normal): Promise<string[]> {
  const { version, replicas = shop.before.deployment['replicas'] ?? null, names = [shop.name] } = normal;
  const { phase } = await shop.status();
  const pods = await shop.pods();
  const belongings = await shop.belongings();
  const own = (objects: readonly JsonMap[]) =>
    objects.find((object) => stringAt(object, 'metadata', 'name') === shop.name)?.['spec'] ?? null;
  const expected: Record<string, [Json, Json]> = {
    Deployment: [own(belongings.deployments), { ...inVersion(shop.before.deployment, version), replicas }],
    Service: [own(belongings.services), shop.before.service],
    VirtualService: [(await shop.gateway())['spec'] ?? null, normal.gateway ?? shop.before.gateway],
  };
  const sizes = Object.entries(pods).filter(([, { desired, ready }]) => desired > 0 || ready > 0);
  return [
    ...(phase === 'Healthy' ? [] : [`the phase is ${phase}`]),
    ...(equal(Object.fromEntries(sizes), { [version]: { desired: replicas, ready: replicas } } as Json) ||
    (replicas === 0 && sizes.length === 0)
      ? []
      : [`there are pods of ${JSON.stringify(pods)}`]),
    ...Object.entries(expected).flatMap(([kind, [is, was]]) =>
      equal(is, was) ? [] : [`the ${kind} is ${JSON.stringify(is)} and was ${JSON.stringify(was)}`],
    ),
    ...leftAmong(belongings, names),
    ...orphans(belongings.deployments, belongings.replicaSets),
    ...orphans(belongings.replicaSets, await all(cluster, shop)),
    ...(await takenFields(cluster.client, shop.namespace)),
  ];
}

async function all({ client }: Cluster, { namespace }: Shop): Promise<readonly JsonMap[]> {
  return (await client.list(RESOURCES.pod, { namespace })).items;
}

/** What `echoDeployment` writes for another version than v1, with that version's settings where there are such. */
function inVersion(spec: JsonMap, version: string): JsonMap {
  return JSON.parse(
    JSON.stringify(spec)
      .replace('"version":"v1"', `"version":"${version}"`)
      .replace('"value":"v1"', `"value":"${version}"`)
      .replace(`"${settingsName('v1')}"`, `"${settingsName(version)}"`),
  );
}

/** Objects whose owner is not there any more. */
function orphans(owners: readonly JsonMap[], objects: readonly JsonMap[]): string[] {
  const uids = new Set(owners.map((owner) => stringAt(owner, 'metadata', 'uid')));
  return objects
    .filter((object) => !uids.has(stringAt(object, 'metadata', 'ownerReferences', 0, 'uid')))
    .map((object) => `${stringAt(object, 'metadata', 'name')} has no owner`);
}
