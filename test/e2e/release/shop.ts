import { equal } from '../../../src/json/equal.ts';
import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { type ObjectName, RESOURCES, type Resource } from '../../../src/kube/resource.ts';
import { templateHash } from '../../../src/rewrite/template.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import type { Belongings, TrafficSeen } from '../../release/invariants.ts';
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
  /** Who says how many replicas there are; the source when absent. */
  readonly scaledBy?: 'source' | 'autoscaler';
  /** Of Deployment, Service and Rollout; `web` when absent. */
  readonly name?: string;
  /** Fields of the container, of any version or of each. */
  readonly container?: JsonMap | ((version: string) => JsonMap);
  /** A ConfigMap whose keys are files of the container, below `/etc/<its name>`. */
  readonly configMap?: string;
  /** Fields of the VirtualService's spec. */
  readonly virtualService?: JsonMap;
  /** What else is in the user's folder. */
  readonly beside?: readonly JsonMap[];
  /** A fresh one when absent. */
  readonly namespace?: string;
  /** The VirtualService that leads to it; when absent one with a rule for `web` and another. */
  readonly gateway?: JsonMap;
};

/** A Deployment, its Service, a VirtualService in front of it, and the Rollout that releases it: all of one name. */
export type Shop = {
  readonly namespace: string;
  readonly name: string;
  /** The object of a kind and the shop's name as the user's folder holds it now. */
  source(kind: string): JsonMap;
  /** Specs as they were stored before the first release, by kind. */
  readonly before: Readonly<Record<'deployment' | 'service' | 'gateway', JsonMap>>;
  /** Applies the Deployment with another version. */
  release(version: string): Promise<void>;
  /** Patches the scale subresource, as autoscalers do. */
  scale(replicas: number): Promise<void>;
  /** Applies the Rollout with another strategy. */
  plan(strategy: JsonMap): Promise<void>;
  /** Patches the Rollout's status, as commands do: sub-status and `release`. */
  request(sub: JsonMap, release?: JsonMap): Promise<void>;
  rollout(): Promise<JsonMap>;
  status(): Promise<JsonMap>;
  /** `step state` of the Rollout, or its phase where no release runs. */
  stands(): Promise<string>;
  deployment(): Promise<JsonMap>;
  gateway(): Promise<JsonMap>;
  /** The version that a release leaves. */
  serving(): Promise<string | undefined>;
  /** Pods by version: how many are wanted, and how many are ready. */
  pods(): Promise<Record<string, { desired: number; ready: number }>>;
  /** Weights by Service, as the rule of the VirtualService that leads to it has them; an only destination has 100. */
  weights(): Promise<Record<string, number>>;
  /** `moving` where the weights changed while it was looked at. */
  traffic(): Promise<TrafficSeen | 'moving'>;
  belongings(): Promise<Belongings>;
  approve(): Promise<void>;
  /** Waits until the Rollout stands in this state of a step. */
  reaches(step: number, state: string, within?: number): Promise<JsonMap>;
  /** Waits until the release is over. */
  ends(outcome: string, within?: number): Promise<JsonMap>;
  /** Waits until the status is so. */
  becomes(what: string, isThere: (status: JsonMap) => boolean, within?: number): Promise<JsonMap>;
};

export const routing: JsonMap = routingOf('web', 'web');

/** A routing of 1 s of grace through a VirtualService. */
export function routingOf(service: string, virtualService: string, gracePeriodSeconds = 1): JsonMap {
  const { apiVersion, kind } = { apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService' };
  return { service, gracePeriodSeconds, customNetworkRefs: [{ apiVersion, kind, name: virtualService }] };
}

/** The source of a VirtualService with one rule that leads to a Service. @param fields of the rule */
export function virtualServiceOf(name: string, fields: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { name },
    spec: { hosts: [name], http: [{ ...fields, route: [{ destination: { host: name } }] }] },
  };
}

/** The ConfigMap that pods of a version need to start, where a shop gives each version its own. */
export function settingsName(version: string): string {
  return `settings-${version}`;
}

