import { canaryName, LABELS, V1ALPHA1, V1BETA1 } from '../../api/names.ts';
import { at, isMap, type JsonMap, stringAt } from '../../json/value.ts';
import { styleOf } from '../../rollout/directives.ts';
import { workloadLabel } from '../../rollout/made-for.ts';
import { targetsOf } from '../../rollout/targets.ts';
import { trafficRoutingOf } from '../../rollout/traffic-routing.ts';
import { mapsAt } from './fields.ts';
import { asRollout } from './rollout-status.ts';

/** Objects that the picture of a release is made of: one by its name, or those that labels select. */
export type Part = NamedPart | SelectedPart;
type Kind = { readonly apiVersion: string; readonly kind: string; readonly namespace: string };
export type NamedPart = Kind & { readonly name: string };
export type SelectedPart = Kind & { readonly labelSelector: string };

/** What is known of a part: its objects (none where the named one is not there), or why they cannot be read. */
export type Sight =
  | { readonly state: 'seen'; readonly objects: readonly JsonMap[] }
  | { readonly state: 'unreadable'; readonly reason: string };

/** A Service or gateway object of a Rollout. Those of the role `canary` are made by Sluice for the time of a release. */
export type NetworkPart = { readonly part: NamedPart; readonly role: 'stable' | 'canary' | 'gateway' };

/** All that a picture is made of, as the API server has it. */
export type Observed = {
  readonly rollout: JsonMap;
  readonly workload: Sight;
  /** Deployments that run the new version in the canary style. */
  readonly canaryDeployments: Sight;
  readonly replicaSets: Sight;
  readonly pods: Sight;
  readonly network: readonly (NetworkPart & { readonly sight: Sight })[];
};

/** Looks up what has been read of a part; undefined where nothing has yet. */
export type Sights = (part: Part) => Sight | undefined;

type Named = { readonly namespace: string; readonly name: string };

const NOTHING: Sight = { state: 'seen', objects: [] };

/** Tells parts apart. */
export function partKey(part: Part): string {
  const which = 'name' in part ? part.name : `?${part.labelSelector}`;
  return [part.apiVersion, part.kind, part.namespace, which].join(' ');
}

/**
 * The parts of a Rollout's picture, as far as they are known: what a Rollout names is known once it has been read, and
 * which pods are its workload's once that has been read.
 */
export function partsOf(rollout: Named, sights: Sights): Part[] {
  const first = rolloutPart(rollout);
  const object = onlyOne(sights(first));
  if (object === undefined) return [first];
  const workload = workloadPart(object);
  const found = workload === undefined ? undefined : onlyOne(sights(workload));
  return [
    first,
    ...(workload === undefined ? [] : [workload]),
    ...networkParts(object).map(({ part }) => part),
    ...(found === undefined ? [] : Object.values(podParts(object, found)).filter((part) => part !== undefined)),
  ];
}

/**
 * Puts together what has been read: `gone` where there is no such Rollout, `unknown` while a part has not been read.
 */
export function observedOf(rollout: Named, sights: Sights): Observed | 'gone' | 'unknown' {
  if (partsOf(rollout, sights).some((part) => sights(part) === undefined)) return 'unknown';
  const object = onlyOne(sights(rolloutPart(rollout)));
  if (object === undefined) return 'gone';
  const see = (part: Part | undefined): Sight => (part === undefined ? NOTHING : (sights(part) ?? NOTHING));
  const workload = workloadPart(object);
  const found = workload === undefined ? undefined : onlyOne(sights(workload));
  const parts = found === undefined ? undefined : podParts(object, found);
  return {
    rollout: object,
    workload: see(workload),
    canaryDeployments: see(parts?.canaryDeployments),
    replicaSets: see(parts?.replicaSets),
    pods: see(parts?.pods),
    network: networkParts(object).map((each) => ({ ...each, sight: see(each.part) })),
  };
}

/** The object of a named part; undefined where it is not there, or not known. */
export function onlyOne(sight: Sight | undefined): JsonMap | undefined {
  return sight?.state === 'seen' ? sight.objects[0] : undefined;
}

export function rolloutPart({ namespace, name }: Named): NamedPart {
  return { apiVersion: V1BETA1, kind: 'Rollout', namespace, name };
}

