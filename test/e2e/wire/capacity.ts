import { at, isList, isMap, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import type { KubeObject } from '../../../src/kube/client.ts';
import { neededFor } from '../../../src/release/walk.ts';
import type { Change } from '../release/history.ts';

/** A moment at which a Service had fewer ready pods than its share of the traffic needs. */
export type Shortfall = {
  readonly revision: number;
  readonly at: string;
  readonly host: string;
  readonly percent: number;
  /** Ready pods that the Service selects, by version. */
  readonly ready: Readonly<Record<string, number>>;
  readonly needed: number;
};

/**
 * The shortfalls among all states of the Deployment, the VirtualService and the Services `web` since `begin`. A share of
 * the traffic needs as much of `spec.replicas`, rounded up, less what the owner's `maxUnavailable` lets be missing;
 * matched requests, whose number nobody knows, need one pod.
 */
export function shortfalls(changes: readonly Change[], begin: number, maxUnavailable: number): Shortfall[] {
  const live = new Map<string, KubeObject>();
  return changes.flatMap(({ revision, at: time, kind, name, object }) => {
    const key = `${kind}/${name}`;
    if (object === undefined) live.delete(key);
    else live.set(key, object);
    if (revision <= begin) return [];
    const now = { revision, at: time.toISOString() };
    return shares(live).flatMap(({ host, percent, needed }) => {
      const ready = readyBehind(live, host);
      const sum = Object.values(ready).reduce((total, each) => total + each, 0);
      return sum < needed - maxUnavailable ? [{ ...now, host, percent, ready, needed }] : [];
    });
  });
}

type Share = { readonly host: string; readonly percent: number; readonly needed: number };

function shares(live: ReadonlyMap<string, KubeObject>): Share[] {
  const replicas = Number(at(live.get('Deployment/web'), ['spec', 'replicas']) ?? 0);
  const rules = listed(at(live.get('VirtualService/web'), ['spec', 'http']));
  return rules.flatMap((rule) => {
    const isMatched = member(rule, 'match') !== undefined;
    return listed(member(rule, 'route')).flatMap((destination) => {
      const percent = Number(member(destination, 'weight') ?? 100);
      const host = stringAt(destination, 'destination', 'host') ?? '';
      if (percent === 0) return [];
      return [{ host, percent, needed: isMatched ? 1 : neededFor(percent, replicas) }];
    });
  });
}

function readyBehind(live: ReadonlyMap<string, KubeObject>, host: string): Record<string, number> {
  const selector = at(live.get(`Service/${host}`), ['spec', 'selector']);
  const counts: Record<string, number> = {};
  for (const [key, pod] of live) {
    if (!key.startsWith('Pod/') || !isReady(pod) || !isSelected(pod, selector)) continue;
    const version = versionOf(pod) ?? '';
    counts[version] = (counts[version] ?? 0) + 1;
  }
  return counts;
}

function isSelected(pod: JsonMap, selector: Json | undefined): boolean {
  if (!isMap(selector)) return false;
  const labels = at(pod, ['metadata', 'labels']);
  return Object.entries(selector).every(([key, value]) => member(labels, key) === value);
}

function listed(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}

export function versionOf(pod: JsonMap): string | undefined {
  return stringAt(pod, 'metadata', 'labels', 'version');
}

/** A pod that was deleted is no endpoint any more, ready or not. */
export function isReady(pod: JsonMap): boolean {
  const ready = listed(at(pod, ['status', 'conditions'])).find((each) => member(each, 'type') === 'Ready');
  return member(ready, 'status') === 'True' && !isEnding(pod);
}

export function isEnding(pod: JsonMap): boolean {
  return at(pod, ['metadata', 'deletionTimestamp']) !== undefined;
}
