import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { type Controller, openController } from '../../src/controller/controller.ts';
import type { RolloutFigures } from '../../src/controller/figures.ts';
import { UNMEASURED } from '../../src/controller/measuring.ts';
import { GUARD, inThisThread, library, NAMESPACE } from '../../src/controller/running.testing.ts';
import { at, isList, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { type VirtualClock, virtualClock } from '../../src/kube/virtual-clock.testing.ts';
import type { Script } from '../../src/lua/script.ts';
import type { Measure } from '../../src/release/measures.ts';
import { flooredReplicas } from '../../src/rewrite/floor.ts';
import { createRewriter } from '../../src/rewrite/rewriter.ts';
import { pinnedName, readPinned } from '../../src/rollout/pinned-script.ts';
import { CONTROLLER, type Webhook } from '../native/admission.ts';
import { NativeCluster, type NativeClusterOptions, type SetCount } from '../native/cluster.ts';
import type { Belongings, TrafficSeen } from './invariants.ts';

/** A shop in a cluster in memory: Deployment, Service, VirtualService and Rollout `web` in namespace `shop`. */
export type World = {
  readonly cluster: NativeCluster;
  readonly clock: VirtualClock;
  readonly events: string[];
  /** What came to its end in releases, in whole seconds: `step 12`, `state StepPaused 10`, `release Success 40`. */
  readonly measures: string[];
  readonly logged: unknown[];
  /** What metrics tell of the Rollouts that there are. */
  figures(): RolloutFigures[];
  /** Starts the controller again, as another leader would. */
  restart(): Promise<void>;
  /** Does this while no controller runs. */
  whileDown(act: () => void | Promise<void>): Promise<void>;
  /** `kubectl apply` of the Deployment with another version. */
  release(version: string): void;
  scale(replicas: number): void;
  /** `kubectl apply` of the Rollout with another strategy. */
  plan(strategy: JsonMap): void;
  /** Patches the Rollout's status, as commands do: sub-status and `release`. */
  request(sub: JsonMap, release?: JsonMap): void;
  approve(): void;
  edit(from: 'source' | 'hand', timeout: string): void;
  takePod(): void;
  forget(): void;
  strategy(): JsonMap;
  rollout(): JsonMap;
  status(): JsonMap;
  /** `step state` of the Rollout, or its phase where no release runs. */
  stands(): string;
  serving(): string | undefined;
  milliseconds(): number;
  /** Ready pods by version. */
  ready(): Record<string, number>;
  /** Pods that are wanted by version. */
  desired(): Record<string, number>;
  /** Weights by Service; without a second destination 100. */
  weights(): Record<string, number>;
  /** Ready endpoints of a Service, by version. */
  endpoints(service: string): Record<string, number>;
  /** Pods of a version by the step in which they came, as their labels say. */
  batches(version: string): Record<string, number>;
  traffic(): TrafficSeen;
  belongings(): Belongings;
  /** Lets time pass until the condition holds. @throws with the story when it does not within `seconds` */
  until(what: string, condition: () => boolean, seconds?: number): Promise<void>;
  pass(seconds: number): Promise<void>;
  close(): Promise<void>;
};

export type WorldOptions = {
  readonly strategy: JsonMap;
  readonly replicas?: number;
  readonly annotations?: JsonMap;
  readonly spec?: JsonMap;
  /** Of the pod template. */
  readonly labels?: JsonMap;
  /** What else the user has. */
  readonly objects?: readonly JsonMap[];
  readonly native?: Partial<NativeClusterOptions>;
  /** Called whenever everything has come to rest at a moment. */
  readonly onRest?: (world: World) => void;
};

/** Sluice's own webhook for ReplicaSets. */
const floorWebhook: Webhook = ({ resource, part, incoming, live, by }) => {
  if (resource.kind !== 'ReplicaSet' || part !== 'main' || live === undefined || by.user === CONTROLLER.user)
    return incoming;
  const kept = flooredReplicas(incoming, live);
  return kept === undefined ? incoming : { ...incoming, spec: { ...(incoming['spec'] as JsonMap), replicas: kept } };
};

export const ROUTING: JsonMap = {
  service: 'web',
  gracePeriodSeconds: 3,
  customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'web' }],
};

const WEB = { namespace: 'shop', name: 'web' };

function deployment(version: string, labels: JsonMap, spec: JsonMap): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'shop', name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'web', image: `web:${version}` }] },
      },
      ...spec,
    },
  };
}

/** The user's source, with other fields in its rule. */
function virtualService(fields: JsonMap): JsonMap {
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: WEB,
    spec: { hosts: ['web'], http: [{ ...fields, route: [{ destination: { host: 'web' } }] }] },
  };
}

