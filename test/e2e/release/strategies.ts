import type { JsonMap } from '../../../src/json/value.ts';
import { routing } from './shop.ts';

export const STYLES = ['partition', 'canary', 'blue-green'] as const;
export type Style = (typeof STYLES)[number];

export type StrategyOptions = {
  /** The pause of each step. */
  readonly pause: JsonMap;
  readonly routing?: JsonMap;
  readonly scaleDownDelaySeconds?: number;
  /** After the last step of `half` the release ends with traffic that has to go home; `all` when absent. */
  readonly last?: 'half' | 'all';
};

/** A strategy of each style for a few replicas: one pod, half of the pods, all of them. */
export function strategyOf(style: Style, { pause, last, ...others }: StrategyOptions): JsonMap {
  const steps = [
    { traffic: '20%', replicas: 1, pause },
    { traffic: '50%', replicas: '50%', pause },
  ];
  const all = style === 'blue-green' ? { traffic: '100%', replicas: '100%', pause } : { replicas: '100%' };
  return withSteps(style, last === 'half' && style !== 'blue-green' ? steps : [...steps, all], others);
}

/** A strategy of each style with these steps. */
export function withSteps(
  style: Style,
  steps: readonly JsonMap[],
  { routing: by = routing, scaleDownDelaySeconds = 1 }: Omit<StrategyOptions, 'pause' | 'last'> = {},
): JsonMap {
  const trafficRoutings = [by];
  if (style === 'blue-green') return { blueGreen: { steps, trafficRoutings, scaleDownDelaySeconds } };
  const extra = style === 'canary' ? { enableExtraWorkloadForCanary: true } : {};
  return { canary: { steps, trafficRoutings, ...extra } };
}
