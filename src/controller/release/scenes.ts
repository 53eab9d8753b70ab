import type { JsonMap } from '../../json/value.ts';
import type { Clock } from '../../kube/clock.ts';
import { RESOURCES, type Resource } from '../../kube/resource.ts';
import { followedName } from '../../rollout/made-for.ts';
import { encodePodMetadata } from '../../rollout/pod-metadata.ts';
import { TryAgain } from '../api.ts';
import type { RolloutIndex } from '../rollout-index.ts';
import type { Change, Watch, Watcher } from '../watcher.ts';
import { Grouped } from './grouped.ts';
import {
  type DeploymentSeen,
  deploymentSeen,
  type PodSeen,
  podSeen,
  type ReplicaSetSeen,
  replicaSetSeen,
  type SliceSeen,
  sliceSeen,
} from './scene-objects.ts';

/** What belongs to the releases of one namespace. */
export type Scene = {
  deployment(name: string): DeploymentSeen | undefined;
  /** The canary Deployment of a workload. */
  canaryOf(workload: string): DeploymentSeen | undefined;
  setsOf(deployment: DeploymentSeen): readonly ReplicaSetSeen[];
  podsOf(set: ReplicaSetSeen): readonly PodSeen[];
  pod(name: string): PodSeen | undefined;
  /** The whole object. */
  service(name: string): JsonMap | undefined;
  /** Names of the endpoints of a Service, without repetitions. */
  endpoints(service: string): { readonly ready: ReadonlySet<string>; readonly all: ReadonlySet<string> };
};

/** What a Rollout hears of: what it names, or, where what it has left says more than what it names, everything. */
export type Interest = 'named' | 'all';

/**
 * Watches what releases need to see closely (whole Deployments, ReplicaSets, Services, EndpointSlices), in the namespaces
 * where one runs and only as long.
 */
export type Scenes = {
  /** @throws TryAgain until everything in the namespace has been seen once; an event tells when. */
  of(namespace: string, rolloutKey: string, interest?: Interest): Scene;
  /** The Rollout needs it no longer. */
  leave(rolloutKey: string): void;
  close(): void;
};

export type ScenesOptions = {
  readonly watcher: Watcher;
  readonly index: RolloutIndex;
  readonly clock: Clock;
  /** Something happened that matters to these Rollouts. */
  readonly queue: (keys: Iterable<string>) => void;
};

/** So long a namespace stays watched after its last release: the next one may be near. */
const LINGER_MILLISECONDS = 60_000;

type Open = {
  readonly users: Map<string, Interest>;
  readonly watches: readonly Watch<unknown>[];
  readonly scene: Scene;
  cancelClosing: () => void;
};

export function openScenes({ watcher, index, clock, queue }: ScenesOptions): Scenes {
  const open = new Map<string, Open>();

  function start(namespace: string): Open {
    const users = new Map<string, Interest>();
    const tell = () => queue(users.keys());
    const tellInterested = () => queue([...users].flatMap(([key, interest]) => (interest === 'all' ? [key] : [])));
    const naming = (kind: string, group: string, name: string) => queue(index.naming({ group, kind, name }, namespace));
    const watch = <T>(
      resource: Resource,
      trim: (object: JsonMap) => T,
      onChange: (change: Change<T>) => void,
      metadataOnly = false,
    ) =>
      watcher.watch<T>({
        resource,
        selection: { namespace },
        metadataOnly,
        trim,
        onChange: (change) => {
          onChange(change);
          tellInterested();
        },
        onState: tell,
      });
    const canaries = new Grouped<DeploymentSeen>(({ canaryOf }) => canaryOf);
    const setsByOwner = new Grouped<ReplicaSetSeen>(({ owner }) => owner);
    const podsByOwner = new Grouped<PodSeen>(({ owner }) => owner);
    const slicesByService = new Grouped<SliceSeen>(({ service: name }) => name);
    const workload = ({ name, canaryOf }: DeploymentSeen) => naming('Deployment', 'apps', canaryOf || name);
    const deployments = watch(RESOURCES.deployment, deploymentSeen, (change) => {
      const { before, after } = change;
      canaries.take(change);
      for (const seen of [before, after]) if (seen !== undefined) workload(seen);
    });
    const sets = watch(RESOURCES.replicaSet, replicaSetSeen, (change) => {
      setsByOwner.take(change);
      const seen = change.after ?? change.before;
      const owner = seen && deployments.get(namespace, seen.ownerName);
      if (owner !== undefined) workload(owner);
    });
    const pods = watch(
      RESOURCES.pod,
      podSeen,
      (change) => {
        const { before, after } = change;
        podsByOwner.take(change);
        const seen = after ?? before;
        // What a pod does shows in its ReplicaSet; here only a new one matters, and one with other labels.
        const isNews =
          before === undefined || after === undefined || encodePodMetadata(before) !== encodePodMetadata(after);
        const set = seen && isNews ? sets.get(namespace, seen.ownerName) : undefined;
        const owner = set && deployments.get(namespace, set.ownerName);
        if (owner !== undefined) workload(owner);
      },
      true,
    );
    const service = (name: string) => {
      naming('Service', '', name);
      const stable = followedName(name);
      if (stable !== undefined) naming('Service', '', stable);
    };
    const services = watch(
      RESOURCES.service,
      (object) => object,
      ({ before, after }) => {
        service(nameOf(after ?? before));
      },
    );
    const slices = watch(RESOURCES.endpointSlice, sliceSeen, (change) => {
      slicesByService.take(change);
      const seen = change.after ?? change.before;
      if (seen !== undefined) service(seen.service);
    });
    return {
      users,
      watches: [deployments, sets, pods, services, slices],
      cancelClosing: () => undefined,
      scene: {
        deployment: (name) => deployments.get(namespace, name),
        canaryOf: (name) => canaries.of(name)[0],
        setsOf: ({ uid }) => setsByOwner.of(uid),
        podsOf: ({ uid }) => podsByOwner.of(uid).filter(({ isDeleting }) => !isDeleting),
        pod: (name) => pods.get(namespace, name),
        service: (name) => services.get(namespace, name),
        endpoints(name) {
          const own = slicesByService.of(name);
          return {
            ready: new Set(own.flatMap(({ ready }) => ready)),
            all: new Set(own.flatMap(({ all }) => all)),
          };
        },
      },
    };
  }

  function leave(rolloutKey: string): void {
    for (const [namespace, entry] of open) {
      if (!entry.users.delete(rolloutKey) || entry.users.size > 0) continue;
      entry.cancelClosing();
      entry.cancelClosing = clock.after(LINGER_MILLISECONDS, () => {
        if (entry.users.size > 0) return;
        open.delete(namespace);
        for (const each of entry.watches) each.close();
      });
    }
  }

  return {
    of(namespace, rolloutKey, interest = 'named') {
      const entry = open.get(namespace) ?? start(namespace);
      open.set(namespace, entry);
      entry.cancelClosing();
      entry.users.set(rolloutKey, interest);
      const late = entry.watches.find((each) => !each.hasSynced());
      if (late !== undefined) {
        const why = late.state().message || 'its objects have not all been seen yet';
        throw new TryAgain(`namespace ${namespace}: ${why}`);
      }
      return entry.scene;
    },
    leave,
    close() {
      for (const { watches, cancelClosing } of open.values()) {
        cancelClosing();
        for (const each of watches) each.close();
      }
      open.clear();
    },
  };
}

function nameOf(object: JsonMap | undefined): string {
  const metadata = object?.['metadata'];
  return typeof metadata === 'object' && metadata !== null && 'name' in metadata ? String(metadata['name']) : '';
}
