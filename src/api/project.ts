import { isList, isMap, type Json, type JsonMap, member } from '../json/value.ts';
import { ANNOTATIONS, V1ALPHA1, V1BETA1 } from './names.ts';

/**
 * What each version of a Rollout shows of the other, field by field as OpenKruise converts them, without its crashes.
 * What the other version has no field for is left out here and is carried by conversion.ts. Parts of a wrong shape
 * pass as they are, or are left out where they would have to be understood: nothing here throws.
 */

/** A v1alpha1 Rollout as v1beta1 shows it. */
export function toBeta(object: JsonMap): JsonMap {
  const annotations = member(member(object, 'metadata'), 'annotations');
  const spec = change(member(object, 'spec'), (map) => specToBeta(map, annotations));
  const status = change(member(object, 'status'), statusToBeta);
  return replaced({ ...object, apiVersion: V1BETA1 }, { spec, status });
}

/** A v1beta1 Rollout as v1alpha1 shows it. */
export function toAlpha(object: JsonMap): JsonMap {
  const strategy = member(member(object, 'spec'), 'strategy');
  const canary = member(strategy, 'blueGreen') === undefined ? member(strategy, 'canary') : undefined;
  const spec = change(member(object, 'spec'), specToAlpha);
  const status = change(member(object, 'status'), (map) =>
    replaced(map, {
      currentStepIndex: undefined,
      currentStepState: undefined,
      blueGreenStatus: undefined,
      release: undefined,
    }),
  );
  const shown = replaced({ ...object, apiVersion: V1ALPHA1 }, { spec, status });
  return isMap(canary) ? styleAnnotations(shown, canary) : shown;
}

function specToBeta(spec: JsonMap, annotations: Json | undefined): JsonMap {
  const strategy = change(member(spec, 'strategy'), (map) =>
    replaced(map, {
      canary: change(member(map, 'canary'), (canary) => canaryToBeta(canary, annotations)),
      blueGreen: undefined,
    }),
  );
  const workloadRef = member(member(spec, 'objectRef'), 'workloadRef');
  return replaced(spec, { workloadRef, objectRef: undefined, rolloutID: undefined, strategy });
}

function specToAlpha(spec: JsonMap): JsonMap {
  const strategy = change(member(spec, 'strategy'), (map) => {
    // v1alpha1 knows no blue-green release; showing the canary part beside it would make another release of it
    const canary = member(map, 'blueGreen') === undefined ? change(member(map, 'canary'), canaryToAlpha) : undefined;
    return replaced(map, { canary, blueGreen: undefined });
  });
  const workloadRef = member(spec, 'workloadRef');
  const objectRef = workloadRef === undefined ? {} : { workloadRef };
  return replaced(spec, { objectRef, workloadRef: undefined, rolloutID: undefined, strategy });
}

function canaryToBeta(canary: JsonMap, annotations: Json | undefined): JsonMap {
  const routings = member(canary, 'trafficRoutings');
  const ref = member(annotations, ANNOTATIONS.trafficRouting);
  return replaced(canary, {
    steps: each(member(canary, 'steps'), stepToBeta),
    trafficRoutings: each(routings, routingToBeta),
    enableExtraWorkloadForCanary: !isStyle(member(annotations, ANNOTATIONS.rollingStyle), 'partition'),
    trafficRoutingRef: ref === '' || typeof ref !== 'string' ? undefined : ref,
    disableGenerateCanaryService: member(canary, 'disableGenerateCanaryService') ?? withoutCanaryService(routings),
    progressDeadlineSeconds: undefined,
    onFailure: undefined,
  });
}

/** `createCanaryService: false` on a routing is the older way to disable the canary Service of the release. */
function withoutCanaryService(routings: Json | undefined): true | undefined {
  const isOff = isList(routings) && routings.some((entry) => member(entry, 'createCanaryService') === false);
  return isOff ? true : undefined;
}

