import type { JsonMap } from '../src/json/value.ts';
import { loadLibrary } from '../src/lua/library.ts';
import type { Script } from '../src/lua/script.ts';
import { type Directive, FORMAT } from '../src/rewrite/directive.ts';

export const STABLE_SERVICE = 'checkout';
export const ROLLOUT = { namespace: 'shop', name: 'checkout', uid: '7e9a1f3c-5d0b-4c39-9a51-0f5f3f0a6a01' };

/** The shipped script of VirtualServices. */
export function shippedScript(): Script {
  const script = loadLibrary().scripts.get('networking.istio.io/VirtualService');
  if (script === undefined) throw new Error('lua-scripts holds no VirtualService script');
  return script;
}

/**
 * A VirtualService as users write it, with `routes` http rules that all lead to the stable Service: the most that a
 * rewrite can have to do on that many. Nothing in it is empty or null, since Kruise's manager does not carry `{}` and
 * `[]` through Lua.
 */
export function virtualService(routes: number, name = 'checkout'): JsonMap {
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: {
      name,
      namespace: ROLLOUT.namespace,
      labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'shop', team: 'payments' },
      annotations: { 'shop.example.com/owner': 'payments@example.com', 'shop.example.com/runbook': `runbooks/${name}` },
    },
    spec: {
      hosts: [`${name}.shop.example.com`, 'www.shop.example.com'],
      gateways: ['istio-system/public', 'mesh'],
      http: Array.from({ length: routes }, (_, i) => ({
        name: `${name}-route-${i}`,
        match: [{ uri: { prefix: `/api/v1/${name}/resource-${i}` } }],
        route: [{ destination: { host: STABLE_SERVICE, port: { number: 8080 } } }],
        timeout: '5s',
        retries: { attempts: 3, perTryTimeout: '2s', retryOn: '5xx,reset' },
      })),
    },
  };
}

/** A step by its number (from 1) and the percent of the traffic that it moves. */
export type Step = { readonly number: number; readonly weight: number };

/** The directive of a step that moves `weight` percent of the traffic. */
export function stepDirective({ number, weight }: Step, { name, hash }: Script): Directive {
  return {
    format: FORMAT,
    rollout: ROLLOUT,
    revision: '5b8f6c7d9f',
    step: number,
    continues: number > 1,
    action: {
      type: 'gateway',
      contract: 'custom',
      script: { name, hash },
      routes: [{ stableService: STABLE_SERVICE, canaryService: `${STABLE_SERVICE}-canary` }],
      weight,
    },
  };
}
