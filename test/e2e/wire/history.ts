import { at, isList, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import type { Client, KubeObject } from '../../../src/kube/client.ts';
import { RESOURCES, type Resource } from '../../../src/kube/resource.ts';
import { watchEvents } from '../../../src/kube/watch-stream.ts';
import { VIRTUAL_SERVICE } from '../release/shop.ts';

/** One change of one object. Revisions order the changes of all kinds: they are those of the store behind the API. */
export type Change = {
  readonly revision: number;
  /** When it was seen. */
  readonly at: Date;
  readonly kind: string;
  readonly name: string;
  /** Undefined for an object that is gone. */
  readonly object: KubeObject | undefined;
};

/** Everything that the API server has stored of a namespace, in its order. */
export type History = {
  /** From which revision on nothing is missing; what is older is the state at the beginning. */
  readonly begin: number;
  changes(): Change[];
  /** Ends with what was stored until now. */
  stop(): Promise<Change[]>;
};

const KINDS: readonly Resource[] = [
  RESOURCES.deployment,
  RESOURCES.service,
  RESOURCES.pod,
  VIRTUAL_SERVICE,
  RESOURCES.replicaSet,
  RESOURCES.endpointSlice,
  RESOURCES.rollout,
  RESOURCES.event,
];

/** Longer than any test: the server would end a watch within an hour by itself. */
const WATCH_SECONDS = '1800';

/** Records a namespace. Every state in between is there, not only the ones that a look at intervals would meet. */
export async function record(client: Client, namespace: string): Promise<History> {
  const changes: Change[] = [];
  const closing = new AbortController();
  const add = ({ kind }: Resource, object: KubeObject, isGone: boolean): void => {
    const [revision, name] = [
      Number(stringAt(object, 'metadata', 'resourceVersion')),
      stringAt(object, 'metadata', 'name'),
    ];
    changes.push({ revision, at: new Date(), kind, name: name ?? '', object: isGone ? undefined : object });
  };
  const begin: number[] = [];
  const watches: Promise<void>[] = [];
  for (const resource of KINDS) {
    const { items, resourceVersion } = await client.list(resource, { namespace });
    for (const object of items) add(resource, object, false);
    begin.push(Number(resourceVersion));
    const query = { resourceVersion, timeoutSeconds: WATCH_SECONDS };
    const response = await client.openWatch(resource, { namespace }, query, closing.signal);
    const follow = async (): Promise<void> => {
      for await (const { type, object } of watchEvents(response, resource.plural, JSON.parse)) {
        if (type !== 'BOOKMARK') add(resource, object, type === 'DELETED');
      }
    };
    watches.push(
      follow().catch((error: unknown) => {
        if (!closing.signal.aborted) throw error;
      }),
    );
  }
  const sorted = (): Change[] => [...changes].sort((a, b) => a.revision - b.revision);
  return {
    begin: Math.max(...begin),
    changes: sorted,
    async stop() {
      closing.abort();
      await Promise.all(watches);
      return sorted();
    },
  };
}

/** The changes as lines for people, with what matters in a release; those that change nothing of it are left out. */
export function timeline(changes: readonly Change[]): string[] {
  const last = new Map<string, string>();
  return changes.flatMap(({ revision, at: time, kind, name, object }) => {
    const said = object === undefined ? 'gone' : sayings[kind]?.(object);
    const key = `${kind}/${name}`;
    if (said === undefined || last.get(key) === said) return [];
    last.set(key, said);
    return [`${time.toISOString().slice(11, 23)} ${revision} ${key}: ${said}`];
  });
}

const sayings: Readonly<Record<string, (object: KubeObject) => string>> = {
  Deployment: ({ spec }) =>
    said(spec, ['replicas', 'paused', 'minReadySeconds', 'strategy']) +
    ` ${stringAt(spec, 'template', 'metadata', 'labels', 'version')}`,
  Service: ({ spec }) => said(spec, ['selector']),
  Pod: (pod) =>
    `${versionOf(pod) ?? ''} ${isReady(pod) ? 'ready' : isEnding(pod) ? 'ends' : 'not ready'} ${stringAt(pod, 'status', 'podIP') ?? ''}`,
  VirtualService: ({ spec }) => said(spec, ['http']),
  ReplicaSet: ({ spec, status }) =>
    `${said(spec, ['replicas', 'minReadySeconds'])} ${said(status, ['readyReplicas', 'availableReplicas'])}`,
  EndpointSlice: ({ endpoints }) =>
    (isList(endpoints) ? endpoints : [])
      .map((each) => `${at(each, ['addresses', 0])} ${JSON.stringify(member(each, 'conditions'))}`)
      .join(' '),
  Rollout: ({ status }) =>
    ['currentStepIndex', 'currentStepState', 'message'].map((key) => member(status, key) ?? '').join(' | '),
  Event: ({ reason, note, regarding }) => `${stringAt(regarding, 'kind')} ${reason}: ${note}`,
};

function said(value: Json | undefined, keys: readonly string[]): string {
  return keys.map((key) => `${key} ${JSON.stringify(member(value, key) ?? null)}`).join(' ');
}

export function versionOf(pod: JsonMap): string | undefined {
  return stringAt(pod, 'metadata', 'labels', 'version');
}

/** A pod that was deleted is no endpoint any more, ready or not. */
export function isReady(pod: JsonMap): boolean {
  const conditions = at(pod, ['status', 'conditions']);
  const ready = (isList(conditions) ? conditions : []).find((each) => member(each, 'type') === 'Ready');
  return member(ready, 'status') === 'True' && !isEnding(pod);
}

function isEnding(pod: JsonMap): boolean {
  return at(pod, ['metadata', 'deletionTimestamp']) !== undefined;
}
