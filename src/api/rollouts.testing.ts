import type { Json, JsonMap } from '../json/value.ts';
import { V1ALPHA1, V1BETA1 } from './names.ts';
import { type ValidationContext, validateRollout, violationsText } from './rollout.ts';

/** A valid Rollout of each version and what tests change in it. */

export const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
export const routing = { service: 'web', ingress: { name: 'web' } };

export type Changes = { [path: string]: Json | undefined };

/** Sets dotted paths of a copy; undefined takes a field away. Numbers are indexes. */
export function changed(object: JsonMap, changes: Changes): JsonMap {
  const copy = structuredClone(object) as Record<string, Json>;
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split('.');
    let here: Record<string, Json> = copy;
    for (const step of steps.slice(0, -1)) {
      here[step] ??= {};
      here = here[step] as Record<string, Json>;
    }
    const last = steps.at(-1) ?? '';
    if (value === undefined) delete here[last];
    else here[last] = value;
  }
  return copy;
}

export const BETA: JsonMap = {
  apiVersion: V1BETA1,
  kind: 'Rollout',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    workloadRef,
    strategy: {
      canary: {
        enableExtraWorkloadForCanary: true,
        steps: [
          { traffic: '20%', replicas: '20%' },
          { traffic: '60%', replicas: '60%' },
          { replicas: 5, matches: [{ headers: [{ name: 'v', value: 'x' }] }] },
        ],
        trafficRoutings: [routing],
      },
    },
  },
};
export const ALPHA: JsonMap = {
  apiVersion: V1ALPHA1,
  kind: 'Rollout',
  metadata: { name: 'web', namespace: 'shop', annotations: { 'rollouts.kruise.io/rolling-style': 'canary' } },
  spec: {
    objectRef: { workloadRef },
    strategy: { canary: { steps: [{ weight: 20 }, { weight: 60, replicas: '60%' }], trafficRoutings: [routing] } },
  },
};
export const CANARY = 'spec.strategy.canary';
export const STEPS = `${CANARY}.steps`;
export const blueGreen = (strategy: JsonMap): Changes => ({
  'spec.strategy': {
    blueGreen: {
      steps: [
        { replicas: '100%', traffic: '0%' },
        { replicas: '100%', traffic: '100%' },
      ],
      trafficRoutings: [routing],
      ...strategy,
    },
  },
});
export const text = (object: Json, context?: ValidationContext) =>
  violationsText(validateRollout(object, context).violations);
