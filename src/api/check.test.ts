import { expect, test } from 'vitest';
import type { Json } from '../json/value.ts';
import { checkObject } from './check.ts';
import { V1BETA1 } from './names.ts';
import { violationText } from './violation.ts';

const rollout = (metadata: Json, steps: Json): Json => ({
  apiVersion: V1BETA1,
  kind: 'Rollout',
  metadata,
  spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' }, strategy: { canary: { steps } } },
});

test.each<[string, Json, string[]]>([
  ['nothing', rollout({ name: 'r', creationTimestamp: null }, [{ replicas: 1 }]), []],
  ['a missing name', rollout({}, [{ replicas: 1 }]), ['metadata.name: is missing; write the name of the Rollout']],
  ['no missing name where one is generated', rollout({ generateName: 'r-' }, [{ replicas: 1 }]), []],
  [
    'schema and rules together',
    rollout({ name: 'r' }, [{ replicas: 'x', pause: 3 }]),
    [
      'spec.strategy.canary.steps[0].pause: 3 is not allowed here; write a map of fields',
      'spec.strategy.canary.steps[0].replicas: "x" is not a number of pods or a percentage; write 3 or "20%"',
    ],
  ],
  [
    'a mistake once',
    rollout({ name: 'r' }, [{ replicas: true }]),
    ['spec.strategy.canary.steps[0].replicas: true is not allowed here; write a whole number or a text such as "20%"'],
  ],
  [
    'nothing in a TrafficRouting that is right',
    {
      apiVersion: 'rollouts.kruise.io/v1alpha1',
      kind: 'TrafficRouting',
      metadata: {},
      spec: { objectRef: [{ service: 's' }], strategy: { weight: 5 } },
    },
    [],
  ],
  [
    'the schema of a TrafficRouting',
    {
      apiVersion: 'rollouts.kruise.io/v1alpha1',
      kind: 'TrafficRouting',
      metadata: {},
      spec: { objectRef: [{}], strategy: {} },
    },
    ['spec.objectRef[0].service: is missing; write a text'],
  ],
  ['nothing in what is not ours', { apiVersion: 'v1', kind: 'Service' }, []],
])('checkObject tells %s', (_title, object, expected) => {
  expect(checkObject(object).violations.map(violationText)).toEqual(expected);
});
