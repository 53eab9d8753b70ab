import { describe, expect, test } from 'vitest';
import { at, type JsonMap, member } from '../json/value.ts';
import { canaryService } from './canary-service.ts';

const ROLLOUT = { namespace: 'shop', name: 'web', uid: 'rollout-1' };
const PORTS: JsonMap[] = [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }];

/** The canary Service of one that an API server has stored. */
function made(spec: JsonMap, metadata: JsonMap = {}): JsonMap {
  const stable: JsonMap = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'web', uid: 'service-1', resourceVersion: '7', ...metadata },
    spec: { selector: { app: 'web' }, ports: PORTS, ...spec },
  };
  return canaryService(stable, { app: 'web' }, 'abc', ROLLOUT);
}

const PLAIN: JsonMap = { selector: { app: 'web', 'pod-template-hash': 'abc' }, ports: PORTS };

describe('a canary Service is reachable inside of the cluster only, whatever its stable one is (compat W15)', () => {
  test.each<[string, JsonMap]>([
    [
      'ClusterIP, with what the API server gave out',
      {
        ...{ type: 'ClusterIP', clusterIP: '10.0.0.7', clusterIPs: ['10.0.0.7'] },
        ...{ ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
      },
    ],
    ['NodePort', { type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ ...PORTS[0], nodePort: 30080 }] }],
    [
      'LoadBalancer',
      {
        ...{ type: 'LoadBalancer', loadBalancerIP: '192.0.2.1', loadBalancerClass: 'example.com/lb' },
        ...{ loadBalancerSourceRanges: ['192.0.2.0/24'], allocateLoadBalancerNodePorts: true },
        ...{ externalTrafficPolicy: 'Local', healthCheckNodePort: 31000, ports: [{ ...PORTS[0], nodePort: 30080 }] },
      },
    ],
    ['one with addresses of its own', { externalIPs: ['192.0.2.2'] }],
    ['ExternalName', { type: 'ExternalName', externalName: 'web.example.com' }],
  ])('%s', (_, spec) => {
    expect(made(spec)['spec']).toEqual(PLAIN);
  });

  test('a headless one stays headless: who resolves it expects the addresses of pods', () => {
    expect(made({ clusterIP: 'None', clusterIPs: ['None'] })['spec']).toEqual({ ...PLAIN, clusterIP: 'None' });
  });
});

describe('how requests come to its pods is what its stable one says', () => {
  test.each<[string, JsonMap]>([
    ['sessions', { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } }],
    ['pods that are not ready', { publishNotReadyAddresses: true }],
    ['pods nearby', { internalTrafficPolicy: 'Local', trafficDistribution: 'PreferClose' }],
  ])('%s', (_, spec) => {
    expect(made(spec)['spec']).toEqual({ ...PLAIN, ...spec });
  });

  test('all of its ports, but for those of nodes', () => {
    const ports: JsonMap[] = [
      { name: 'http', port: 80, protocol: 'TCP', targetPort: 'web', appProtocol: 'kubernetes.io/h2c' },
      { name: 'dns', port: 53, protocol: 'UDP', targetPort: 5353 },
    ];
    const stored = ports.map((port, i) => ({ ...port, nodePort: 30080 + i }));
    expect(at(made({ ports: stored }), ['spec', 'ports'])).toEqual(ports);
  });

  test('none where it has none', () => {
    expect(at(made({ clusterIP: 'None', ports: [] }), ['spec', 'ports'])).toEqual([]);
  });
});

test('it selects what its stable one does, and of that the new version', () => {
  const selector = { app: 'web', tier: 'front', 'pod-template-hash': 'of the old version' };
  const service = canaryService({ metadata: { name: 'web' }, spec: { selector } }, selector, 'abc', ROLLOUT);
  expect(at(service, ['spec', 'selector'])).toEqual({ app: 'web', tier: 'front', 'pod-template-hash': 'abc' });
});

test('it bears the labels and annotations of its stable one, but for those by which tools know what they manage', () => {
  const { metadata } = made(
    {},
    {
      labels: { team: 'shop', 'app.kubernetes.io/instance': 'web', 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: {
        'example.com/scheme': 'http',
        'argocd.argoproj.io/tracking-id': 'web:/Service:shop/web',
        'meta.helm.sh/release-name': 'web',
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
        'sluice.dev/original': '{}',
      },
    },
  );
  expect(member(metadata, 'labels')).toEqual({ team: 'shop', 'sluice.dev/rollout': 'web' });
  const annotations = Object.keys(member(metadata, 'annotations') as JsonMap).toSorted();
  expect(annotations).toEqual(['example.com/scheme', 'sluice.dev/made-for']);
  expect(member(metadata, 'name')).toBe('web-canary');
  expect(Object.keys(metadata as JsonMap)).not.toContain('ownerReferences');
});
