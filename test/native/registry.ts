import { equal } from '../../src/json/equal.ts';
import { at, isMap, type Json, type JsonMap, stringAt } from '../../src/json/value.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { apiVersionOf, type Resource } from '../../src/kube/resource.ts';
import { listAt, mapAt, numberAt, timestamp, withMembers, withMetadata } from './fields.ts';

/** What a write may change: the object without its status, its status, or only the number of its pods. */
export type Part = 'main' | 'status' | 'scale';

const BUILT_IN: ReadonlySet<string> = new Set([
  '',
  'apps',
  'networking.k8s.io',
  'discovery.k8s.io',
  'coordination.k8s.io',
  'events.k8s.io',
]);

/** What the API server takes of a request: each endpoint of an object changes its own part (registry/…/strategy.go). */
export function received(resource: Resource, before: JsonMap, sent: JsonMap, part: Part): JsonMap {
  if (part === 'scale') {
    const replicas = numberAt(sent, 0, 'spec', 'replicas');
    return { ...before, spec: { ...mapAt(before, 'spec'), replicas } };
  }
  if (part === 'main') return withMembers(sent, { status: before['status'] });
  // The status of a built-in kind brings annotations with it, past every webhook on the object itself.
  const annotations = mapAt(sent, 'metadata', 'annotations');
  const metadata = BUILT_IN.has(resource.group)
    ? withMembers(mapAt(before, 'metadata'), { annotations })
    : before['metadata'];
  return withMembers(before, { metadata: metadata ?? {}, status: sent['status'] });
}

/** A new object: nobody brings along a status, or what is the server's to say. */
export function begun(resource: Resource, sent: JsonMap): JsonMap {
  const typed = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...sent };
  const own = ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp'];
  const fresh = withMetadata(typed, Object.fromEntries(own.map((key) => [key, undefined])));
  return withMembers(fresh, { status: resource.kind === 'Pod' ? { phase: 'Pending' } : undefined });
}

/** The object with what the API server fills in, and without what it does not store (apis/…/defaults.go). */
export function defaulted(resource: Resource, object: JsonMap): JsonMap {
  const cleaned = withoutEmpty(object);
  if (!isMap(cleaned['spec'])) return cleaned;
  if (resource.group === 'apps' && resource.kind === 'Deployment')
    return { ...cleaned, spec: defaultedDeployment(cleaned['spec']) };
  return resource.group === '' && resource.kind === 'Service'
    ? { ...cleaned, spec: defaultedService(cleaned['spec']) }
    : cleaned;
}

/** Members of the metadata that are not stored when they are empty. */
const OMITTED = ['labels', 'annotations', 'finalizers', 'ownerReferences', 'managedFields'];

function withoutEmpty(object: JsonMap): JsonMap {
  const isEmpty = (value: Json | undefined) =>
    value === null || (typeof value === 'object' && Object.keys(value).length === 0);
  const empty = OMITTED.filter((key) => isEmpty(at(object, ['metadata', key])));
  return empty.length === 0 ? object : withMetadata(object, Object.fromEntries(empty.map((key) => [key, undefined])));
}

function defaultedDeployment(spec: JsonMap): JsonMap {
  const { paused, minReadySeconds, strategy, template, ...rest } = spec;
  return {
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    ...rest,
    strategy: defaultedStrategy(isMap(strategy) ? strategy : {}),
    template: defaultedTemplate(isMap(template) ? template : {}),
    // False and 0 are what these are without.
    ...(paused === true ? { paused } : {}),
    ...(minReadySeconds ? { minReadySeconds } : {}),
  };
}

function defaultedStrategy({ type = 'RollingUpdate', rollingUpdate }: JsonMap): JsonMap {
  if (type !== 'RollingUpdate') return rollingUpdate === undefined ? { type } : { type, rollingUpdate };
  return {
    type,
    rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%', ...(isMap(rollingUpdate) ? rollingUpdate : {}) },
  };
}

function defaultedTemplate(template: JsonMap): JsonMap {
  const spec = mapAt(template, 'spec');
  return {
    ...template,
    spec: {
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
      ...spec,
      containers: listAt(spec, 'containers').map(defaultedContainer),
    },
  };
}

function defaultedContainer(container: Json): Json {
  if (!isMap(container)) return container;
  const image = stringAt(container, 'image') ?? '';
  const isLatest = !/:[^/]+$/.test(image) || image.endsWith(':latest');
  return {
    imagePullPolicy: isLatest ? 'Always' : 'IfNotPresent',
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    ...container,
  };
}

function defaultedService(spec: JsonMap): JsonMap {
  const ports = listAt(spec, 'ports').map((port) =>
    isMap(port) ? { protocol: 'TCP', targetPort: port['port'] ?? 0, ...port } : port,
  );
  return {
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ...spec,
    ...(ports.length === 0 ? {} : { ports }),
  };
}

