import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { virtualService } from '../drift/objects.ts';
import { echoDeployment, echoService } from '../echo.ts';

export const VIRTUAL_SERVICE = virtualService.resource;

export type ShopOptions = {
  readonly replicas?: number;
  /** `spec.strategy` of the Rollout. */
  readonly strategy: JsonMap;
  /** Annotations of the Rollout. */
  readonly annotations?: JsonMap;
  /** Fields of the Deployment's spec. */
  readonly spec?: JsonMap;
  /** What else is in the user's folder. */
  readonly beside?: readonly JsonMap[];
  /** A fresh one when absent. */
  readonly namespace?: string;
};

/** A Deployment, its Service, a VirtualService in front of it, and the Rollout that releases it: all called `web`. */
export type Shop = {
  readonly namespace: string;
  /** The object `web` of a kind as the user's folder holds it now. */
  source(kind: string): JsonMap;
  /** Applies the Deployment with another version. */
  release(version: string): Promise<void>;
  rollout(): Promise<JsonMap>;
  deployment(): Promise<JsonMap>;
  /** Pods by version: how many are wanted, and how many are ready. */
  pods(): Promise<Record<string, { desired: number; ready: number }>>;
  /** Weights by Service, as the VirtualService has them; an only destination has 100. */
  weights(): Promise<Record<string, number>>;
  approve(): Promise<void>;
  /** Waits until the Rollout stands in this state of a step. */
  reaches(step: number, state: string, within?: number): Promise<JsonMap>;
  /** Waits until the release is over. */
  ends(outcome: string, within?: number): Promise<JsonMap>;
};

export const routing: JsonMap = {
  service: 'web',
  gracePeriodSeconds: 1,
  customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'web' }],
};

/** Opens a shop with version v1 running, and waits until it is armed. */
export async function openShop(cluster: Cluster, options: ShopOptions): Promise<Shop> {
  const { client, kubectl } = cluster;
  const namespace = options.namespace ?? (await cluster.namespace());
  const name = { namespace, name: 'web' };
  const deployment = (version: string): JsonMap => {
    const made = echoDeployment({ name: 'web', version, replicas: options.replicas ?? 4 }) as JsonMap;
    return { ...made, spec: { ...(made['spec'] as JsonMap), ...options.spec } };
  };
  const rollout: JsonMap = {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web', ...(options.annotations === undefined ? {} : { annotations: options.annotations }) },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, strategy: options.strategy },
  };
  const { beside = [] } = options;
  let sources = [deployment('v1'), echoService('web') as JsonMap, virtualService.source, ...beside, rollout];
  await cluster.apply(namespace, ...sources);
  const shop: Shop = {
    namespace,
    source(kind) {
      const found = sources.find((each) => each['kind'] === kind && stringAt(each, 'metadata', 'name') === 'web');
      if (found === undefined) throw new Error(`there is no ${kind} in the shop`);
      return found;
    },
    async release(version) {
      sources = [deployment(version), ...sources.slice(1)];
      const done = await kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: JSON.stringify(deployment(version)) });
      if (done.exitCode !== 0) throw new Error(done.stderr);
    },
    rollout: () => client.get(RESOURCES.rollout, name),
    deployment: () => client.get(RESOURCES.deployment, name),
    async pods() {
      const counts: Record<string, { desired: number; ready: number }> = {};
      for await (const set of client.listAll(RESOURCES.replicaSet, { namespace })) {
        const [spec, status] = [member(set, 'spec'), member(set, 'status')];
        const version = stringAt(spec, 'template', 'metadata', 'labels', 'version') ?? '';
        const before = counts[version] ?? { desired: 0, ready: 0 };
        const [desired, ready] = [Number(member(spec, 'replicas')), Number(member(status, 'readyReplicas') ?? 0)];
        counts[version] = { desired: before.desired + desired, ready: before.ready + ready };
      }
      return counts;
    },
    async weights() {
      const object = await client.get(VIRTUAL_SERVICE, name);
      const http = member(member(object, 'spec'), 'http');
      const rule = (isList(http) ? http : []).find((each) => stringAt(each, 'name') === 'web');
      const route = member(rule, 'route');
      return Object.fromEntries((isList(route) ? route : []).map(weight));
    },
    async approve() {
      const status = (await shop.rollout())['status'];
      const key = isMap(member(status, 'blueGreenStatus')) ? 'blueGreenStatus' : 'canaryStatus';
      // Named, so that it may come at once.
      const release = { approvedStep: member(status, 'currentStepIndex') ?? null };
      const body = { status: { [key]: { currentStepState: 'StepReady' }, release } };
      await client.patch(RESOURCES.rollout, name, 'merge', body, { subresource: 'status' });
    },
    reaches(step, state, within = 40) {
      return reached(shop, `step ${step} in state ${state}`, within, (status) => {
        return member(status, 'currentStepIndex') === step && member(status, 'currentStepState') === state;
      });
    },
    ends(outcome, within = 40) {
      return reached(shop, `the outcome ${outcome}`, within, (status) => {
        return stringAt(status, 'release', 'outcome') === outcome && stringAt(status, 'phase') === 'Healthy';
      });
    },
  };
  await until('the workload to be armed and its pods to be ready', async () => {
    const { metadata, status } = await shop.deployment();
    const isArmed = JSON.stringify(member(metadata, 'annotations') ?? {}).includes('directive.sluice.dev/web');
    return isArmed && member(status, 'readyReplicas') === (options.replicas ?? 4);
  });
  return shop;
}

/** A shop that waits in step 1, in which version v2 has one pod and a fifth of the traffic. */
export async function openShopInStep1(
  cluster: Cluster,
  { routing: by = routing, ...options }: Partial<ShopOptions> & { readonly routing?: JsonMap } = {},
): Promise<Shop> {
  const steps = [{ traffic: '20%', replicas: '25%', pause: {} }, { replicas: '100%' }];
  const shop = await openShop(cluster, { strategy: { canary: { steps, trafficRoutings: [by] } }, ...options });
  await shop.release('v2');
  await shop.reaches(1, 'StepPaused');
  return shop;
}

async function reached(
  shop: Shop,
  what: string,
  within: number,
  isThere: (status: Json | undefined) => boolean,
): Promise<JsonMap> {
  let last: JsonMap = {};
  try {
    await until(
      what,
      async () => {
        last = await shop.rollout();
        return isThere(last['status']);
      },
      within,
    );
  } catch (error) {
    const state = { status: last['status'], pods: await shop.pods(), weights: await shop.weights() };
    throw new Error(`${String(error)}\n${JSON.stringify(state, null, 1)}`);
  }
  return last;
}

function weight(destination: Json): [string, number] {
  const value = member(destination, 'weight');
  return [stringAt(destination, 'destination', 'host') ?? '', typeof value === 'number' ? value : 100];
}