/** Opens a shop with version v1 running, and waits until it is armed. */
export async function openShop(cluster: Cluster, options: ShopOptions): Promise<Shop> {
  const { client } = cluster;
  const { name = 'web', replicas = 4, scaledBy = 'source', beside = [] } = options;
  const { container = {}, configMap, gateway: routes = virtualService.source } = options;
  const gateway: JsonMap = { ...routes, spec: { ...(routes['spec'] as JsonMap), ...options.virtualService } };
  const namespace = options.namespace ?? (await cluster.namespace());
  const place = { namespace, name };
  const deployment = (version: string): JsonMap => {
    const fields = typeof container === 'function' ? container(version) : container;
    const made = echoDeployment({ name, version, replicas, container: fields, configMap }) as JsonMap;
    const { replicas: number = null, ...spec } = made['spec'] as JsonMap;
    return { ...made, spec: { ...spec, ...(scaledBy === 'source' ? { replicas: number } : {}), ...options.spec } };
  };
  const rollout = (strategy: JsonMap): JsonMap => ({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name, ...(options.annotations === undefined ? {} : { annotations: options.annotations }) },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, strategy },
  });
  const gatewayName = { namespace, name: stringAt(gateway, 'metadata', 'name') ?? name };
  let sources = [deployment('v1'), echoService(name) as JsonMap, gateway, ...beside, rollout(options.strategy)];
  await cluster.apply(namespace, ...sources);
  if (scaledBy === 'autoscaler') await scaled(cluster, place, replicas);
  const all = async (resource: Resource) => (await client.list(resource, { namespace })).items;
  const versions = new Map<string, string>();
  await until('the workload to be armed and its pods to be reached', async () => {
    const { metadata } = await client.get(RESOURCES.deployment, place);
    const isArmed = JSON.stringify(member(metadata, 'annotations') ?? {}).includes(`directive.sluice.dev/${name}`);
    const ready = Object.values(readyIn(await all(RESOURCES.endpointSlice), name, versions));
    return isArmed && ready.reduce((sum, count) => sum + count, 0) === replicas;
  });
  const [workload, service, route] = await Promise.all([
    client.get(RESOURCES.deployment, place),
    client.get(RESOURCES.service, place),
    client.get(VIRTUAL_SERVICE, gatewayName),
  ]);
  const specOf = ({ spec }: JsonMap) => spec as JsonMap;
  const shop: Shop = {
    namespace,
    name,
    source(kind) {
      const found = sources.find((each) => each['kind'] === kind && stringAt(each, 'metadata', 'name') === name);
      if (found === undefined) throw new Error(`there is no ${kind} in the shop`);
      return found;
    },
    before: { deployment: specOf(workload), service: specOf(service), gateway: specOf(route) },
    async release(version) {
      sources = [deployment(version), ...sources.slice(1)];
      await cluster.apply(namespace, deployment(version));
    },
    scale: (count) => scaled(cluster, place, count),
    plan: (strategy) => cluster.apply(namespace, rollout(strategy)),
    async request(sub, release = {}) {
      const key = isMap((await shop.status())['blueGreenStatus']) ? 'blueGreenStatus' : 'canaryStatus';
      await client.patch(RESOURCES.rollout, place, 'merge', requestOf(key, sub, release), { subresource: 'status' });
    },
    rollout: () => client.get(RESOURCES.rollout, place),
    status: async () => ((await shop.rollout())['status'] ?? {}) as JsonMap,
    async stands() {
      const { phase, currentStepIndex, currentStepState } = await shop.status();
      return phase === 'Progressing' ? `${currentStepIndex} ${currentStepState}` : String(phase);
    },
    deployment: () => client.get(RESOURCES.deployment, place),
    gateway: () => client.get(VIRTUAL_SERVICE, gatewayName),
    async serving() {
      const stable = stringAt(await shop.status(), 'release', 'stableTemplate');
      const template = (await all(RESOURCES.replicaSet))
        .map((set) => at(set, ['spec', 'template']))
        .find((each) => templateHash(each) === stable);
      return stringAt(template, 'metadata', 'labels', 'version');
    },
    async pods() {
      const counts: Record<string, { desired: number; ready: number }> = {};
      for (const set of await all(RESOURCES.replicaSet)) {
        const [spec, status] = [member(set, 'spec'), member(set, 'status')];
        if (stringAt(spec, 'template', 'metadata', 'labels', 'app') !== name) continue;
        const version = stringAt(spec, 'template', 'metadata', 'labels', 'version') ?? '';
        const before = counts[version] ?? { desired: 0, ready: 0 };
        const [desired, ready] = [Number(member(spec, 'replicas')), Number(member(status, 'readyReplicas') ?? 0)];
        counts[version] = { desired: before.desired + desired, ready: before.ready + ready };
      }
      return counts;
    },
    weights: async () => weightsIn(await shop.gateway(), name),
    async traffic() {
      const weights = await shop.weights();
      const slices = await all(RESOURCES.endpointSlice);
      for (const pod of await all(RESOURCES.pod))
        versions.set(stringAt(pod, 'metadata', 'name') ?? '', stringAt(pod, 'metadata', 'labels', 'version') ?? 'none');
      const wanted = Number(at(await shop.deployment(), ['spec', 'replicas']));
      if (!equal(weights, await shop.weights())) return 'moving';
      const endpoints = Object.fromEntries(
        Object.keys(weights).map((service) => [service, readyIn(slices, service, versions)] as const),
      );
      // What `echoDeployment` says.
      return { replicas: wanted, mayMiss: 0, weights, endpoints };
    },
    async belongings() {
      const kinds = [RESOURCES.deployment, RESOURCES.service, VIRTUAL_SERVICE, RESOURCES.replicaSet];
      const [deployments = [], services = [], gateways = [], replicaSets = []] = await Promise.all(kinds.map(all));
      return { deployments, services, gateways, replicaSets };
    },
    async approve() {
      // Named, so that it may come at once.
      const approvedStep = (await shop.status())['currentStepIndex'] ?? null;
      await shop.request({ currentStepState: 'StepReady' }, { approvedStep });
    },
    reaches(step, state, within) {
      return shop.becomes(
        `step ${step} in state ${state}`,
        ({ currentStepIndex, currentStepState }) => currentStepIndex === step && currentStepState === state,
        within,
      );
    },
    ends(outcome, within) {
      return shop.becomes(
        `the outcome ${outcome}`,
        (status) => stringAt(status, 'release', 'outcome') === outcome && status['phase'] === 'Healthy',
        within,
      );
    },
    async becomes(what, isThere, within = 40) {
      let last: JsonMap = {};
      const look = async () => {
        last = await shop.rollout();
        return isThere((last['status'] ?? {}) as JsonMap);
      };
      await until(what, look, within).catch(async (error: unknown) => {
        const state = { status: last['status'], pods: await shop.pods(), weights: await shop.weights() };
        throw new Error(`${String(error)}\n${JSON.stringify(state, null, 1)}`);
      });
      return last;
    },
  };
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

