import { describe, expect, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { endpointSlices } from './endpoints.ts';
import { listAt, mapAt, timestamp, withMetadata } from './fields.ts';
import { runningPod } from './replica-set.ts';

const NOW = Date.UTC(2026, 0, 1);

function service(spec: JsonMap): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'web', uid: 'service' },
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
  };
}

function pod(name: string, labels: JsonMap, readiness: 'True' | 'False' = 'True'): JsonMap {
  return runningPod({ metadata: { namespace: 'shop', name, uid: name, labels } }, '10.0.0.1', readiness, NOW);
}

const conditionsOf = (slices: readonly JsonMap[]) =>
  slices.flatMap((slice) =>
    listAt(slice, 'endpoints').map((each) => [
      mapAt(each, 'targetRef')['name'],
      ...Object.values(mapAt(each, 'conditions')),
    ]),
  );

describe('EndpointSlices', () => {
  test('hold the pods that the selector chooses, with ready, serving and terminating', () => {
    const slices = endpointSlices(service({ selector: { app: 'web', track: 'a' } }), [
      pod('ready', { app: 'web', track: 'a', more: 'x' }),
      pod('unready', { app: 'web', track: 'a' }, 'False'),
      withMetadata(pod('going', { app: 'web', track: 'a' }), { deletionTimestamp: timestamp(NOW) }),
      pod('other', { app: 'web', track: 'b' }),
      { metadata: { labels: { app: 'web', track: 'a' } }, status: { phase: 'Pending' } },
      { ...pod('over', { app: 'web', track: 'a' }), status: { phase: 'Succeeded', podIP: '10.0.0.1' } },
    ]);
    expect(conditionsOf(slices)).toEqual([
      ['ready', true, true, false],
      ['unready', false, false, false],
      ['going', false, true, true],
    ]);
    expect(slices[0]).toMatchObject({
      metadata: { labels: { 'kubernetes.io/service-name': 'web' }, ownerReferences: [{ uid: 'service' }] },
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    });
  });

  test('call every pod ready where the Service wants them published', () => {
    const slices = endpointSlices(service({ selector: { app: 'web' }, publishNotReadyAddresses: true }), [
      pod('a', { app: 'web' }, 'False'),
    ]);
    expect(conditionsOf(slices)).toEqual([['a', true, false, false]]);
  });

  test('are there for a Service that selects no pod, and not for one without a selector', () => {
    expect(endpointSlices(service({ selector: { app: 'none' } }), [])).toMatchObject([{ endpoints: [] }]);
    expect(endpointSlices(service({}), [pod('a', {})])).toEqual([]);
    expect(endpointSlices(service({ type: 'ExternalName', selector: { app: 'web' } }), [])).toEqual([]);
  });

  test('hold a hundred endpoints each', () => {
    const pods = Array.from({ length: 250 }, (_, i) => pod(`pod-${i}`, { app: 'web' }));
    const slices = endpointSlices(service({ selector: { app: 'web' } }), pods);
    expect(slices.map((slice) => listAt(slice, 'endpoints').length)).toEqual([100, 100, 50]);
  });
});
