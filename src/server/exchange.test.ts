import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allow } from '../admission/answer.ts';
import { convertObjects } from '../admission/convert.ts';
import { gatewayHandler } from '../admission/gateway.ts';
import { fixedInventory } from '../admission/inventory.ts';
import { rolloutHandler } from '../admission/rollout.ts';
import type { AdmissionHandler, AdmissionRoute } from '../admission/route.ts';
import { statusHandler } from '../admission/status.ts';
import { parseJson } from '../json/text.ts';
import { at } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { answerAdmission, answerConversion, type Exchange } from './exchange.ts';
import { openLog } from './log.ts';
import { openMetrics } from './metrics.ts';
import { Problem } from './problem.ts';

const inventory = fixedInventory([], []);
const exchange: Exchange = {
  log: openLog('silent').log,
  metrics: openMetrics({ certificateNotAfter: () => new Date(0), requestsInFlight: () => 0 }),
};
const handlers: Record<string, AdmissionHandler> = {
  gateway: gatewayHandler({
    library: loadLibrary(),
    inventory,
    decideIsolated: () => Promise.resolve({ verdict: { verdict: 'denied', message: 'elsewhere' } }),
    controllerUser: 'controller',
  }),
  rollout: rolloutHandler(inventory),
  status: statusHandler,
};

function answered(handle: AdmissionHandler, review: unknown): Promise<string> {
  const route: AdmissionRoute = { review: 'AdmissionReview', path: '/', failurePolicy: 'Fail', handle };
  const text = JSON.stringify(review);
  return answerAdmission(exchange, route, text, text.length, performance.now());
}

const odd = fc.jsonValue({ maxDepth: 4 });
const annotations = fc.dictionary(
  fc.constantFrom('directive.sluice.dev/web', 'rollouts.kruise.io/original-spec-configuration', 'a/b'),
  fc.oneof(fc.string(), fc.json(), odd),
);
const object = fc.oneof(
  odd,
  fc.record({
    apiVersion: fc.constantFrom<unknown>('networking.istio.io/v1', 'rollouts.kruise.io/v1beta1', 'v1', 7),
    kind: fc.constantFrom<unknown>('VirtualService', 'Rollout', 'Service', null),
    metadata: fc.oneof(odd, fc.record({ name: odd, annotations: fc.oneof(annotations, odd), labels: odd })),
    spec: odd,
  }),
);
const request = fc.record(
  {
    uid: fc.oneof(fc.constant('u'), odd),
    operation: fc.constantFrom<unknown>('CREATE', 'UPDATE', 'DELETE', 'CONNECT', 1),
    kind: fc.oneof(fc.constant({ group: 'rollouts.kruise.io', version: 'v1beta1', kind: 'Rollout' }), odd),
    userInfo: fc.oneof(fc.constant({ username: 'controller' }), odd),
    subResource: fc.oneof(fc.constant(''), odd),
    object,
    oldObject: object,
    options: odd,
  },
  { requiredKeys: [] },
);

test.each(Object.keys(handlers))(
  'whatever a review holds, it is answered, and never as an error of ours: %s',
  async (name) => {
    const handle = handlers[name];
    await fc.assert(
      fc.asyncProperty(fc.oneof(request, odd), async (content) => {
        const review = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request: content };
        const answer = await answered(handle ?? (() => allow()), review).catch((error: unknown) => error);
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
