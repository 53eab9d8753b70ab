import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Json, stringAt } from '../json/value.ts';
import { RESOURCES } from '../kube/resource.ts';
import { directiveKey, encodeDirective, FORMAT } from '../rewrite/directive.ts';
import { hasOurLabel } from './arming.ts';
import { VIRTUAL_SERVICE } from './cluster.testing.ts';
import { armingPatch, type Observed, planGone, planRollout, type Resolution } from './plan.ts';
import { rolloutEntry, storedRollout } from './rollout-entry.ts';
import { rolloutObject } from './rollouts.testing.ts';
import { seen } from './seen.ts';

const ARMED = { type: 'armed', style: 'partition' } as const;
const ACTIVE = { type: 'workload', style: 'partition', stable: 'before', paused: true } as const;

type Directive = 'none' | 'armed' | 'armed by an earlier one' | 'active' | 'garbage';

function directiveText(which: Directive): string | undefined {
  if (which === 'none') return undefined;
  if (which === 'garbage') return '{';
  const uid = which === 'armed by an earlier one' ? 'earlier' : 'rollout-uid';
  const rollout = { namespace: 'shop', name: 'web', uid };
  const action = which === 'active' ? ACTIVE : ARMED;
  return encodeDirective({ format: FORMAT, rollout, revision: '', step: 0, continues: false, action });
}

type Situation = {
  readonly directive: Directive;
  readonly disabled: boolean;
  readonly deleting: boolean;
  readonly rival: boolean;
  readonly holder?: Observed['holder'];
  readonly serviceThere: boolean;
  readonly workloadThere: boolean;
  readonly label: string;
  readonly excluded?: boolean;
  readonly calling?: Observed['calling'];
  readonly conditions?: Json[];
};

function observe(situation: Situation): Observed {
  const metadata = situation.deleting ? { deletionTimestamp: '2026-01-02T00:00:00Z' } : {};
  const entry = rolloutEntry(
    storedRollout(
      rolloutObject({
        metadata,
        spec: { disabled: situation.disabled },
        status: { conditions: situation.conditions ?? [] },
      }),
    ),
  );
  const text = directiveText(situation.directive);
  const workload = seen(
    {
      metadata: {
        ...{ namespace: 'shop', name: 'web', uid: 'workload', resourceVersion: '9' },
        annotations: text === undefined ? {} : { [directiveKey('web')]: text },
        labels: { 'rollouts.kruise.io/workload-type': situation.label },
      },
    },
    'Deployment',
  );
  const resolution = (kind: string): Resolution => {
    if (kind === 'Deployment') {
      return situation.workloadThere
        ? { state: 'found', seen: workload, resource: RESOURCES.deployment }
        : { state: 'missing' };
    }
    if (kind === 'Service' && !situation.serviceThere) return { state: 'missing' };
    return { state: 'found', seen: { ...workload, uid: kind }, resource: VIRTUAL_SERVICE };
  };
  return {
    entry,
    isExcluded: situation.excluded ?? false,
    calling: situation.calling ?? 'called',
    rival: situation.rival ? 'shop/first' : undefined,
    holder: situation.holder,
    references: entry.references.map((reference) => ({ reference, resolution: resolution(reference.kind) })),
    routing: undefined,
    scripts: [],
    obstacles: [],
    carriers: situation.workloadThere
      ? workload.directives.flatMap((directive) =>
          directive.rollout === undefined
            ? []
            : [
                {
                  kind: { group: 'apps', kind: 'Deployment' },
                  resource: RESOURCES.deployment,
                  seen: workload,
                  directive,
                },
              ],
        )
      : [],
  };
}

const situations: fc.Arbitrary<Situation> = fc.record({
  directive: fc.constantFrom<Directive>('none', 'armed', 'armed by an earlier one', 'active', 'garbage'),
  disabled: fc.boolean(),
  deleting: fc.boolean(),
  rival: fc.boolean(),
  serviceThere: fc.boolean(),
  workloadThere: fc.boolean(),
  label: fc.constantFrom('', 'deployment', 'Deployment'),
});

test('for any situation: an active directive and what nobody can read are never touched, and arming has an end', () => {
  fc.assert(
    fc.property(situations, (situation) => {
      const { arm, disarm } = planRollout(observe(situation));
      if (situation.directive === 'active' || situation.directive === 'garbage')
        expect([arm, disarm]).toEqual([undefined, []]);
      expect(arm !== undefined && disarm.length > 0).toBe(false);
      const mayArm = !situation.disabled && !situation.deleting && !situation.rival && situation.workloadThere;
      if (!mayArm) expect(arm).toBeUndefined();
      if (arm !== undefined) {
        const label = situation.label === '' ? 'deployment' : situation.label;
        expect(planRollout(observe({ ...situation, directive: 'armed', label })).arm).toBeUndefined();
        expect(stringAt(armingPatch(arm), 'metadata', 'resourceVersion')).toBe('9');
      }
      if (disarm.length > 0) expect(planRollout(observe({ ...situation, directive: 'none' })).disarm).toEqual([]);
    }),
  );
});

const ready: Situation = {
  directive: 'none',
  disabled: false,
  deleting: false,
  rival: false,
  serviceThere: true,
  workloadThere: true,
  label: '',
};

