import { type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { type Action, directiveKey, encodeDirective, FORMAT } from '../../../src/rewrite/directive.ts';
import { templateHash } from '../../../src/rewrite/template.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { echoDeployment, echoService } from '../echo.ts';
import { definition } from '../rollout-controller.ts';

export const GATEWAY_GROUP = 'commands.e2e.example.com';

/**
 * A release that stands still, in a namespace without Sluice: a Deployment `web` whose native controller is held in the
 * middle as the walk of a partition release holds it, with real pods of two versions, and a Rollout whose status and
 * directives are written by the tests.
 */
export type Held = {
  readonly namespace: string;
  readonly hashes: { readonly stable: string; readonly canary: string };
  /** The status of the release at its first step, with other fields. */
  status(sub?: JsonMap, more?: JsonMap, release?: JsonMap): JsonMap;
  /** Writes the Rollout's status whole. */
  write(status: JsonMap): Promise<void>;
  rollout(): Promise<JsonMap>;
  deployment(): Promise<JsonMap>;
};

const STEPS = [
  { traffic: '20%', replicas: 1, pause: {} },
  { traffic: '50%', replicas: '50%', pause: { duration: 600 } },
  { replicas: '100%' },
];

export async function heldRelease({ client, apply, namespace: newNamespace, kubectl }: Cluster): Promise<Held> {
  const namespace = await newNamespace();
  const name = { namespace, name: 'web' };
  await kubectl(['apply', '--server-side', '--force-conflicts', '-f', 'chart/files/crds']);
  await apply(namespace, definition(GATEWAY_GROUP, 'Waf'));
  const gateway = { apiVersion: `${GATEWAY_GROUP}/v1`, kind: 'Waf', name: 'web' };
  const route = { apiVersion: gateway.apiVersion, kind: 'Waf', metadata: { name: 'web' }, spec: {} };
  await kubectl(['wait', '--for=condition=Established', `crd/wafs.${GATEWAY_GROUP}`, '--timeout=30s']);
  await apply(namespace, deploymentOf('v1'), echoService('web'), rolloutOf(gateway), route);
  const deployment = () => client.get(RESOURCES.deployment, name);
  const stable = hashOf(await deployment());
  const isReady = async (updated: number, all: number) => {
    const { status } = await deployment();
    return member(status, 'readyReplicas') === all && member(status, 'updatedReplicas') === updated;
  };
  await until('the first version to be ready', () => isReady(3, 3));
  await apply(namespace, deploymentOf('v2', HOLD));
  await until('a pod of the second version to be ready beside it', () => isReady(1, 4));
  const canary = hashOf(await deployment());
  const annotate = (resource: string, action: Action, revision: string) =>
    kubectl([
      'annotate',
      '-n',
      namespace,
      resource,
      `${directiveKey('web')}=${directive(namespace, action, revision)}`,
    ]);
  await annotate('deployment/web', { type: 'workload', style: 'partition', stable, paused: true }, canary);
  await annotate(`wafs.${GATEWAY_GROUP}/web`, GATEWAY, canary);
  const held: Held = {
    namespace,
    hashes: { stable, canary },
    status: (sub, more, release) => statusOf({ stable, canary }, sub, more, release),
    async write(status) {
      const { metadata } = await held.rollout();
      const body = [
        { op: 'test', path: '/metadata/uid', value: stringAt(metadata, 'uid') ?? '' },
        { op: 'add', path: '/status', value: status },
      ];
      await client.patch(RESOURCES.rollout, name, 'json', body, { subresource: 'status' });
    },
    rollout: () => client.get(RESOURCES.rollout, name),
    deployment,
  };
  await held.write(held.status());
  return held;
}

/** How the walk holds the native controller: one new pod beside all old ones, and none that counts as available. */
const HOLD = {
  minReadySeconds: 2_147_483_646,
  progressDeadlineSeconds: 2_147_483_647,
};

function deploymentOf(version: string, spec: JsonMap = {}): JsonMap {
  const made = echoDeployment({ name: 'web', version, replicas: 3 }) as JsonMap;
  return { ...made, spec: { ...(made['spec'] as JsonMap), ...spec } };
}

function rolloutOf(gateway: JsonMap): JsonMap {
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: { canary: { steps: STEPS, trafficRoutings: [{ service: 'web', customNetworkRefs: [gateway] }] } },
    },
  };
}

const GATEWAY: Action = {
  type: 'gateway',
  contract: 'custom',
  script: { name: `${GATEWAY_GROUP}/Waf`, hash: 'h' },
  routes: [{ stableService: 'web', canaryService: 'web-canary' }],
  weight: 20,
};

function directive(namespace: string, action: Action, revision: string): string {
  const rollout = { namespace, name: 'web', uid: 'u' };
  return encodeDirective({ format: FORMAT, rollout, revision, step: 1, continues: true, action });
}

function hashOf(deployment: JsonMap): string {
  return templateHash(member(member(deployment, 'spec'), 'template'));
}

/** The shapes of compat §1.5, and what Sluice keeps beside them. */
function statusOf(
  { stable, canary }: Held['hashes'],
  sub: JsonMap = {},
  more: JsonMap = {},
  release: JsonMap = {},
): JsonMap {
  const now = new Date().toISOString();
  const step = { currentStepIndex: 1, currentStepState: 'StepPaused', ...sub };
  const condition = { type: 'Progressing', status: 'True', reason: 'InRolling', message: '' };
  return {
    observedGeneration: 1,
    phase: 'Progressing',
    message: 'Rollout is in step(1/3), and needs manual confirmation to enter the next step',
    currentStepIndex: step.currentStepIndex,
    currentStepState: step.currentStepState,
    conditions: [{ ...condition, lastUpdateTime: now, lastTransitionTime: now }],
    canaryStatus: {
      podTemplateHash: '',
      canaryRevision: canary,
      canaryReplicas: 1,
      canaryReadyReplicas: 1,
      nextStepIndex: 2,
      finalisingStep: '',
      lastUpdateTime: now,
      ...step,
    },
    release: { stableTemplate: stable, canaryTemplate: canary, startTime: now, weight: 20, ...release },
    ...more,
  };
}
