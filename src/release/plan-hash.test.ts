import { describe, expect, test } from 'vitest';
import type { Rollout } from '../api/generated.ts';
import type { JsonMap } from '../json/value.ts';
import { planHash } from './plan-hash.ts';

const STEPS: readonly JsonMap[] = [{ traffic: '20%', replicas: '20%', pause: {} }, { replicas: '100%' }];
const ROUTINGS = [{ service: 'web', gateway: { httpRouteName: 'web' } }];

const hash = (strategy: JsonMap, metadata: JsonMap = {}, spec: JsonMap = {}): string =>
  planHash({ metadata, spec: { workloadRef: {}, strategy, ...spec } } as unknown as Rollout);
const canary = (change: JsonMap = {}): JsonMap => ({ canary: { steps: STEPS, trafficRoutings: ROUTINGS, ...change } });
const blueGreen = (change: JsonMap = {}): JsonMap => ({
  blueGreen: { steps: STEPS, trafficRoutings: ROUTINGS, ...change },
});
const firstStep = (change: JsonMap): JsonMap => ({ steps: [{ ...STEPS[0], ...change }, ...STEPS.slice(1)] });
const firstStepWithout = (field: string): JsonMap => {
  const { [field]: _, ...first } = STEPS[0] ?? {};
  return { steps: [first, ...STEPS.slice(1)] };
};

describe('the hash of a plan (compat §2.5)', () => {
  test('is 64 characters that make no words', () => {
    expect(hash(canary())).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{64}$/);
  });

  test.each<[string, JsonMap]>([
    ['a pause of a time in the place of an approval', firstStep({ pause: { duration: 60 } })],
    ['a step without a pause', firstStepWithout('pause')],
    ['failureThreshold', { failureThreshold: '10%' }],
    ['progressDeadlineSeconds', { progressDeadlineSeconds: 60 }],
    ['onFailure', { onFailure: 'rollback' }],
    ['the order of fields', { trafficRoutings: ROUTINGS, steps: STEPS }],
  ])('is the same with %s', (_, change) => {
    expect(hash(canary(change))).toBe(hash(canary()));
  });

  test('is the same with scaleDownDelaySeconds', () => {
    expect(hash(blueGreen({ scaleDownDelaySeconds: 5 }))).toBe(hash(blueGreen()));
  });

  test('is the same whatever is said beside the plan', () => {
    const beside = hash({ ...canary(), paused: true }, { annotations: { team: 'shop' } }, { disabled: true });
    expect(beside).toBe(hash(canary()));
  });

  test.each<[string, JsonMap]>([
    ['other replicas', firstStep({ replicas: '30%' })],
    ['a number in the place of a percentage', firstStep({ replicas: 20 })],
    ['another weight', firstStep({ traffic: '30%' })],
    ['no weight', firstStepWithout('traffic')],
    ['matches', firstStep({ matches: [{ headers: [{ name: 'tester', value: 'yes' }] }] })],
    ['requestHeaderModifier', firstStep({ requestHeaderModifier: { remove: ['x-shop'] } })],
    ['a step more', { steps: [...STEPS, { replicas: '100%' }] }],
    ['a step less', { steps: STEPS.slice(1) }],
    ['the steps the other way round', { steps: STEPS.toReversed() }],
    ['other routings', { trafficRoutings: [{ service: 'other' }] }],
    ['patchPodTemplateMetadata', { patchPodTemplateMetadata: { labels: { track: 'canary' } } }],
    ['another style', { enableExtraWorkloadForCanary: true }],
    ['no canary Service', { disableGenerateCanaryService: true }],
  ])('is another one with %s', (_, change) => {
    expect(hash(canary(change))).not.toBe(hash(canary()));
  });
});
