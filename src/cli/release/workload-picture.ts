import { at, type JsonMap, member, stringAt } from '../../json/value.ts';
import { templateHash } from '../../rewrite/template.ts';
import { imagesOf, mapsAt, numberAt } from './fields.ts';
import { type Observed, onlyOne, type Sight, workloadPart } from './parts.ts';
import type { PodPicture, SetPicture, WorkloadPicture } from './picture.ts';
import { podPicture } from './pod-picture.ts';
import { roleOf, type Versions } from './versions.ts';

/** The annotation that numbers the revisions of a Deployment (apps/v1; pkg/controller/deployment/util). */
const REVISION = 'deployment.kubernetes.io/revision';

/** The workload with its ReplicaSets and their pods. */
export function workloadPicture(observed: Observed, versions: Versions, now: Date): WorkloadPicture {
  const workload = onlyOne(observed.workload);
  const { kind = '', name = '' } = workloadPart(observed.rollout) ?? {};
  const base = { kind, name, images: '', replicas: 0, paused: false, sets: [] };
  if (observed.workload.state === 'unreadable')
    return { ...base, state: 'unreadable', reason: observed.workload.reason };
  if (workload === undefined) return { ...base, state: 'missing' };
  const unread = [observed.canaryDeployments, observed.replicaSets, observed.pods].flatMap((sight) =>
    sight.state === 'unreadable' ? [sight.reason] : [],
  );
  return {
    ...base,
    images: imagesOf(at(workload, ['spec', 'template'])),
    replicas: numberAt(workload, 'spec', 'replicas') ?? 1,
    paused: at(workload, ['spec', 'paused']) === true,
    state: 'found',
    ...(unread.length === 0 ? {} : { reason: unread.join('; ') }),
    sets: setsOf(observed, [workload, ...objectsOf(observed.canaryDeployments)], versions, now),
  };
}

/** The ReplicaSets that one of the Deployments owns; the labels that select them may select others, too. */
export function ownedBy(deployments: readonly JsonMap[], replicaSets: readonly JsonMap[]): JsonMap[] {
  const owners = new Set(deployments.map((deployment) => stringAt(deployment, 'metadata', 'uid')));
  return replicaSets.filter((replicaSet) => owners.has(ownerOf(replicaSet)));
}

/** The number of a ReplicaSet's revision; undefined where it has none yet. */
export function revisionOf(replicaSet: JsonMap): number | undefined {
  const text = stringAt(replicaSet, 'metadata', 'annotations', REVISION) ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function setsOf(
  observed: Observed,
  deployments: readonly JsonMap[],
  versions: Versions,
  now: Date,
): readonly SetPicture[] {
  const pods = Map.groupBy(objectsOf(observed.pods), ownerOf);
  const names = new Map(deployments.map((each) => [stringAt(each, 'metadata', 'uid'), nameOf(each)]));
  return ownedBy(deployments, objectsOf(observed.replicaSets))
    .map((set): SetPicture => {
      const deployment = names.get(ownerOf(set)) ?? '';
      // What a canary Deployment runs is the new version, whatever labels its template was given beside.
      const role = deployment === nameOf(deployments[0]) ? roleOf(set, versions) : 'canary';
      const own = pods.get(stringAt(set, 'metadata', 'uid')) ?? [];
      return setPicture(set, deployment, role, own.map((pod) => podPicture(pod, now)).sort(worstFirst));
    })
    .filter(({ desired, replicas, role, pods: own }) => desired + replicas + own.length > 0 || role !== 'other')
    .sort((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role) || (b.revision ?? 0) - (a.revision ?? 0));
}

const ORDER = ['stable', 'canary', 'other'];

function setPicture(
  set: JsonMap,
  deployment: string,
  role: SetPicture['role'],
  pods: readonly PodPicture[],
): SetPicture {
  const template = member(member(set, 'spec'), 'template');
  const revision = revisionOf(set);
  return {
    name: nameOf(set),
    deployment,
    role,
    ...(revision === undefined ? {} : { revision }),
    template: templateHash(template),
    images: imagesOf(template),
    desired: numberAt(set, 'spec', 'replicas') ?? 1,
    replicas: numberAt(set, 'status', 'replicas') ?? 0,
    ready: numberAt(set, 'status', 'readyReplicas') ?? 0,
    pods,
  };
}

/** Problems first, then what is not ready: where only some pods are shown, it is these. */
function worstFirst(a: PodPicture, b: PodPicture): number {
  const rank = ({ isProblem, ready }: PodPicture): number => (isProblem ? 0 : ready ? 2 : 1);
  return rank(a) - rank(b) || (a.name < b.name ? -1 : 1);
}

/** The uid of the controller among an object's owners. */
function ownerOf(object: JsonMap): string | undefined {
  return stringAt(
    mapsAt(object, 'metadata', 'ownerReferences').find(({ controller }) => controller === true),
    'uid',
  );
}

function objectsOf(sight: Sight): readonly JsonMap[] {
  return sight.state === 'seen' ? sight.objects : [];
}

function nameOf(object: JsonMap | undefined): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}
