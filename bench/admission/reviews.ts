import { ANNOTATIONS } from '../../src/api/names.ts';
import { canonicalJson } from '../../src/json/text.ts';
import type { Json, JsonMap } from '../../src/json/value.ts';
import type { Script } from '../../src/lua/script.ts';
import { declaredOf, scopeOf } from '../../src/rewrite/declared.ts';
import { directiveKey, encodeDirective } from '../../src/rewrite/directive.ts';
import { encodeOriginal } from '../../src/rewrite/original.ts';
import { createRewriter, objectName } from '../../src/rewrite/rewriter.ts';
import { ROLLOUT, type Step, stepDirective, virtualService } from '../virtual-service.ts';

export const CONTROLLER = 'system:serviceaccount:sluice-system:sluice-controller';

/** Where the reviews are sent, by both servers' reckoning. */
export const PATH = '/mutate/gateway';

/**
 * A write in the middle of a release. `step`: the controller takes the object from its first step to the second. `touch`:
 * another controller writes metadata only. `apply`: the owner applies the unchanged source, which overwrites the rules.
 */
export type WriteName = 'step' | 'touch' | 'apply';

/** What our server has to answer to each. */
export const VERDICTS: Record<WriteName, 'patched' | 'allowed'> = {
  step: 'patched',
  touch: 'allowed',
  apply: 'patched',
};

const FIRST: Step = { number: 1, weight: 20 };
const SECOND: Step = { number: 2, weight: 40 };

/** The AdmissionReview that an API server sends for a write on a VirtualService of so many routes, as JSON text. */
export function reviewText(write: WriteName, routes: number, name: string, script: Script): string {
  const source = virtualService(routes, name);
  const live = rewritten(source, FIRST, script);
  const byController = write === 'step';
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '0df28fbd-5f5f-11e8-bc74-36e6bb280816',
      kind: { group: 'networking.istio.io', version: 'v1beta1', kind: 'VirtualService' },
      resource: { group: 'networking.istio.io', version: 'v1beta1', resource: 'virtualservices' },
      requestKind: { group: 'networking.istio.io', version: 'v1', kind: 'VirtualService' },
      requestResource: { group: 'networking.istio.io', version: 'v1', resource: 'virtualservices' },
      name,
      namespace: ROLLOUT.namespace,
      operation: 'UPDATE',
      userInfo: byController
        ? { username: CONTROLLER, groups: ['system:serviceaccounts', 'system:authenticated'] }
        : { username: 'jane@example.com', groups: ['payments', 'system:authenticated'] },
      object: incoming(write, source, live, script),
      oldObject: live,
      dryRun: false,
      options: {
        kind: 'UpdateOptions',
        apiVersion: 'meta.k8s.io/v1',
        fieldManager: byController ? 'sluice' : 'kubectl',
      },
    },
  });
}

function incoming(write: WriteName, source: JsonMap, live: JsonMap, script: Script): JsonMap {
  switch (write) {
    case 'step':
      return withMetadata(live, { annotations: { ...annotationsOf(live), ...directive(SECOND, script) } });
    case 'touch':
      return withMetadata(live, { finalizers: ['mesh.example.com/cleanup'] });
    case 'apply':
      return { ...live, spec: source['spec'] ?? null };
  }
}

/** The object as it is stored in a step: last-applied text, directive, original, and managed fields of the owner. */
function rewritten(source: JsonMap, step: Step, script: Script): JsonMap {
  const declared = declaredOf(source, scopeOf(source));
  const name = objectName(source);
  const directives = new Map(Object.entries(directive(step, script)));
  const rewriter = createRewriter((hash) => (hash === script.hash ? script : undefined), 0);
  const { spec = null } = rewriter.rewrite(name, declared, directives, 'throw').declared;
  const stored = withMetadata(source, {
    uid: 'c5a5d1a2-9b0e-4a55-8f0f-6a3d9d0f5b7e',
    resourceVersion: '48211',
    generation: 3,
    creationTimestamp: '2026-01-12T09:31:44Z',
    annotations: {
      ...annotationsOf(source),
      [ANNOTATIONS.lastApplied]: canonicalJson(source),
      [ANNOTATIONS.original]: encodeOriginal(declared, name.apiVersion),
      ...Object.fromEntries(directives),
    },
    managedFields: [managedByOwner()],
  });
  return { ...stored, spec };
}

function directive(step: Step, script: Script): Record<string, string> {
  return { [directiveKey(ROLLOUT.name)]: encodeDirective(stepDirective(step, script)) };
}

/** Istio's lists have no keys, so that a manager owns them whole: managed fields do not grow with the routes. */
function managedByOwner(): JsonMap {
  return {
    manager: 'kubectl-client-side-apply',
    operation: 'Update',
    apiVersion: 'networking.istio.io/v1beta1',
    time: '2026-01-12T09:31:44Z',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:annotations': { '.': {} }, 'f:labels': { '.': {} } },
      'f:spec': { '.': {}, 'f:gateways': {}, 'f:hosts': {}, 'f:http': {} },
    },
  };
}

function withMetadata(object: JsonMap, changes: JsonMap): JsonMap {
  const metadata = object['metadata'] as JsonMap; // of an object that virtualService made
  return { ...object, metadata: { ...metadata, ...changes } };
}

function annotationsOf(object: JsonMap): Record<string, Json> {
  const metadata = object['metadata'] as JsonMap; // as above
  return { ...(metadata['annotations'] as JsonMap) };
}
