import { expect, test } from 'vitest';
import type { JsonMap } from '../json/value.ts';
import { canaryIngress } from './canary-ingress.ts';

const routes = [{ stableService: 'web', canaryService: 'web-canary' }];
const path = (name: string, at = '/') => ({
  path: at,
  pathType: 'Prefix',
  backend: { service: { name, port: { number: 80 } } },
});

function ingress(rules: JsonMap[], metadata: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'shop', ...metadata },
    spec: { ingressClassName: 'nginx', tls: [{ hosts: ['a'] }], defaultBackend: { service: { name: 'web' } }, rules },
  };
}

test('only the paths of the stable Service are copied, and lead to the canary Service', () => {
  const stable = ingress([
    { host: 'a', http: { paths: [path('web'), path('other', '/o')] } },
    { host: 'b', http: { paths: [path('other')] } },
  ]);
  expect(canaryIngress(stable, routes)).toEqual({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web-canary', namespace: 'shop' },
    spec: {
      ingressClassName: 'nginx',
      tls: [{ hosts: ['a'] }],
      rules: [{ host: 'a', http: { paths: [path('web-canary')] } }],
    },
  });
});

test('rules without http and paths to resources are left out', () => {
  const resource = { path: '/r', pathType: 'Prefix', backend: { resource: { kind: 'Bucket', name: 'b' } } };
  const stable = ingress([{ host: 'a' }, { host: 'b', http: { paths: [resource, path('web')] } }]);
  expect(canaryIngress(stable, routes)?.['spec']).toMatchObject({
    rules: [{ host: 'b', http: { paths: [path('web-canary')] } }],
  });
});

test('an Ingress that never leads to the stable Service has no canary', () => {
  expect(canaryIngress(ingress([{ host: 'a', http: { paths: [path('other')] } }]), routes)).toBeUndefined();
});

test('keys by which other tools know their objects are not copied', () => {
  const stable = ingress([{ host: 'a', http: { paths: [path('web')] } }], {
    labels: { app: 'web', 'app.kubernetes.io/instance': 'shop', 'app.kubernetes.io/managed-by': 'Helm' },
    annotations: {
      'nginx.ingress.kubernetes.io/proxy-body-size': '8m',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'argocd.argoproj.io/tracking-id': 'x',
      'meta.helm.sh/release-name': 'x',
      'rollouts.kruise.io/original-spec-configuration': '{}',
    },
  });
  expect(canaryIngress(stable, routes)?.['metadata']).toEqual({
    name: 'web-canary',
    namespace: 'shop',
    labels: { app: 'web' },
    annotations: { 'nginx.ingress.kubernetes.io/proxy-body-size': '8m' },
  });
});
