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
export function strategyOf(style: Style, options: StrategyOptions): JsonMap {
  const { pause, scaleDownDelaySeconds = 1 } = options;
  const trafficRoutings = [options.routing ?? routing];
  const steps = [
    { traffic: '20%', replicas: 1, pause },
    { traffic: '50%', replicas: '50%', pause },
  ];
  if (style === 'blue-green') {
    const all = { traffic: '100%', replicas: '100%', pause };
    return { blueGreen: { steps: [...steps, all], trafficRoutings, scaleDownDelaySeconds } };
  }
  const whole = options.last === 'half' ? steps : [...steps, { replicas: '100%' }];
  const extra = style === 'canary' ? { enableExtraWorkloadForCanary: true } : {};
  return { canary: { steps: whole, trafficRoutings, ...extra } };
}
