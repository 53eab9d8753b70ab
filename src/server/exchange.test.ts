import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allow } from '../admission/answer.ts';
import { convertObjects } from '../admission/convert.ts';
import { fixedInventory, type Inventory } from '../admission/inventory.ts';
import type { AdmissionHandler, AdmissionRoute } from '../admission/route.ts';
import { admissionRoutes } from '../admission/routes.ts';
import { BETA, changed } from '../api/rollouts.testing.ts';
import { parseJson } from '../json/text.ts';
import { at } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { answerAdmission, answerConversion, type Exchange } from './exchange.ts';
import { openLog } from './log.ts';
import { openMetrics } from './metrics.ts';
import { Problem } from './problem.ts';

const exchange: Exchange = {
  log: openLog('silent').log,
  metrics: openMetrics({ certificateNotAfter: () => new Date(0), requestsInFlight: () => 0 }),
};
const inventory: Inventory = {
  ...fixedInventory(
    [],
    [changed(BETA, { 'metadata.uid': 'u', 'metadata.namespace': '', 'spec.workloadRef.name': '' })],
  ),
  podMetadata: () => ({ labels: { a: 'b' }, annotations: { c: 'd' } }),
};
const routes = admissionRoutes({
  library: loadLibrary(),
  inventory,
  decideIsolated: () => Promise.resolve({ verdict: { verdict: 'denied', message: 'elsewhere' } }),
  controllerUser: 'controller',
}).filter((route) => route.review === 'AdmissionReview');

function answered(handle: AdmissionHandler, review: unknown): Promise<string> {
  const route: AdmissionRoute = { review: 'AdmissionReview', path: '/', failurePolicy: 'Fail', handle };
  const text = JSON.stringify(review);
  return answerAdmission(exchange, route, text, text.length, performance.now());
}

const odd = fc.jsonValue({ maxDepth: 4 });
const annotations = fc.dictionary(
  fc.constantFrom(
    'directive.sluice.dev/web',
    'rollouts.kruise.io/original-spec-configuration',
    'sluice.dev/floor',
    'a/b',
  ),
  fc.oneof(fc.string(), fc.json(), odd),
);
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'u', controller: true };
const owners = fc.oneof(odd, fc.array(fc.oneof(odd, fc.constant(owner))));
const object = fc.oneof(
  odd,
  fc.record({
    apiVersion: fc.constantFrom<unknown>('networking.istio.io/v1', 'rollouts.kruise.io/v1beta1', 'v1', 7),
    kind: fc.constantFrom<unknown>('VirtualService', 'Rollout', 'Service', null),
    metadata: fc.oneof(
      odd,
      fc.record({ name: odd, annotations: fc.oneof(annotations, odd), labels: odd, ownerReferences: owners }),
    ),
    spec: fc.oneof(odd, fc.record({ replicas: fc.constantFrom<unknown>(0, 1, '0', null), template: odd })),
    status: odd,
  }),
);
const request = fc.record(
  {
    uid: fc.oneof(fc.constant('u'), odd),
    operation: fc.constantFrom<unknown>('CREATE', 'UPDATE', 'DELETE', 'CONNECT', 1),
    kind: fc.oneof(fc.constant({ group: 'rollouts.kruise.io', version: 'v1beta1', kind: 'Rollout' }), odd),
    userInfo: fc.oneof(fc.constant({ username: 'controller' }), odd),
    subResource: fc.oneof(fc.constantFrom('', 'status'), odd),
    object,
    oldObject: object,
    options: odd,
  },
  { requiredKeys: [] },
);

test.each(routes)(
  'whatever a review holds, it is answered, and never as an error of ours: $path',
  async ({ handle }) => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(request, odd), async (content) => {
        const review = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request: content };
        const answer = await answered(handle, review).catch((error: unknown) => error);
        if (answer instanceof Problem) {
          expect(answer.problem).toBe('malformed');
          return;
        }
        const response = at(parseJson(String(answer)), ['response']);
        expect(at(response, ['uid'])).toEqual(at(parseJson(JSON.stringify(content)), ['uid']));
        expect(at(response, ['status', 'code'])).not.toBe(500);
      }),
    );
  },
);

test('a handler is told when its review came', async () => {
  const times: number[] = [];
  const before = Date.now();
  const handle: AdmissionHandler = ({ receivedAt }) => {
    times.push(receivedAt);
    return allow();
  };
  const asked = { uid: 'u', operation: 'CREATE', object: {} };
  await answered(handle, { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request: asked });
  expect(times).toEqual([expect.toSatisfy((time: number) => before <= time && time <= Date.now())]);
});

test('whatever a conversion holds, it is answered', async () => {
  const list = fc.array(object, { maxLength: 3 });
  const versions = fc.constantFrom('rollouts.kruise.io/v1alpha1', 'rollouts.kruise.io/v1beta1', 'v1');
  const content = fc.oneof(odd, fc.record({ uid: fc.constant('u'), desiredAPIVersion: versions, objects: list }));
  await fc.assert(
    fc.asyncProperty(content, async (conversion) => {
      const review = { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', request: conversion };
      const route = { review: 'ConversionReview', path: '/convert', handle: convertObjects } as const;
      const answer = await answerConversion(exchange, route, JSON.stringify(review), 0).catch(
        (error: unknown) => error,
      );
      if (answer instanceof Problem) {
        expect(answer.problem).toBe('malformed');
        return;
      }
      const response = at(parseJson(String(answer)), ['response']);
      expect(String(at(response, ['result', 'message']))).not.toContain('error of its own');
    }),
  );
});
