import { ANNOTATIONS, LABELS } from '../../api/names.ts';
import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../../json/value.ts';
import type { Workload } from '../../release/observed.ts';
import type { Amount } from '../../release/replicas.ts';
import { type Directive, directiveKey, readDirective } from '../../rewrite/directive.ts';
import { CorruptOriginal, decodeOriginal } from '../../rewrite/original.ts';
import { ownOf } from '../../rewrite/own-keys.ts';
import { templateHash } from '../../rewrite/template.ts';
import { followedName, madeFor } from '../../rollout/made-for.ts';
import { metadataTexts, type PodMetadata, selectorKeys } from '../../rollout/pod-metadata.ts';
import { contentOf } from '../seen.ts';

/** What is kept of a Deployment in a namespace with releases. */
export type DeploymentSeen = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The same text as long as spec, labels and annotations are the same. */
  readonly content: string;
  readonly isDeleting: boolean;
  readonly replicas: number;
  readonly generation: number;
  readonly isObserved: boolean;
  readonly template: string;
  readonly isPaused: boolean;
  readonly directives: readonly Directive[];
  /** Annotations that belong on ReplicaSets only. */
  readonly strayMarks: readonly string[];
  readonly own: Workload['own'] & {
    /** Those that a release rewrites, as fields of a Deployment's spec. */
    readonly fields: JsonMap;
  };
  readonly rolloutId: string;
  /** Kind and name of the object that controls it; empty for none. */
  readonly controller: string;
  /** The version that may come out though its Rollout is gone (annotation `sluice.dev/resume`); empty for none. */
  readonly resumed: string;
  /** Labels by which it selects its pods. */
  readonly selectingLabels: readonly string[];
  /** The workload whose canary Deployment this is; empty for users' own. */
  readonly canaryOf: string;
  readonly updated: number;
  readonly available: number;
  readonly total: number;
};

export type ReplicaSetSeen = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Uid and name of the Deployment that controls it. */
  readonly owner: string;
  readonly ownerName: string;
  readonly template: string;
  readonly podTemplateHash: string;
  readonly desired: number;
  readonly created: number;
  readonly ready: number;
  readonly minReadySeconds: number;
  readonly floor: string;
  readonly scaledFor: number | undefined;
  readonly podMetadata: string;
  readonly templateMetadata: PodMetadata;
  readonly isDeleting: boolean;
};

export type PodSeen = PodMetadata & {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  /** Uid and name of the ReplicaSet that controls it. */
  readonly owner: string;
  readonly ownerName: string;
  readonly isDeleting: boolean;
};

/** Endpoints of a Service in one slice, by the names of their pods, or addresses where they have none. */
export type SliceSeen = {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly ready: readonly string[];
  /** Ready or not. */
  readonly all: readonly string[];
};

/** Takes a Deployment (apps/v1) as it arrives. */
export function deploymentSeen(object: JsonMap): DeploymentSeen {
  const metadata = member(object, 'metadata');
  const [spec, status] = [member(object, 'spec'), member(object, 'status')];
  const directives = [...ownOf(object).directives].flatMap(([key, text]) => {
    const directive = readDirective(key, text);
    // A text under another Rollout's key was forged or copied.
    return directive !== undefined && directiveKey(directive.rollout.name) === key ? [directive] : [];
  });
  const generation = numberAt(metadata, 'generation');
  return {
    ...named(metadata),
    content: contentOf(metadata),
    isDeleting: stringAt(metadata, 'deletionTimestamp') !== undefined,
    replicas: numberAt(spec, 'replicas', 1),
    generation,
    isObserved: numberAt(status, 'observedGeneration') >= generation,
    template: templateHash(member(spec, 'template')),
    isPaused: member(spec, 'paused') === true,
    directives,
    strayMarks: [ANNOTATIONS.floor, ANNOTATIONS.podMetadata].filter(
      (key) => stringAt(metadata, 'annotations', key) !== undefined,
    ),
    own: ownSettings(object),
    // A label that is empty says nothing (compat §2.7).
    rolloutId:
      stringAt(metadata, 'labels', LABELS.rolloutId) ||
      (stringAt(metadata, 'annotations', ANNOTATIONS.rolloutId) ?? ''),
    controller: [stringAt(controllerOf(metadata), 'kind'), stringAt(controllerOf(metadata), 'name')].join(' ').trim(),
    resumed: stringAt(metadata, 'annotations', ANNOTATIONS.resume) ?? '',
    selectingLabels: [...selectorKeys(member(spec, 'selector'))],
    canaryOf:
      madeFor(metadata, 'Deployment') === undefined ? '' : (followedName(stringAt(metadata, 'name') ?? '') ?? ''),
    updated: numberAt(status, 'updatedReplicas'),
    available: numberAt(status, 'availableReplicas'),
    total: numberAt(status, 'replicas'),
  };
}

const OWN_FIELDS = ['strategy', 'minReadySeconds', 'progressDeadlineSeconds', 'revisionHistoryLimit'] as const;

