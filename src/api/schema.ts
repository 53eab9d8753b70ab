import type { Json } from '../json/value.ts';
import { type RolloutApiVersion, V1ALPHA1, V1BETA1 } from './names.ts';
// Written by generate.ts from the CRD files: reading those as YAML would cost 30 ms at each start.
import generated from './schemas.json' with { type: 'json' };

/** The part of a structural OpenAPI v3 schema that our CRDs use; a test says so when they use more. */
export type Schema = {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly default?: Json;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string }[];
};

const SCHEMAS: Readonly<Record<string, Schema>> = generated;

/** The schema of a kind of ours, without descriptions; undefined for every other kind and version. */
export function schemaOf(apiVersion: string, kind: string): Schema | undefined {
  const key = `${apiVersion}/${kind}`;
  return Object.hasOwn(SCHEMAS, key) ? SCHEMAS[key] : undefined;
}

/** Every kind that has a schema, as `apiVersion/kind`. */
export function schemaKeys(): string[] {
  return Object.keys(SCHEMAS);
}

/** True for an `apiVersion` that a Rollout can have. */
export function isRolloutVersion(apiVersion: unknown): apiVersion is RolloutApiVersion {
  return apiVersion === V1ALPHA1 || apiVersion === V1BETA1;
}
