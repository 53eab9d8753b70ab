import type { Rollout } from '../../api/generated.ts';
import { canaryName } from '../../api/names.ts';
import { at, type JsonMap } from '../../json/value.ts';
import { type Action, directiveKey, encodeDirective, FORMAT } from '../../rewrite/directive.ts';
import { templateHash } from '../../rewrite/template.ts';
import type { Observed, Sight } from './parts.ts';
import { observedOf, type Part, partKey } from './parts.ts';

/** A release of Deployment shop/web from web:1 to web:2, as the API server has it at this moment. */
export const NOW = new Date('2026-05-01T12:00:00Z');

/** RFC 3339, so many seconds before {@link NOW}. */
export function ago(seconds: number): string {
  return `${new Date(NOW.getTime() - seconds * 1000).toISOString().slice(0, 19)}Z`;
}

const NAMESPACE = 'shop';
export const HASHES = { stable: '6d5f9c7b8', canary: '7f8b6d5c9' } as const;

export function template(image: string): JsonMap {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image }] } };
}
export const TEMPLATES = { stable: template('web:1'), canary: template('web:2') } as const;
export const TEMPLATE_HASHES = {
  stable: templateHash(TEMPLATES.stable),
  canary: templateHash(TEMPLATES.canary),
} as const;

const STEPS = [
  { traffic: '5%', replicas: '20%', pause: { duration: 600 } },
  {
    traffic: '20%',
    replicas: 2,
    matches: [{ headers: [{ name: 'version', type: 'Exact', value: 'canary' }] }],
    pause: {},
  },
  { replicas: '100%' },
];

type Spec = NonNullable<Rollout['spec']>;

/** A Rollout; `strategy` is its canary strategy. */
export function rollout(status: JsonMap, strategy: JsonMap = {}, spec: JsonMap = {}, metadata: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: NAMESPACE, uid: 'rollout', creationTimestamp: ago(4 * 86_400), ...metadata },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: {
        canary: {
          steps: STEPS,
          trafficRoutings: [
            {
              service: 'web',
              customNetworkRefs: [{ apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', name: 'web' }],
            },
          ],
          ...strategy,
        },
      },
      ...spec,
    } satisfies Record<keyof Pick<Spec, 'workloadRef' | 'strategy'>, unknown>,
    status,
  };
}

/** A status within a release, in the shapes of compat §1.5; top-level step fields follow the sub-status. */
export function progressing(
  sub: JsonMap = {},
  { release = {}, reason = 'InRolling', ...more }: { release?: JsonMap; reason?: string } & JsonMap = {},
): JsonMap {
  const step = { currentStepIndex: 2, currentStepState: 'StepPaused', ...sub };
  return {
    phase: 'Progressing',
    message: '',
    observedGeneration: 1,
    currentStepIndex: step.currentStepIndex,
    currentStepState: step.currentStepState,
    conditions: [{ type: 'Progressing', status: 'True', reason, message: '' }],
    canaryStatus: {
      stableRevision: HASHES.stable,
      podTemplateHash: HASHES.canary,
      canaryRevision: TEMPLATE_HASHES.canary,
      canaryReplicas: 2,
      canaryReadyReplicas: 2,
      nextStepIndex: 3,
      finalisingStep: '',
      lastUpdateTime: ago(250),
      ...step,
    },
    release: {
      stableTemplate: TEMPLATE_HASHES.stable,
      canaryTemplate: TEMPLATE_HASHES.canary,
      startTime: ago(1_000),
      weight: 20,
      hasMatches: true,
      ...release,
    },
    ...more,
  };
}

/** A status without a release; `release` tells of the last one. */
export function healthy(release?: JsonMap): JsonMap {
  return {
    phase: 'Healthy',
    message: '',
    currentStepIndex: 3,
    currentStepState: 'Completed',
    conditions: [{ type: 'Progressing', status: 'False', reason: 'Completed', message: '' }],
    ...(release === undefined
      ? {}
      : {
          canaryStatus: { currentStepIndex: 3, nextStepIndex: -1, currentStepState: 'Completed', finalisingStep: '' },
          release: { stableTemplate: TEMPLATE_HASHES.stable, canaryTemplate: TEMPLATE_HASHES.canary, ...release },
        }),
  };
}

/** The annotations of an object with the Rollout's directive. */
export function directive(action: Action, more: { readonly revision?: string; readonly step?: number } = {}): JsonMap {
  const text = encodeDirective({
    format: FORMAT,
    rollout: { namespace: NAMESPACE, name: 'web', uid: 'rollout' },
    revision: more.revision ?? TEMPLATE_HASHES.canary,
    step: more.step ?? 2,
    continues: true,
    action,
  });
  return { [directiveKey('web')]: text };
}

export const HELD = directive({ type: 'workload', style: 'partition', stable: TEMPLATE_HASHES.stable, paused: true });
export const ARMED = directive({ type: 'armed', style: 'partition' }, { revision: '', step: 0 });

/** The Deployment; it says web:2 unless another template is given. */
export function deployment(spec: JsonMap = {}, annotations: JsonMap = HELD, metadata: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: NAMESPACE, uid: 'deployment', annotations, ...metadata },
    spec: { replicas: 5, paused: true, selector: { matchLabels: { app: 'web' } }, template: TEMPLATES.canary, ...spec },
  };
}