/** The owner's settings: of the saved original in a release, else of the object itself. */
function ownSettings(object: JsonMap): DeploymentSeen['own'] {
  const text = stringAt(object, 'metadata', 'annotations', ANNOTATIONS.original);
  const spec = (text === undefined ? undefined : savedSpec(text)) ?? member(object, 'spec');
  const rolling = at(spec, ['strategy', 'rollingUpdate']);
  return {
    isPaused: member(spec, 'paused') === true,
    maxSurge: amountOf(member(rolling, 'maxSurge')),
    maxUnavailable: amountOf(member(rolling, 'maxUnavailable')),
    minReadySeconds: numberAt(spec, 'minReadySeconds'),
    isRecreate: stringAt(spec, 'strategy', 'type') === 'Recreate',
    fields: Object.fromEntries(
      OWN_FIELDS.flatMap((key) => (isMap(spec) && spec[key] !== undefined ? [[key, spec[key]]] : [])),
    ),
  };
}

/** Undefined for a text that admission would not have written; the rewrite of the object says more of it. */
function savedSpec(text: string): Json | undefined {
  try {
    return decodeOriginal(text).declared.spec;
  } catch (error) {
    if (error instanceof CorruptOriginal) return undefined;
    throw error;
  }
}

/** Takes a ReplicaSet (apps/v1) as it arrives. */
export function replicaSetSeen(object: JsonMap): ReplicaSetSeen {
  const metadata = member(object, 'metadata');
  const [spec, status] = [member(object, 'spec'), member(object, 'status')];
  const owner = controllerOf(metadata);
  const isObserved = numberAt(status, 'observedGeneration') >= numberAt(metadata, 'generation');
  return {
    ...named(metadata),
    owner: stringAt(owner, 'uid') ?? '',
    ownerName: stringAt(owner, 'name') ?? '',
    template: templateHash(member(spec, 'template')),
    podTemplateHash: stringAt(metadata, 'labels', LABELS.podTemplateHash) ?? '',
    desired: numberAt(spec, 'replicas', 1),
    // While the status is of an older spec, pods may come, and those of before may be there still.
    created: isObserved
      ? numberAt(status, 'replicas')
      : Math.max(numberAt(status, 'replicas'), numberAt(spec, 'replicas', 1)),
    ready: numberAt(status, 'readyReplicas'),
    minReadySeconds: numberAt(spec, 'minReadySeconds'),
    podMetadata: stringAt(metadata, 'annotations', ANNOTATIONS.podMetadata) ?? '',
    templateMetadata: metadataTexts(at(spec, ['template', 'metadata'])),
    scaledFor: countOf(stringAt(metadata, 'annotations', ANNOTATIONS.desiredReplicas)),
    floor: stringAt(metadata, 'annotations', ANNOTATIONS.floor) ?? '',
    isDeleting: stringAt(metadata, 'deletionTimestamp') !== undefined,
  };
}

/** Takes the metadata of a pod as it arrives. */
export function podSeen(object: JsonMap): PodSeen {
  const metadata = member(object, 'metadata');
  const owner = controllerOf(metadata);
  const { namespace, name, resourceVersion } = named(metadata);
  return {
    ...{ namespace, name, resourceVersion },
    owner: stringAt(owner, 'uid') ?? '',
    ownerName: stringAt(owner, 'name') ?? '',
    ...metadataTexts(metadata),
    isDeleting: stringAt(metadata, 'deletionTimestamp') !== undefined,
  };
}

function controllerOf(metadata: Json | undefined): Json | undefined {
  const owners = member(metadata, 'ownerReferences');
  return (isList(owners) ? owners : []).find((each) => member(each, 'controller') === true);
}

/** Takes an EndpointSlice (discovery.k8s.io/v1) as it arrives. `ready` that is not set counts as ready. */
export function sliceSeen(object: JsonMap): SliceSeen {
  const metadata = member(object, 'metadata');
  const endpoints = member(object, 'endpoints');
  const all = isList(endpoints) ? endpoints : [];
  const ready = all.filter((each) => at(each, ['conditions', 'ready']) !== false);
  return {
    namespace: stringAt(metadata, 'namespace') ?? '',
    name: stringAt(metadata, 'name') ?? '',
    service: stringAt(metadata, 'labels', 'kubernetes.io/service-name') ?? '',
    ready: ready.map(endpointName),
    all: all.map(endpointName),
  };
}

/** The same in slices of both address families. */
function endpointName(endpoint: Json): string {
  return stringAt(endpoint, 'targetRef', 'name') ?? String(at(endpoint, ['addresses', 0]));
}

function named(metadata: Json | undefined) {
  return {
    namespace: stringAt(metadata, 'namespace') ?? '',
    name: stringAt(metadata, 'name') ?? '',
    uid: stringAt(metadata, 'uid') ?? '',
    resourceVersion: stringAt(metadata, 'resourceVersion') ?? '',
  };
}

function countOf(text: string | undefined): number | undefined {
  const count = Number.parseInt(text ?? '', 10);
  return Number.isNaN(count) ? undefined : count;
}

function amountOf(value: Json | undefined): Amount | undefined {
  return typeof value === 'number' || typeof value === 'string' ? value : undefined;
}

function numberAt(value: Json | undefined, key: string, absent = 0): number {
  const found = isMap(value) ? value[key] : undefined;
  return typeof found === 'number' ? found : absent;
}
