import { type JsonMap, stringAt } from '../../json/value.ts';
import { RESOURCES } from '../../kube/resource.ts';
import { directiveKey } from '../../rewrite/directive.ts';
import { UsageError } from '../usage-error.ts';
import type { Invocation } from './invocation.ts';
import { onlyOne, type Part, replicaSetsPart, type Sight, workloadPart } from './parts.ts';
import { rolloutStatus } from './rollout-status.ts';
import { isInRelease, stageOf } from './stage.ts';
import { directiveOn, type Versions, versionsOf } from './versions.ts';

/** The Deployment of a Rollout and its ReplicaSets, for going back and for the history. */
export type Released = {
  /** Undefined where the Rollout is gone, and its workload still held by it. */
  readonly rollout: JsonMap | undefined;
  readonly deployment: JsonMap;
  readonly replicaSets: readonly JsonMap[];
  readonly versions: Versions;
  readonly isInRelease: boolean;
};

/**
 * Reads the Deployment that a Rollout releases. One that a deleted Rollout has left held is found by its annotation.
 * @throws UsageError when there is none, it is of another kind, or it cannot be read
 */
export async function released(invocation: Invocation, name: string): Promise<Released> {
  const { requests, namespace } = invocation;
  const rollout = await requests.rolloutIfAny(namespace, name);
  const deployment =
    rollout === undefined ? await leftBehind(invocation, name) : await deploymentOf(invocation, rollout);
  const replicaSets = needed(await requests.see(replicaSetsPart(deployment))).objects;
  const status = rolloutStatus(rollout ?? LEFT_BEHIND);
  const stage = stageOf(status, directiveOn(deployment, name));
  return {
    rollout,
    deployment,
    replicaSets,
    versions: versionsOf(status, stage, deployment, name),
    isInRelease: isInRelease(stage),
  };
}

/** What is known of a Rollout that is gone: its workload alone tells whether it is held. */
const LEFT_BEHIND: JsonMap = { status: { phase: 'Healthy' } };

async function deploymentOf({ requests }: Invocation, rollout: JsonMap): Promise<JsonMap> {
  const part = workloadPart(rollout);
  if (part === undefined) throw new UsageError('the Rollout names no workload');
  const { apiVersion, kind, name } = part;
  if (kind !== 'Deployment' || !apiVersion.startsWith('apps/')) {
    throw new UsageError(`this is for Deployments; use kubectl rollout for ${kind} ${name}`);
  }
  const here: Part = { ...part, apiVersion: 'apps/v1' };
  const deployment = onlyOne(needed(await requests.see(here)));
  if (deployment === undefined) throw new UsageError(`there is no Deployment ${name} in namespace ${part.namespace}`);
  return deployment;
}

async function leftBehind({ requests, namespace }: Invocation, name: string): Promise<JsonMap> {
  const all = await requests.list(RESOURCES.deployment, namespace);
  const held = all.find(
    (deployment) => stringAt(deployment, 'metadata', 'annotations', directiveKey(name)) !== undefined,
  );
  if (held === undefined) throw await requests.noRollout(namespace, name);
  return held;
}

function needed(sight: Sight): Sight & { readonly state: 'seen' } {
  if (sight.state === 'unreadable') throw new UsageError(sight.reason);
  return sight;
}