/**
 * Refuses what validation refuses, as far as a release may come near it: of labels, of names of Services, of a Deployment
 * (apis/apps/validation).
 * @throws ApiError 422
 */
export function validate(resource: Resource, before: JsonMap | undefined, after: JsonMap): void {
  const problems = [...metadataProblems(resource, mapAt(after, 'metadata'))];
  if (resource.kind === 'Deployment') {
    const template = mapAt(after, 'spec', 'template', 'metadata');
    problems.push(...deploymentProblems(mapAt(after, 'spec')), ...metadataProblems(resource, template));
  }
  if (
    resource.kind === 'Deployment' &&
    before !== undefined &&
    !equal(at(before, ['spec', 'selector']), at(after, ['spec', 'selector']))
  )
    problems.push('spec.selector: field is immutable');
  if (problems.length > 0) throw new ApiError(422, 'Invalid', `${resource.kind} is invalid: ${problems.join(', ')}`);
}

/** apimachinery/pkg/util/validation IsValidLabelValue */
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

function* metadataProblems({ kind }: Resource, metadata: JsonMap): Generator<string> {
  for (const [key, value] of Object.entries(mapAt(metadata, 'labels')))
    if (typeof value !== 'string' || !LABEL_VALUE.test(value)) yield `metadata.labels: Invalid value of ${key}`;
  // Each is a label of a host's name.
  if (kind === 'Service' && (stringAt(metadata, 'name') ?? '').length > 63)
    yield 'metadata.name: Invalid value: must be no more than 63 characters';
}

function* deploymentProblems(spec: JsonMap): Generator<string> {
  const strategy = mapAt(spec, 'strategy');
  const rolling = mapAt(strategy, 'rollingUpdate');
  if (strategy['type'] === 'Recreate' && strategy['rollingUpdate'] !== undefined)
    yield "spec.strategy.rollingUpdate: may not be specified when strategy `type` is 'Recreate'";
  if (strategy['type'] === 'RollingUpdate' && isZero(rolling['maxSurge']) && isZero(rolling['maxUnavailable']))
    yield 'spec.strategy.rollingUpdate.maxUnavailable: may not be 0 when `maxSurge` is 0';
  if (percentOf(rolling['maxUnavailable']) > 100)
    yield 'spec.strategy.rollingUpdate.maxUnavailable: must not be greater than 100%';
  if (numberAt(spec, 0, 'progressDeadlineSeconds') <= numberAt(spec, 0, 'minReadySeconds'))
    yield 'spec.progressDeadlineSeconds: must be greater than minReadySeconds';
  const labels = mapAt(spec, 'template', 'metadata', 'labels');
  const wanted = Object.entries(mapAt(spec, 'selector', 'matchLabels'));
  if (wanted.length === 0) yield 'spec.selector: empty selector is invalid for deployment';
  if (!wanted.every(([key, value]) => labels[key] === value))
    yield 'spec.template.metadata.labels: `selector` does not match template `labels`';
}

function isZero(bound: Json | undefined): boolean {
  return bound === 0 || (typeof bound === 'string' && percentOf(bound) === 0);
}

function percentOf(bound: Json | undefined): number {
  return typeof bound === 'string' ? Number.parseInt(bound, 10) : 0;
}

/** The object with the metadata that is the server's own, whatever the writer says of it. */
export function numbered(
  resource: Resource,
  before: JsonMap | undefined,
  after: JsonMap,
  part: Part,
  now: number,
): JsonMap {
  const kept = (key: string) => at(before, ['metadata', key]);
  return withMetadata(after, {
    uid: kept('uid') ?? at(after, ['metadata', 'uid']),
    resourceVersion: kept('resourceVersion'),
    creationTimestamp: kept('creationTimestamp') ?? at(after, ['metadata', 'creationTimestamp']) ?? timestamp(now),
    generation: part === 'status' ? kept('generation') : generationOf(resource, before, after),
  });
}

/**
 * How often what the user means has changed. A Deployment counts its annotations, too, since its ReplicaSets get them
 * (registry/apps/deployment/strategy.go), but not where they come with the status; Services and Pods count nothing.
 */
function generationOf(resource: Resource, before: JsonMap | undefined, after: JsonMap): number | undefined {
  const parts = countedParts(resource);
  if (parts === undefined) return undefined;
  if (before === undefined) return 1;
  const isSame = parts(before).every((value, i) => equal(value, parts(after)[i]));
  return numberAt(before, 0, 'metadata', 'generation') + (isSame ? 0 : 1);
}

type Parts = (object: JsonMap) => readonly (Json | undefined)[];

function countedParts({ group, kind }: Resource): Parts | undefined {
  if (!BUILT_IN.has(group)) return (object) => [withMembers(object, { metadata: undefined, status: undefined })];
  if (kind === 'Deployment') return (object) => [object['spec'], at(object, ['metadata', 'annotations'])];
  return kind === 'ReplicaSet' || kind === 'Ingress' ? (object) => [object['spec']] : undefined;
}
