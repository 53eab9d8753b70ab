import type { Rollout, TrafficRoutingSpec } from '../../api/generated.ts';
import { canaryName, LABELS } from '../../api/names.ts';
import { at, isMap, type JsonMap, stringAt } from '../../json/value.ts';
import type { CanaryDeployment, Gateway, Observed, ReplicaSet, ServicePair, Workload } from '../../release/observed.ts';
import { settingsOf } from '../../release/settings.ts';
import { directiveKey, readDirective } from '../../rewrite/directive.ts';
import { ownOf } from '../../rewrite/own-keys.ts';
import { styleOf } from '../../rollout/directives.ts';
import { contentOf, type Seen } from '../seen.ts';
import { type GatewayObject, gatewayTraffic, gatewayWeight, isDestination, isGatewayInEffect } from './gateways.ts';
import { isServiceFor } from './own-objects.ts';
import type { DeploymentSeen, ReplicaSetSeen } from './scene-objects.ts';
import type { Scene } from './scenes.ts';

/** What a release is observed from. */
export type Surroundings = {
  readonly rollout: Rollout;
  readonly isDeleting: boolean;
  readonly obstacle: string | undefined;
  readonly workloadName: string;
  readonly scene: Scene;
  readonly gateways: readonly GatewayObject[];
  /** Objects that the Rollout names and that are not there, or have no script. */
  readonly missingGateways: number;
  /** What the TrafficRouting says that the Rollout names, and its gateway objects together; undefined where there is none. */
  readonly routing: TrafficRoutingSpec | undefined;
  readonly routed: Gateway | undefined;
  /** The revision that gateway objects are steered for; empty before a release begins. */
  readonly revision: string;
  /** Whether an object was seen to be what its directives say, with this content. */
  readonly isVerified: (uid: string, content: string, isPlain?: boolean) => boolean;
};

/** Puts together what the step machine decides by: pure. */
export function observe(around: Surroundings): Observed {
  const { rollout, scene, workloadName, gateways, isVerified } = around;
  const deployment = scene.deployment(workloadName);
  const extra = scene.canaryOf(workloadName);
  const isSeenVerified = ({ uid, content }: Seen, isPlain: boolean) => isVerified(uid, content, isPlain);
  const gateway = (object: GatewayObject): Gateway => ({
    traffic: gatewayTraffic(rollout, object, around.revision),
    weight: gatewayWeight(rollout, object),
    isInEffect: isGatewayInEffect(object, isSeenVerified),
  });
  return {
    rollout,
    routing: around.routing,
    style: styleOf(rollout),
    isDeleting: around.isDeleting,
    obstacle: around.obstacle,
    workload: deployment && workloadOf(deployment, around),
    canary: extra && canaryOf(extra, scene),
    services: settingsOf(rollout).routings.map(({ service }) => servicePair(service, around)),
    selectingLabels: selectingLabels(rollout, workloadName, scene),
    destinations: gateways.filter(isDestination).map(gateway),
    gateways: [
      ...gateways.filter((object) => !isDestination(object)).map(gateway),
      ...(around.routed === undefined ? [] : [around.routed]),
      // They keep traffic from moving on, and are in nobody's way back.
      ...Array.from(
        { length: around.missingGateways },
        () => ({ traffic: 'none', weight: undefined, isInEffect: true }) as const,
      ),
    ],
  };
}

/** Labels that decide to which set, and behind which Service, a pod belongs. */
export function selectingLabels(rollout: Rollout, workloadName: string, scene: Scene): string[] {
  const services = settingsOf(rollout).routings.flatMap(({ service }) => {
    const object = scene.service(service);
    return object === undefined ? [] : Object.keys(ownSelector(object, rollout));
  });
  return [...new Set([...(scene.deployment(workloadName)?.selectingLabels ?? []), ...services])];
}

/** What is observed from, apart from the Rollout's own fields. */
export type Sight = Pick<Surroundings, 'scene' | 'isVerified'> & { readonly rollout: Pick<Rollout, 'metadata'> };

export function workloadOf(seen: DeploymentSeen, { rollout, scene, isVerified }: Sight): Workload {
  const own = seen.directives.find(({ rollout: { name } }) => name === rollout.metadata.name);
  const directive = own?.action.type === 'workload' ? own : undefined;
  return {
    replicas: seen.replicas,
    generation: seen.generation,
    isObserved: seen.isObserved,
    template: seen.template,
    isPaused: seen.isPaused,
    directive,
    isInEffect: isVerified(seen.uid, seen.content, directive === undefined),
    own: seen.own,
    rolloutId: seen.rolloutId,
    updated: seen.updated,
    available: seen.available,
    total: seen.total,
    sets: scene.setsOf(seen).map((set) => replicaSet(set, scene)),
  };
}

export function canaryOf(extra: DeploymentSeen, scene: Scene): CanaryDeployment {
  const sets = scene.setsOf(extra).map((set) => replicaSet(set, scene));
  return { desired: extra.replicas, template: extra.template, isDeleting: extra.isDeleting, sets };
}

function replicaSet(seen: ReplicaSetSeen, scene: Scene): ReplicaSet {
  const { name, template, podTemplateHash, desired, created, ready, minReadySeconds, floor, scaledFor } = seen;
  const { podMetadata, templateMetadata } = seen;
  const pods = scene.podsOf(seen).map(({ name: pod, labels, annotations }) => ({ name: pod, labels, annotations }));
  const size = { desired, created, ready, minReadySeconds, floor, scaledFor };
  return { name, template, podTemplateHash, ...size, podMetadata, templateMetadata, pods };
}

export function servicePair(name: string, { rollout, scene, isVerified }: Sight): ServicePair {
  const service = scene.service(name);
  const canary = scene.service(canaryName(name));
  const isOurs = canary !== undefined && isServiceFor(canary, rollout);
  return {
    stable: name,
    pin: service && pinOf(service, rollout),
    isInEffect:
      service === undefined || isVerified(uidOf(service), contentOf(service['metadata']), isPlainObject(service)),
    endpoints: service === undefined ? undefined : scene.endpoints(name).ready,
    canary:
      canary === undefined || !isOurs
        ? undefined
        : {
            revision: stringAt(canary, 'spec', 'selector', LABELS.podTemplateHash) ?? '',
            endpoints: scene.endpoints(canaryName(name)).ready,
          },
  };
}

/** What our directive on a stable Service adds to its selector. */
export function pinOf(service: JsonMap, rollout: Pick<Rollout, 'metadata'>): string | undefined {
  const key = directiveKey(rollout.metadata.name ?? '');
  const text = ownOf(service).directives.get(key);
  const directive = text === undefined ? undefined : readDirective(key, text);
  const selector = directive?.action.type === 'service' ? directive.action.selector : undefined;
  return selector?.[LABELS.podTemplateHash];
}

/** The selector of a stable Service as its owner wrote it. */
export function ownSelector(service: JsonMap, rollout: Rollout): JsonMap {
  const selector = at(service, ['spec', 'selector']);
  const own = isMap(selector) ? selector : {};
  if (pinOf(service, rollout) === undefined) return own;
  const { [LABELS.podTemplateHash]: _, ...rest } = own;
  return rest;
}

/** Whether nothing of an object is rewritten. */
export function isPlainObject(object: JsonMap): boolean {
  const { directives, original } = ownOf(object);
  return directives.size === 0 && original === undefined;
}

function uidOf(object: JsonMap): string {
  return stringAt(object, 'metadata', 'uid') ?? '';
}
