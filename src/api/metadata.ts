import type { Schema } from './schema.ts';

const text: Schema = { type: 'string' };
const texts: Schema = { type: 'object', additionalProperties: text };
const anything: Schema = {};

/** RFC 1123 subdomain, what the API server asks of the name of a custom object. */
const SUBDOMAIN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';

/**
 * Fields of ObjectMeta v1. CRDs say only `type: object` here, because the API server has its own schema for it; offline
 * checks need one to notice a misspelt field or an annotation that is no text.
 */
export const METADATA_SCHEMA: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 253, pattern: SUBDOMAIN },
    generateName: text,
    namespace: text,
    labels: texts,
    annotations: texts,
    finalizers: { type: 'array', items: text },
    ownerReferences: { type: 'array', items: anything },
    uid: text,
    resourceVersion: text,
    generation: { type: 'integer', format: 'int64' },
    // null in manifests that older tools have written
    creationTimestamp: anything,
    deletionTimestamp: anything,
    deletionGracePeriodSeconds: { type: 'integer', format: 'int64' },
    managedFields: { type: 'array', items: anything },
    selfLink: text,
  },
};