/** The PATCH that autoscalers and `kubectl scale` send. */
async function scaled({ client }: Cluster, name: ObjectName, replicas: number): Promise<void> {
  await client.patch(RESOURCES.deployment, name, 'merge', { spec: { replicas } }, { subresource: 'scale' });
}

function requestOf(key: string, sub: JsonMap, release: JsonMap): JsonMap {
  const parts = { [key]: sub, release };
  return { status: Object.fromEntries(Object.entries(parts).filter(([, part]) => Object.keys(part).length > 0)) };
}

/** Ready endpoints of a Service by version. */
function readyIn(
  slices: readonly JsonMap[],
  service: string,
  versions: ReadonlyMap<string, string>,
): Record<string, number> {
  const endpoints = slices
    .filter((slice) => stringAt(slice, 'metadata', 'labels', 'kubernetes.io/service-name') === service)
    .flatMap(({ endpoints: list }) => (isList(list) ? list : []));
  const sums: Record<string, number> = {};
  for (const endpoint of endpoints) {
    if (at(endpoint, ['conditions', 'ready']) === false) continue;
    const version = versions.get(stringAt(endpoint, 'targetRef', 'name') ?? '') ?? 'gone';
    sums[version] = (sums[version] ?? 0) + 1;
  }
  return sums;
}

/** Weights by Service in the rule of a VirtualService that leads to this one; an only destination has 100. */
export function weightsIn(gateway: JsonMap, name: string): Record<string, number> {
  const rules = at(gateway, ['spec', 'http']);
  const routes = (isList(rules) ? rules : []).map((rule) => {
    const route = member(rule, 'route');
    return (isList(route) ? route : []).map(weight);
  });
  const own = routes.find((route) => route.some(([host]) => host === name || host === `${name}-canary`));
  return Object.fromEntries(own ?? []);
}

function weight(destination: Json): [string, number] {
  const value = member(destination, 'weight');
  return [stringAt(destination, 'destination', 'host') ?? '', typeof value === 'number' ? value : 100];
}
