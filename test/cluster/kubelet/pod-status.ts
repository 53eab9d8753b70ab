import type { ContainerRunner } from './container-runner.ts';
import type { Place } from './downward.ts';
import type { Condition, ContainerState, Pod } from './pod-object.ts';

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export type Observed = {
  readonly pod: Pod;
  readonly place: Place;
  readonly startTime: string;
  readonly init: readonly ContainerRunner[];
  readonly main: readonly ContainerRunner[];
  /** The init containers have all succeeded. */
  readonly isInitialized: boolean;
  /** No container will start again. */
  readonly isOver: boolean;
};

/** The status of a pod, as a strategic merge patch of it. `now` goes into conditions that have changed. */
export function podStatus(observed: Observed, now: string): { readonly status: object } {
  const { pod, place, startTime, init, main, isInitialized } = observed;
  const phase = phaseOf(observed);
  const areReady = main.length > 0 && main.every((runner) => runner.ready);
  const gates = (pod.spec.readinessGates ?? []).map(({ conditionType }) => conditionType);
  const gatesOpen = gates.every((type) => pod.status?.conditions?.some((c) => c.type === type && c.status === 'True'));
  const reason = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : 'ContainersNotReady';
  const conditions = [
    condition(pod, 'PodReadyToStartContainers', phase === 'Pending' || phase === 'Running', reason, now),
    condition(pod, 'Initialized', isInitialized, 'ContainersNotInitialized', now),
    condition(pod, 'ContainersReady', areReady, reason, now),
    condition(pod, 'Ready', areReady && gatesOpen, areReady ? 'ReadinessGatesNotReady' : reason, now),
  ];
  return {
    status: {
      phase,
      startTime,
      hostIP: place.node.address,
      hostIPs: [{ ip: place.node.address }],
      podIP: place.podIP,
      podIPs: [{ ip: place.podIP }],
      conditions,
      initContainerStatuses: init.map(containerStatus),
      containerStatuses: main.map(containerStatus),
    },
  };
}

function phaseOf({ init, main, isOver }: Observed): Phase {
  const codes = [...init, ...main].map(({ state }) => exitCodeOf(state));
  if (isOver) return codes.every((code) => code === 0) ? 'Succeeded' : 'Failed';
  return main.some(({ state, lastState }) => !('waiting' in state) || lastState !== undefined) ? 'Running' : 'Pending';
}

function exitCodeOf(state: ContainerState): number | undefined {
  return 'terminated' in state ? state.terminated.exitCode : undefined;
}

function condition(pod: Pod, type: string, isTrue: boolean, reason: string, now: string): object {
  const status = isTrue ? 'True' : 'False';
  const before: Condition | undefined = pod.status?.conditions?.find((known) => known.type === type);
  const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
  return { type, status, lastTransitionTime, reason: isTrue ? null : reason };
}

function containerStatus({ container, ...runner }: ContainerRunner): object {
  const { state, lastState, ready, started, restartCount, containerID } = runner;
  return {
    name: container.name,
    image: container.image,
    imageID: `checkout://${container.image}`,
    containerID,
    state,
    lastState: lastState ?? {},
    ready,
    started,
    restartCount,
  };
}