function canaryToAlpha(canary: JsonMap): JsonMap {
  return replaced(canary, {
    steps: each(member(canary, 'steps'), stepToAlpha),
    trafficRoutings: each(member(canary, 'trafficRoutings'), (entry) =>
      replaced(entry, { networkRefs: undefined, createCanaryService: undefined }),
    ),
    enableExtraWorkloadForCanary: undefined,
    trafficRoutingRef: undefined,
    progressDeadlineSeconds: undefined,
    onFailure: undefined,
  });
}

function routingToBeta(routing: JsonMap): JsonMap {
  const customNetworkRefs = member(routing, 'customNetworkRefs') ?? member(routing, 'networkRefs');
  return replaced(routing, { customNetworkRefs, networkRefs: undefined, createCanaryService: undefined });
}

function stepToBeta(step: JsonMap): JsonMap {
  const weight = member(step, 'weight');
  const percent = typeof weight === 'number' && Number.isInteger(weight) ? `${weight}%` : undefined;
  return replaced(step, {
    traffic: percent,
    weight: undefined,
    // a v1alpha1 step without replicas updates as many pods as it moves traffic
    replicas: member(step, 'replicas') ?? percent,
    matches: each(member(step, 'matches'), headersOnly),
    mirror: undefined,
  });
}

function stepToAlpha(step: JsonMap): JsonMap {
  return replaced(step, {
    weight: percentOf(member(step, 'traffic')),
    traffic: undefined,
    matches: each(member(step, 'matches'), headersOnly),
    mirror: undefined,
  });
}

/** A percentage as a whole number, rounded up; undefined for anything else. */
function percentOf(traffic: Json | undefined): number | undefined {
  const number = typeof traffic === 'string' ? /^(\d{1,9}(?:\.\d{1,9})?)%$/.exec(traffic)?.[1] : undefined;
  return number === undefined ? undefined : Math.ceil(Number(number));
}

/** A match without what only v1beta1 has. */
function headersOnly(match: JsonMap): JsonMap {
  return replaced(match, {
    path: undefined,
    queryParams: undefined,
    method: undefined,
    cookies: undefined,
    expression: undefined,
  });
}

function statusToBeta(status: JsonMap): JsonMap {
  const canary = member(status, 'canaryStatus');
  return replaced(status, {
    currentStepIndex: member(canary, 'currentStepIndex') ?? 0,
    currentStepState: member(canary, 'currentStepState') ?? '',
    blueGreenStatus: undefined,
    release: undefined,
  });
}

/** The annotations that v1alpha1 has for two fields of v1beta1. */
function styleAnnotations(object: JsonMap, canary: JsonMap): JsonMap {
  const metadata = member(object, 'metadata');
  const annotations = member(metadata, 'annotations');
  const style = member(canary, 'enableExtraWorkloadForCanary') === true ? 'canary' : 'partition';
  const old = member(annotations, ANNOTATIONS.rollingStyle);
  const ref = member(canary, 'trafficRoutingRef');
  return {
    ...object,
    metadata: {
      ...(isMap(metadata) ? metadata : {}),
      annotations: {
        ...(isMap(annotations) ? annotations : {}),
        [ANNOTATIONS.rollingStyle]: old !== undefined && isStyle(old, style) ? old : style,
        ...(typeof ref === 'string' && ref !== '' ? { [ANNOTATIONS.trafficRouting]: ref } : {}),
      },
    },
  };
}

function isStyle(annotation: Json | undefined, style: string): boolean {
  return typeof annotation === 'string' && annotation.toLowerCase() === style;
}

function change(value: Json | undefined, to: (map: JsonMap) => JsonMap): Json | undefined {
  return isMap(value) ? to(value) : value;
}

function each(list: Json | undefined, to: (map: JsonMap) => JsonMap): Json | undefined {
  return isList(list) ? list.map((item) => (isMap(item) ? to(item) : item)) : list;
}

/** The map with some members replaced, or taken out where the new value is undefined; itself when nothing changes. */
function replaced(map: JsonMap, members: Readonly<Record<string, Json | undefined>>): JsonMap {
  const changes = Object.entries(members).filter(([key, value]) => value !== member(map, key));
  if (changes.length === 0) return map;
  const result: Record<string, Json> = { ...map };
  for (const [key, value] of changes) {
    if (value === undefined) delete result[key];
    else result[key] = value;
  }
  return result;
}