test.each<[string, Partial<Situation>, 'armed' | 'disarmed' | 'left']>([
  ['a workload at rest', {}, 'armed'],
  ['one that is armed already', { directive: 'armed', label: 'deployment' }, 'left'],
  ['one that lost its label', { directive: 'armed' }, 'armed'],
  ['one with a label of another spelling', { directive: 'armed', label: 'Deployment' }, 'left'],
  ['one armed by a Rollout of the same name that is gone', { directive: 'armed by an earlier one' }, 'armed'],
  ['one of a disabled Rollout', { directive: 'armed', disabled: true }, 'disarmed'],
  ['one of a Rollout that is being deleted', { directive: 'armed', deleting: true }, 'disarmed'],
  ['one that another Rollout has', { directive: 'armed', rival: true }, 'disarmed'],
  ['one in a namespace that no webhook sees', { excluded: true }, 'left'],
  ['one that was armed before its namespace was taken off', { directive: 'armed', excluded: true }, 'disarmed'],
  ['one whose Service is missing from the start', { serviceThere: false }, 'left'],
  ['one whose Service goes later', { serviceThere: false, directive: 'armed', label: 'deployment' }, 'left'],
])('%s', (_, change, outcome) => {
  const { arm, disarm } = planRollout(observe({ ...ready, ...change }));
  expect({ arm: arm !== undefined, disarm: disarm.length }).toEqual({
    arm: outcome === 'armed',
    disarm: outcome === 'disarmed' ? 1 : 0,
  });
});

const found = (change: Partial<Situation>) => planRollout(observe({ ...ready, ...change })).findings;

test('a Rollout in a namespace that no webhook sees is not accepted, and told what to do', () => {
  const [accepted] = found({ excluded: true });
  expect(accepted).toMatchObject({ type: 'Accepted', status: 'False', reason: 'NamespaceExcluded' });
  expect(accepted?.message).toMatch(/^metadata\.namespace: Sluice keeps out of shop .*another namespace$/);
});

test('that API servers do not ask is told, and told to be over, and else not mentioned', () => {
  const intercepted = (change: Partial<Situation>) => found(change).find(({ type }) => type === 'Intercepted');
  expect(intercepted({})).toBeUndefined();
  const reason = '/mutate/workload is not called: there is no CA yet';
  const bad = intercepted({ calling: { reason } });
  expect(bad).toMatchObject({ status: 'False', reason: 'WebhooksNotCalled' });
  expect(bad?.message).toContain(reason);
  expect(planRollout(observe({ ...ready, calling: { reason } })).message).toBe(bad?.message);
  const conditions = [{ ...bad } as Json];
  expect(intercepted({ conditions })).toMatchObject({ status: 'True' });
  expect(intercepted({ conditions, calling: 'undecided' })).toBeUndefined();
});

test('when the Rollout is gone the armed directive goes and the active one is reported', () => {
  const armed = observe({ ...ready, directive: 'armed' }).carriers;
  const active = observe({ ...ready, directive: 'active' }).carriers;
  expect(planGone([...armed, ...active])).toEqual({ disarm: armed, left: active });
});

const left = {
  key: directiveKey('before'),
  text: encodeDirective({
    ...{ format: FORMAT, revision: 'new', step: 1, continues: true, action: ACTIVE },
    rollout: { namespace: 'shop', name: 'before', uid: 'before-uid' },
  }),
  rollout: { key: 'shop/before', uid: 'before-uid' },
  isArmed: false,
  script: undefined,
};

test('what a Rollout of another name has left at rest becomes this one’s, key and all, in one write', () => {
  const holder = { rollout: 'shop/before', directive: left, state: 'at rest', pins: [] } as const;
  const { arm, findings } = planRollout(observe({ ...ready, holder }));
  expect(findings.find(({ type }) => type === 'Accepted')?.status).toBe('True');
  if (arm === undefined) throw new Error('nothing is taken over');
  const rollout = { namespace: 'shop', name: 'web', uid: 'rollout-uid' };
  const text = encodeDirective({ format: FORMAT, rollout, revision: 'new', step: 1, continues: true, action: ACTIVE });
  expect(armingPatch(arm)).toMatchObject({
    metadata: { annotations: { [directiveKey('web')]: text, [left.key]: null } },
  });
});

test.each([
  ['living', /^spec\.workloadRef: .* Rollout shop\/before; it is released by this one when that is over/, undefined],
  ['under way', /^spec\.workloadRef: .* Rollout shop\/before, which is gone; this one takes it over when/, 1_000],
] as const)(
  'beside a directive of another Rollout that is %s nothing is armed, and the Rollout says so',
  (state, words, after) => {
    const plan = planRollout(
      observe({ ...ready, directive: 'armed', holder: { rollout: 'shop/before', directive: left, state, pins: [] } }),
    );
    expect(plan).toMatchObject({ arm: undefined, afterMilliseconds: after, message: expect.stringMatching(words) });
    expect(plan.disarm).toHaveLength(1);
  },
);

const ours = {
  manager: 'sluice-controller',
  fieldsV1: { 'f:metadata': { 'f:labels': { 'f:rollouts.kruise.io/workload-type': {} } } },
};

test.each([
  ['ours alone', { managedFields: [ours] }, true],
  ['a co-owner', { managedFields: [ours, { ...ours, manager: 'argocd' }] }, false],
  ['somebody else', { managedFields: [{ ...ours, manager: 'kubectl' }] }, false],
  [
    'in a source that was applied',
    {
      managedFields: [ours],
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration':
          '{"metadata":{"labels":{"rollouts.kruise.io/workload-type":"deployment"}}}',
      },
    },
    false,
  ],
  ['nobody known', {}, false],
])('the label is taken off only where it is ours: %s', (_, metadata, isOurs) => {
  expect(hasOurLabel({ metadata })).toBe(isOurs);
});
