import { at, isList, type Json, member, stringAt } from '../../../src/json/value.ts';
import type { KubeObject } from '../../../src/kube/client.ts';
import type { Change } from '../release/history.ts';
import { isEnding, isReady, versionOf } from './capacity.ts';

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