/** A cluster in memory in which Sluice's webhook answers. */
export function openCluster(clock: VirtualClock, native: Partial<NativeClusterOptions> = {}): NativeCluster {
  const scripts = new Map([...library.scripts.values()].map((script) => [script.hash, script]));
  const cluster: NativeCluster = new NativeCluster({
    clock,
    rewriter: createRewriter((hash) => scripts.get(hash) ?? pinnedScript(cluster, hash)),
    webhooks: [floorWebhook],
    ...native,
  });
  return cluster;
}

/** A user's script, as the controller has stored it. */
function pinnedScript(cluster: NativeCluster, hash: string): Script | undefined {
  const stored = cluster.list(RESOURCES.configMap, NAMESPACE);
  const found = stored.find((object) => stringAt(object, 'metadata', 'name') === pinnedName(hash));
  return found && readPinned(found);
}

/** Starts Sluice's controller in it. */
export function lead(
  cluster: NativeCluster,
  clock: VirtualClock,
  events: string[],
  logged: unknown[],
  measures: string[] = [],
): Controller {
  const controller = openController({
    ...{ api: cluster, watcher: cluster, library, isolate: inThisThread, guard: GUARD, clock, namespace: NAMESPACE },
    event: ({ kind, name }, { type, reason, note }) => events.push(`${type} ${reason} ${kind}/${name}: ${note}`),
    measuring: { ...UNMEASURED, released: (_, measure) => measures.push(measureText(measure)) },
    log: {
      info: () => undefined,
      warn: (...entry: unknown[]) => logged.push(entry),
      error: (...entry: unknown[]) => logged.push(entry),
    },
  });
  controller.considerKinds([]);
  return controller;
}