/** The workload that a Rollout names; undefined where it names none. */
export function workloadPart(rollout: JsonMap): NamedPart | undefined {
  const reference = at(rollout, ['spec', 'workloadRef']);
  const [apiVersion, kind, name] = ['apiVersion', 'kind', 'name'].map((field) => stringAt(reference, field));
  if (!apiVersion || !kind || !name) return undefined;
  return { apiVersion, kind, namespace: namespaceOf(rollout), name };
}

/** ReplicaSets of a Deployment, and of those that its labels select like it. */
export function replicaSetsPart(deployment: JsonMap): SelectedPart {
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', ...selectedBy(deployment) };
}

/** Where pods of a workload are looked for; of other kinds than Deployments nothing below them is shown yet. */
function podParts(
  rollout: JsonMap,
  workload: JsonMap,
): Partial<Record<'canaryDeployments' | 'replicaSets' | 'pods', SelectedPart>> {
  if (workloadPart(rollout)?.kind !== 'Deployment') return {};
  const namespace = namespaceOf(rollout);
  const labelSelector = `${LABELS.canaryDeployment}=${workloadLabel(stringAt(workload, 'metadata', 'name') ?? '')}`;
  return {
    ...(styleOf(asRollout(rollout)) === 'canary'
      ? { canaryDeployments: { apiVersion: 'apps/v1', kind: 'Deployment', namespace, labelSelector } }
      : {}),
    replicaSets: replicaSetsPart(workload),
    pods: { apiVersion: 'v1', kind: 'Pod', ...selectedBy(workload) },
  };
}

function selectedBy(workload: JsonMap): { namespace: string; labelSelector: string } {
  return { namespace: namespaceOf(workload), labelSelector: selectorText(workload) };
}

/** `spec.selector` as the API takes it in queries (meta/v1 LabelSelector). */
function selectorText(workload: JsonMap): string {
  const labels = at(workload, ['spec', 'selector', 'matchLabels']);
  const equal = Object.entries(isMap(labels) ? labels : {}).map(([key, value]) => `${key}=${String(value)}`);
  const expressions = mapsAt(workload, 'spec', 'selector', 'matchExpressions').map(({ key, operator, values }) => {
    const list = Array.isArray(values) ? `(${values.join(',')})` : '()';
    const texts: Record<string, string> = {
      In: `${String(key)} in ${list}`,
      NotIn: `${String(key)} notin ${list}`,
      Exists: String(key),
      DoesNotExist: `!${String(key)}`,
    };
    return texts[String(operator)] ?? String(key);
  });
  return [...equal, ...expressions].join(',');
}

function networkParts(rollout: JsonMap): NetworkPart[] {
  const namespace = namespaceOf(rollout);
  const { canary, blueGreen } = asRollout(rollout).spec?.strategy ?? {};
  const strategy = canary ?? blueGreen;
  const services = (strategy?.trafficRoutings ?? []).flatMap(({ service }) => {
    const stable = { apiVersion: 'v1', kind: 'Service', namespace, name: service };
    const twin = { ...stable, name: canaryName(service) };
    return strategy?.disableGenerateCanaryService ? [asStable(stable)] : [asStable(stable), asCanary(twin)];
  });
  const gateways = targetsOf(asRollout(rollout)).flatMap(({ apiVersion, kind, name, request }) => {
    const part = { apiVersion, kind, namespace, name };
    if (request.contract === 'custom') return [{ part, role: 'gateway' as const }];
    return [asStable(part), asCanary({ ...part, name: canaryName(name) })];
  });
  const routing = trafficRoutingOf(asRollout(rollout));
  const shared =
    routing === undefined ? [] : [{ part: trafficRoutingPart(namespace, routing.name), role: 'gateway' as const }];
  const all = [...services, ...gateways, ...shared];
  return [...new Map(all.map((each) => [partKey(each.part), each])).values()];
}

function trafficRoutingPart(namespace: string, name: string): NamedPart {
  return { apiVersion: V1ALPHA1, kind: 'TrafficRouting', namespace, name };
}

function asStable(part: NamedPart): NetworkPart {
  return { part, role: 'stable' };
}

function asCanary(part: NamedPart): NetworkPart {
  return { part, role: 'canary' };
}

function namespaceOf(object: JsonMap): string {
  return stringAt(object, 'metadata', 'namespace') ?? '';
}