type SetOptions = {
  readonly desired?: number;
  readonly ready?: number;
  /** uid of the Deployment. */
  readonly owner?: string;
  readonly annotations?: JsonMap;
  /** Its age. */
  readonly seconds?: number;
};

/** A ReplicaSet of the Deployment. */
export function replicaSet(
  hash: string,
  revision: number,
  podTemplate: JsonMap,
  { desired = 1, ready = desired, owner = 'deployment', annotations = {}, seconds = 86_400 }: SetOptions = {},
): JsonMap {
  const labels = { ...(at(podTemplate, ['metadata', 'labels']) as JsonMap), 'pod-template-hash': hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `web-${hash}`,
      namespace: NAMESPACE,
      uid: `set-${hash}`,
      labels,
      annotations: { 'deployment.kubernetes.io/revision': String(revision), ...annotations },
      ownerReferences: [{ kind: 'Deployment', uid: owner, controller: true }],
      creationTimestamp: ago(seconds),
    },
    spec: { replicas: desired, template: { ...podTemplate, metadata: { labels } } },
    status: { replicas: desired, readyReplicas: ready },
  };
}

/** A pod of a ReplicaSet; ready and running unless its status says otherwise. */
export function pod(hash: string, suffix: string, status: JsonMap = {}, metadata: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${hash}-${suffix}`,
      namespace: NAMESPACE,
      uid: `pod-${hash}-${suffix}`,
      labels: { app: 'web' },
      ownerReferences: [{ kind: 'ReplicaSet', uid: `set-${hash}`, controller: true }],
      creationTimestamp: ago(900),
      ...metadata,
    },
    spec: { containers: [{ name: 'web', image: 'web' }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'web', ready: true, restartCount: 0, state: { running: {} } }],
      ...status,
    },
  };
}

/** The status of a pod whose container waits for a reason. */
export function waitingFor(reason: string, message = ''): JsonMap {
  return {
    phase: 'Pending',
    conditions: [{ type: 'Ready', status: 'False' }],
    containerStatuses: [{ name: 'web', ready: false, restartCount: 0, state: { waiting: { reason, message } } }],
  };
}

export function service(name: string, annotations: JsonMap = {}, selector: JsonMap = { app: 'web' }): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE, uid: `service-${name}`, annotations },
    spec: { selector, ports: [{ port: 80 }] },
  };
}

export function virtualService(annotations: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { name: 'web', namespace: NAMESPACE, uid: 'virtual-service', annotations },
    spec: { hosts: ['web'] },
  };
}

/** What step 2 of the Rollout wants of its VirtualService. */
export const STEERED = directive({
  type: 'gateway',
  contract: 'custom',
  script: { name: 'networking.istio.io/VirtualService', hash: 'h' },
  routes: [{ stableService: 'web', canaryService: canaryName('web') }],
  weight: 20,
  matches: [{ headers: [{ name: 'version', type: 'Exact', value: 'canary' }] }],
});

/** Everything of the release at its second step, which waits for an approval. */
export function atStepTwo(): JsonMap[] {
  const pin = { type: 'service', selector: { 'pod-template-hash': HASHES.stable } } as const;
  return [
    rollout(progressing()),
    deployment(),
    replicaSet(HASHES.stable, 2, TEMPLATES.stable, { desired: 3 }),
    replicaSet(HASHES.canary, 3, TEMPLATES.canary, { desired: 2 }),
    replicaSet('5c4d3b2a1', 1, template('web:0'), { desired: 0 }),
    ...['c2x7k', 'k9m4p', 'z5t8w'].map((suffix) => pod(HASHES.stable, suffix)),
    ...['b3n6q', 'w7r2d'].map((suffix) => pod(HASHES.canary, suffix)),
    service('web', directive(pin)),
    service('web-canary', {}, { app: 'web', 'pod-template-hash': HASHES.canary }),
    virtualService(STEERED),
  ];
}

/** What somebody who may read all of it sees of these objects. */
export function observed(objects: readonly JsonMap[], unreadable: Readonly<Record<string, string>> = {}): Observed {
  const found = observedOf({ namespace: NAMESPACE, name: 'web' }, (part) => sightOf(part, objects, unreadable));
  if (typeof found === 'string') throw new Error(`the Rollout is ${found}`);
  return found;
}

function sightOf(part: Part, objects: readonly JsonMap[], unreadable: Readonly<Record<string, string>>): Sight {
  const reason = unreadable[part.kind];
  if (reason !== undefined) return { state: 'unreadable', reason };
  const ofKind = objects.filter(({ apiVersion, kind }) => apiVersion === part.apiVersion && kind === part.kind);
  return { state: 'seen', objects: 'name' in part ? ofKind.filter((each) => keyOf(each) === partKey(part)) : ofKind };
}

function keyOf(object: JsonMap): string {
  const [apiVersion, kind] = [String(object['apiVersion']), String(object['kind'])];
  return partKey({ apiVersion, kind, namespace: NAMESPACE, name: String(at(object, ['metadata', 'name'])) });
}