/** Opens the shop with version v1 at full size and armed. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const { strategy, replicas = 10, spec = {}, annotations, objects = [], native = {}, onRest } = options;
  const { labels = { app: 'web' } } = options;
  const clock = virtualClock();
  const cluster = openCluster(clock, native);
  const events: string[] = [];
  const measures: string[] = [];
  const logged: unknown[] = [];
  const rollout = (plan: JsonMap): JsonMap => ({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { ...WEB, ...(annotations === undefined ? {} : { annotations }) },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, strategy: plan },
  });
  // Who scales keeps the number out of the source.
  cluster.apply(deployment('v1', labels, spec));
  cluster.scale(WEB, replicas);
  cluster.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: WEB,
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
  });
  cluster.apply(virtualService({}));
  for (const object of objects) cluster.apply(object);
  cluster.apply(rollout(strategy));
  const open = () => lead(cluster, clock, events, logged, measures);
  let controller: Controller = open();
  cluster.isBusy = () => {
    const { ready, working } = controller.queueSize();
    return ready + working > 0;
  };

  const versionOf = ({ image }: SetCount) => image.split(':')[1] ?? '';
  const counted = (count: (set: SetCount) => number): Record<string, number> => {
    const extra = cluster
      .list(RESOURCES.deployment, 'shop')
      .map((object) => stringAt(object, 'metadata', 'name') ?? '');
    const sets = extra.flatMap((name) => cluster.setsOf({ namespace: 'shop', name }));
    const sums: Record<string, number> = {};
    for (const set of sets) {
      const sum = (sums[versionOf(set)] ?? 0) + count(set);
      if (sum > 0) sums[versionOf(set)] = sum;
    }
    return sums;
  };
  const sub = () => ('blueGreen' in strategy ? 'blueGreenStatus' : 'canaryStatus');
  const world: World = {
    cluster,
    clock,
    events,
    measures,
    logged,
    figures: () => [...controller.figures()],
    async restart() {
      await controller.close();
      controller = open();
    },
    async whileDown(act) {
      await controller.close();
      await act();
      controller = open();
    },
    release: (version) => void cluster.apply(deployment(version, labels, spec)),
    scale: (count) => void cluster.scale(WEB, count),
    plan: (plan) => void cluster.apply(rollout(plan)),
    request(fields, release = {}) {
      cluster.editStatus(RESOURCES.rollout, WEB, (status) => ({
        ...status,
        [sub()]: { ...(status[sub()] as JsonMap), ...fields },
        release: { ...(status['release'] as JsonMap), ...release },
      }));
    },
    approve: () => world.request({ currentStepState: 'StepReady' }),
    edit(from, timeout) {
      if (from === 'source') return void cluster.apply(virtualService({ timeout }));
      cluster.edit(VIRTUAL_SERVICE, WEB, (live) => {
        const [rule, ...others] = at(live, ['spec', 'http']) as JsonMap[];
        return { ...live, spec: { ...(live['spec'] as JsonMap), http: [{ ...rule, timeout }, ...others] } };
      });
    },
    takePod() {
      const [pod] = cluster.list(RESOURCES.pod, 'shop');
      if (pod === undefined) return;
      cluster.erase(RESOURCES.pod, { namespace: 'shop', name: stringAt(pod, 'metadata', 'name') ?? '' });
    },
    forget: () => cluster.erase(RESOURCES.rollout, WEB),
    strategy: () => member(world.rollout()['spec'], 'strategy') as JsonMap,
    serving() {
      const stable = stringAt(world.status(), 'release', 'stableTemplate');
      const set = cluster.setsOf(WEB).find(({ revision }) => revision === stable);
      return set === undefined ? undefined : versionOf(set);
    },
    milliseconds: () => clock.monotonic(),
    rollout: () => cluster.read(RESOURCES.rollout, WEB),
    status: () => (world.rollout()['status'] ?? {}) as JsonMap,
    stands() {
      const status = world.status();
      if (status['phase'] !== 'Progressing') return String(status['phase']);
      return `${status['currentStepIndex']} ${status['currentStepState']}`;
    },
    ready: () => counted(({ ready }) => ready),
    desired: () => counted(({ desired }) => desired),
    weights() {
      const route = at(cluster.read(VIRTUAL_SERVICE, WEB), ['spec', 'http', 0, 'route']);
      return Object.fromEntries((isList(route) ? route : []).map(destination));
    },
    endpoints(service) {
      const slices = cluster.list(RESOURCES.endpointSlice, 'shop').filter((slice) => {
        return stringAt(slice, 'metadata', 'labels', 'kubernetes.io/service-name') === service;
      });
      const sums: Record<string, number> = {};
      for (const slice of slices) {
        const endpoints = slice['endpoints'];
        for (const endpoint of isList(endpoints) ? endpoints : []) {
          if (at(endpoint, ['conditions', 'ready']) === false) continue;
          const name = stringAt(endpoint, 'targetRef', 'name') ?? '';
          const pod = cluster.read(RESOURCES.pod, { namespace: 'shop', name });
          const image = stringAt(pod, 'spec', 'containers', 0, 'image') ?? '';
          const version = image.split(':')[1] ?? '';
          sums[version] = (sums[version] ?? 0) + 1;
        }
      }
      return sums;
    },
    batches(version) {
      const id = String(member(world.status()[sub()] as JsonMap, 'observedRolloutID'));
      const sums: Record<string, number> = {};
      for (const pod of cluster.list(RESOURCES.pod, 'shop')) {
        const labels = at(pod, ['metadata', 'labels']) as JsonMap;
        const isVersion = JSON.stringify(pod).includes(`web:${version}"`);
        if (!isVersion || labels['rollouts.kruise.io/rollout-id'] !== id) continue;
        const batch = String(labels['rollouts.kruise.io/rollout-batch-id']);
        sums[batch] = (sums[batch] ?? 0) + 1;
      }
      return sums;
    },
    traffic() {
      const replicas = Number(at(cluster.read(RESOURCES.deployment, WEB), ['spec', 'replicas']) ?? 0);
      const weights = world.weights();
      const endpoints = Object.fromEntries(
        Object.keys(weights).map((service) => [service, world.endpoints(service)] as const),
      );
      // Where its owner says nothing a quarter may be missing.
      return { replicas, mayMiss: Math.floor(replicas / 4), weights, endpoints };
    },
    belongings: () => ({
      deployments: cluster.list(RESOURCES.deployment, 'shop'),
      services: cluster.list(RESOURCES.service, 'shop'),
      gateways: cluster.list(VIRTUAL_SERVICE, 'shop'),
      replicaSets: cluster.list(RESOURCES.replicaSet, 'shop'),
    }),
    async until(what, condition, seconds = 120) {
      for (let passed = 0; passed <= seconds * 4; passed++) {
        if (condition()) return;
        await world.pass(0.25);
      }
      const state = { stands: world.stands(), ready: world.ready(), weights: world.weights(), status: world.status() };
      throw new Error(
        `${what} did not come:\n${JSON.stringify(state, null, 1)}\n${cluster.story.slice(-30).join('\n')}\n${JSON.stringify(logged.slice(-5), errorText)}`,
      );
    },
    pass: (seconds) =>
      clock.pass(1000 * seconds, async () => {
        await cluster.settle();
        onRest?.(world);
      }),
    close: () => controller.close(),
  };
  await world.until('an armed workload at full size', () => {
    const annotation = JSON.stringify(member(cluster.read(RESOURCES.deployment, WEB)['metadata'], 'annotations') ?? {});
    return world.ready()['v1'] === replicas && annotation.includes('"armed\\"');
  });
  return world;
}

function destination(entry: Json): [string, number] {
  const weight = member(entry, 'weight');
  return [stringAt(entry, 'destination', 'host') ?? '', typeof weight === 'number' ? weight : 100];
}

function errorText(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.stack : value;
}

function measureText(measure: Measure): string {
  const seconds = Math.round(measure.milliseconds / 1000);
  if (measure.of === 'step') return `step ${seconds}`;
  return measure.of === 'state' ? `state ${measure.state} ${seconds}` : `release ${measure.outcome} ${seconds}`;
}
