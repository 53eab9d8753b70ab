import { canonicalJson } from '../json/text.ts';
import { isMap, type Json, type JsonMap, member } from '../json/value.ts';

/** Type names of the objects that our kinds hold, by the property that they stand under. */
const NAMES: Readonly<Record<string, string>> = {
  metadata: 'ObjectMeta',
  spec: 'Spec',
  status: 'Status',
  strategy: 'Strategy',
  canary: 'CanaryStrategy',
  blueGreen: 'BlueGreenStrategy',
  steps: 'CanaryStep',
  matches: 'RouteMatch',
  headers: 'ValueMatch',
  cookies: 'ValueMatch',
  queryParams: 'ValueMatch',
  path: 'PathMatch',
  requestHeaderModifier: 'RequestHeaderModifier',
  set: 'HeaderValue',
  add: 'HeaderValue',
  mirror: 'Mirror',
  pause: 'Pause',
  trafficRoutings: 'TrafficRoutingRef',
  ingress: 'IngressRef',
  gateway: 'GatewayRef',
  customNetworkRefs: 'ObjectRef',
  networkRefs: 'ObjectRef',
  workloadRef: 'ObjectRef',
  patchPodTemplateMetadata: 'PodMetadata',
  conditions: 'Condition',
  canaryStatus: 'CanaryStatus',
  blueGreenStatus: 'BlueGreenStatus',
  'Rollout.objectRef': 'RolloutTarget',
  'TrafficRouting.objectRef': 'TrafficRoutingRef',
};

/** The few fields of metadata that offline checks and the webhook read; the API server holds the rest to its own schema. */
const METADATA: JsonMap = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    namespace: { type: 'string' },
    uid: { type: 'string' },
    resourceVersion: { type: 'string' },
    generation: { type: 'integer' },
    deletionTimestamp: { type: 'string' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    annotations: { type: 'object', additionalProperties: { type: 'string' } },
    finalizers: { type: 'array', items: { type: 'string' } },
  },
};

/**
 * Turns structural schemas into JSON Schema with one named definition for each kind of object. Objects of the same
 * shape share a definition; a name that is taken by another shape gets the version in front (`V1alpha1CanaryStep`).
 */
export class TypeNames {
  readonly definitions: Record<string, Json> = {};
  private readonly shapes = new Map<string, string>();

  /** The definition of a whole kind; `schema` is its OpenAPI schema. */
  root(kind: string, version: string, schema: JsonMap): Json {
    const apiVersion = { enum: [`rollouts.kruise.io/${version}`] };
    const fixed = { apiVersion, kind: { enum: [kind] }, metadata: METADATA };
    const properties = { ...(member(schema, 'properties') as JsonMap), ...fixed };
    const whole = { ...schema, required: ['apiVersion', 'kind', 'metadata'], properties };
    return this.named(whole, version === 'v1beta1' ? kind : `${capital(version)}${kind}`, kind, version);
  }

  private convert(schema: Json | undefined, property: string, kind: string, version: string): Json {
    if (!isMap(schema)) return {};
    if (schema['x-kubernetes-int-or-string'] === true) return described(schema, { tsType: 'number | string' });
    if (schema['items'] !== undefined) {
      return described(schema, { type: 'array', items: this.convert(schema['items'], property, kind, version) });
    }
    if (isMap(schema['properties'])) return this.named(schema, this.nameFor(property, kind), kind, version);
    const { enum: values, type, additionalProperties } = schema;
    return described(schema, {
      ...(values === undefined ? { type: type ?? 'object' } : { enum: values }),
      ...(additionalProperties === undefined ? {} : { additionalProperties }),
    });
  }

  private nameFor(property: string, kind: string): string {
    const name = NAMES[`${kind}.${property}`] ?? NAMES[property] ?? capital(property);
    return ['Spec', 'Status', 'Strategy'].includes(name) ? `${kind}${name}` : name;
  }

  private named(schema: JsonMap, name: string, kind: string, version: string): Json {
    const inner = Object.entries(schema['properties'] as JsonMap).map(
      ([key, value]) => [key, this.convert(value, key, kind, version)] as const,
    );
    const definition = described(schema, {
      type: 'object',
      additionalProperties: false,
      ...(schema['required'] === undefined ? {} : { required: schema['required'] }),
      properties: Object.fromEntries(inner),
    });
    return { $ref: `#/definitions/${this.define(name, version, definition)}` };
  }

  private define(name: string, version: string, definition: JsonMap): string {
    // one shape may serve several fields, each with a description of its own
    const { description: _, ...shape } = definition;
    const text = `${name}:${canonicalJson(withoutTexts(shape))}`;
    const known = this.shapes.get(text);
    if (known !== undefined) return known;
    const free = Object.hasOwn(this.definitions, name) ? `${capital(version)}${name}` : name;
    if (Object.hasOwn(this.definitions, free)) throw new Error(`two shapes want the type name ${free}`);
    this.shapes.set(text, free);
    this.definitions[free] = definition;
    return free;
  }
}

function described(from: JsonMap, schema: JsonMap): JsonMap {
  return from['description'] === undefined ? schema : { description: from['description'], ...schema };
}

function withoutTexts(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(withoutTexts);
  if (!isMap(value)) return value;
  const kept = Object.entries(value).filter(([key, inner]) => key !== 'description' || isMap(inner));
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutTexts(inner)]));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
