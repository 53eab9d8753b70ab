import { describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../api/names.ts';
import { at, type Json, type JsonMap } from '../json/value.ts';
import { decide, type Verdict, type Write } from './decide.ts';
import {
  type Action,
  type Directive,
  decodeDirective,
  directiveKey,
  encodeDirective,
  FORMAT,
  type Style,
} from './directive.ts';
import { encodeOriginal } from './original.ts';
import { createRewriter } from './rewriter.ts';
import { templateHash } from './template.ts';

const KEY = directiveKey('web');
const rewriter = createRewriter(() => undefined);

const directive = (action: Action, revision = '', continues = false): Directive => ({
  format: FORMAT,
  rollout: { namespace: 'shop', name: 'web', uid: 'uid' },
  revision,
  step: 0,
  continues,
  action,
});
const armed = (style: Style): string => encodeDirective(directive({ type: 'armed', style }));
const template = (image: string): JsonMap => ({ spec: { containers: [{ name: 'web', image }] } });
const hash = (image: string) => templateHash(template(image));

/** As it is stored without a release. */
const OWN = {
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
  progressDeadlineSeconds: 600,
  revisionHistoryLimit: 10,
} as const;

function deployment(image: string, annotations: JsonMap = {}, spec: JsonMap = {}): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', annotations, managedFields: [{ manager: 'kubectl', fieldsV1: {} }] },
    spec: { replicas: 4, ...OWN, template: template(image), ...spec },
  };
}

function applied(object: JsonMap, verdict: Verdict): JsonMap {
  if (verdict.verdict === 'denied') throw new Error(verdict.message);
  if (verdict.verdict === 'untouched') return object;
  const { spec: _, metadata, ...rest } = object;
  const value = (path: string, before: Json | undefined) => {
    const operation = verdict.operations.find((each) => each.path === path);
    if (operation === undefined) return before;
    return operation.op === 'remove' ? undefined : operation.value;
  };
  const { annotations: before = {}, ...others } = metadata as JsonMap;
  const [spec = {}, annotations = {}] = [value('/spec', object['spec']), value('/metadata/annotations', before)];
  return { ...rest, metadata: { ...others, annotations }, spec };
}

function written(incoming: JsonMap, live: JsonMap, rest: Partial<Write> = {}) {
  const verdict = decide({ operation: 'UPDATE', incoming, live, byController: false, ...rest }, rewriter);
  const object = applied(incoming, verdict);
  const text = at(object, ['metadata', 'annotations', KEY]);
  return {
    verdict,
    object,
    spec: object['spec'] as JsonMap,
    annotations: at(object, ['metadata', 'annotations']) as JsonMap,
    directive: typeof text === 'string' ? decodeDirective(KEY, text) : undefined,
    warnings: 'warnings' in verdict ? verdict.warnings : [],
  };
}

const WALKING = { minReadySeconds: 2147483646, progressDeadlineSeconds: 2147483647, revisionHistoryLimit: 10 };

describe('a new template of an armed workload is held in the same write', () => {
  test.each<[Style, JsonMap]>([
    [
      'partition',
      { ...WALKING, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
    ],
    [
      'blueGreen',
      { ...WALKING, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
    ],
    ['canary', OWN],
  ])('%s', (style, fields) => {
    const live = deployment('web:1', { [KEY]: armed(style) });
    const after = written(deployment('web:2', { [KEY]: armed(style) }), live);
    expect(after.spec).toEqual({ replicas: 4, template: template('web:2'), paused: true, ...fields });
    expect(after.directive).toMatchObject({
      revision: hash('web:2'),
      continues: false,
      action: { type: 'workload', style, stable: hash('web:1'), paused: true },
    });
    expect(after.annotations).toMatchObject({
      [ANNOTATIONS.original]: encodeOriginal({ spec: OWN }, 'apps/v1'),
      [ANNOTATIONS.inProgressing]: '{"rolloutName":"web"}',
    });
    expect(after.warnings).toEqual([expect.stringContaining('Rollout shop/web releases it step by step')]);
  });

  test.each<[string, JsonMap]>([
    ['a scale', deployment('web:1', { [KEY]: armed('partition') }, { replicas: 9 })],
    ['metadata only', deployment('web:1', { [KEY]: armed('partition'), note: 'x' })],
    ['the same image, written again', deployment('web:1', { [KEY]: armed('partition') })],
    [
      'what API servers leave out',
      deployment('web:1', { [KEY]: armed('partition') }, { template: { metadata: {}, ...template('web:1') } }),
    ],
    ['the strategy', deployment('web:1', { [KEY]: armed('partition') }, { minReadySeconds: 5 })],
  ])('%s begins no release', (_, incoming) => {
    const after = written(incoming, deployment('web:1', { [KEY]: armed('partition') }));
    expect(after.object).toEqual(incoming);
    expect(after.warnings).toEqual([]);
  });

  test.each([
    ['before', 0, 4],
    ['after', 4, 0],
  ])('a workload without pods %s the write has nothing to release step by step', (_, before, now) => {
    const annotations = { [KEY]: armed('partition') };
    const incoming = deployment('web:2', annotations, { replicas: now });
    const after = written(incoming, deployment('web:1', annotations, { replicas: before }));
    expect(after.object).toEqual(incoming);
  });

  test('a workload of type Recreate is held, and keeps its strategy', () => {
    const annotations = { [KEY]: armed('partition') };
    const strategy = { strategy: { type: 'Recreate' } };
    const live = deployment('web:1', annotations, strategy);
    expect(written(deployment('web:2', annotations, strategy), live).spec).toEqual({
      ...OWN,
      replicas: 4,
      template: template('web:2'),
      paused: true,
      strategy: { type: 'Recreate' },
    });
  });

  test('a workload that its owner has paused stays so after the release', () => {
    const annotations = { [KEY]: armed('canary') };
    const after = written(
      deployment('web:2', annotations, { paused: true }),
      deployment('web:1', annotations, { paused: true }),
    );
    expect(after.annotations[ANNOTATIONS.original]).toBe(encodeOriginal({ spec: { ...OWN, paused: true } }, 'apps/v1'));
  });

  test('a Rollout that comes together with the new version holds it, although nothing is armed yet', () => {
    const naming = new Map([[KEY, armed('partition')]]);
    const after = written(deployment('web:2'), deployment('web:1'), { naming });
    expect(after.spec['paused']).toBe(true);
    expect(after.directive?.action).toMatchObject({ type: 'workload', stable: hash('web:1') });
    const unchanged = written(deployment('web:1', { note: 'x' }), deployment('web:1'), { naming });
    expect(unchanged.object).toEqual(deployment('web:1', { note: 'x' }));
  });
});

describe('reinvocation', () => {
  const live = deployment('web:1', { [KEY]: armed('partition') });
  const first = written(deployment('web:2', { [KEY]: armed('partition') }), live);

  test('the second pass over its own answer changes nothing, and warns once more of the same', () => {
    const second = written(first.object, live, {});
    expect(second.object).toEqual(first.object);
    expect(second.warnings).toEqual(first.warnings);
  });

  test('the hold is taken back when another webhook undoes the change', () => {
    const undone = { ...first.object, spec: { ...first.spec, template: template('web:1') } };
    const second = written(undone, live);
    expect(second.object).toEqual(live);
    expect(second.warnings).toEqual([]);
  });

  test('it is taken back where nothing was armed, too', () => {
    const naming = new Map([[KEY, armed('canary')]]);
    const bare = deployment('web:1');
    const held = written(deployment('web:2'), bare, { naming });
    const undone = { ...held.object, spec: { ...held.spec, template: template('web:1') } };
    expect(written(undone, bare, { naming }).object).toEqual(bare);
  });

  test('another webhook that changes the template further is followed', () => {
    const changed = { ...first.object, spec: { ...first.spec, template: template('web:2@sha256:1') } };
    const second = written(changed, live);
    expect(second.directive?.revision).toBe(hash('web:2@sha256:1'));
    expect(second.spec).toEqual({ ...first.spec, template: template('web:2@sha256:1') });
  });
});

describe('another template in the middle of a release', () => {
  const inRelease = (style: Style, image = 'web:2') => {
    const walk = style === 'canary' ? {} : { walk: { maxSurge: '0%', maxUnavailable: '50%' } };
    const action = { type: 'workload', style, stable: hash('web:1'), paused: true, ...walk } as const;
    const annotations = {
      [KEY]: encodeDirective(directive(action, hash('web:2'), true)),
      [ANNOTATIONS.original]: encodeOriginal({ spec: OWN }, 'apps/v1'),
      [ANNOTATIONS.inProgressing]: '{"rolloutName":"web"}',
    };
    const rolling = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '0%', maxUnavailable: '50%' } };
    const fields = style === 'canary' ? {} : { ...WALKING, strategy: rolling };
    return deployment(image, annotations, { paused: true, ...fields });
  };
  const rolling = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } };

  test.each<[string, Style, string, JsonMap]>([
    [
      'the stable one: nothing is taken down, and the stable set may grow',
      'partition',
      'web:1',
      { ...WALKING, strategy: rolling },
    ],
    [
      'the stable one: nothing is taken down, and the stable set may grow',
      'blueGreen',
      'web:1',
      { ...WALKING, strategy: rolling },
    ],
    ['the stable one: the workload stays paused', 'canary', 'web:1', { ...OWN, paused: true }],
    [
      'a third: everything stands still',
      'partition',
      'web:3',
      { ...WALKING, paused: true, strategy: { type: 'Recreate' } },
    ],
    ['a third: both sets stay', 'blueGreen', 'web:3', { ...WALKING, paused: true, strategy: rolling }],
    ['a third: the workload stays paused', 'canary', 'web:3', { ...OWN, paused: true }],
  ])('%s (%s)', (_, style, image, fields) => {
    const after = written(inRelease(style, image), inRelease(style));
    expect(after.spec).toEqual({ replicas: 4, template: template(image), ...fields });
    expect(after.directive).toMatchObject({ revision: hash(image), continues: true });
    expect(after.annotations[ANNOTATIONS.original]).toBe(encodeOriginal({ spec: OWN }, 'apps/v1'));
    expect(after.warnings).toEqual([]);
  });

  test('the same template, and every other edit, leave the directive as it is', () => {
    const live = inRelease('partition');
    const scaled = { ...live, spec: { ...(live['spec'] as JsonMap), replicas: 9 } };
    expect(written(scaled, live).object).toEqual(scaled);
  });

  test('the controller says what becomes of a template that it has seen', () => {
    const live = inRelease('partition');
    const done = {
      ...live,
      metadata: { ...(live['metadata'] as JsonMap), annotations: { [KEY]: armed('partition') } },
    };
    const after = written(done, live, { byController: true });
    expect(after.object).toEqual(deployment('web:2', { [KEY]: armed('partition') }));
  });

  test('the mark of a release in progress cannot be taken off by others', () => {
    const live = inRelease('partition');
    const annotations = Object.fromEntries(
      Object.entries(at(live, ['metadata', 'annotations']) as JsonMap).filter(([key]) => !key.includes('progressing')),
    );
    const after = written({ ...live, metadata: { ...(live['metadata'] as JsonMap), annotations } }, live);
    expect(after.object).toEqual(live);
  });
});

describe('one directive holds a workload at a time', () => {
  const OTHER = directiveKey('another');
  const other = encodeDirective({
    ...directive({ type: 'armed', style: 'partition' }),
    rollout: { namespace: 'shop', name: 'another', uid: 'other' },
  });
  const active = encodeDirective(
    directive({ type: 'workload', style: 'partition', stable: hash('web:1'), paused: true }, hash('web:2')),
  );

  test.each<[string, string, string | undefined]>([
    ['an armed one stays armed beside one that holds', active, hash('web:1')],
    ['of two armed ones the first holds', armed('partition'), undefined],
  ])('%s', (_, text, stable) => {
    const live = deployment('web:2', { [OTHER]: other, [KEY]: text });
    const { annotations } = written(deployment('web:3', { [OTHER]: other, [KEY]: text }), live);
    const [held, rest] = [KEY, OTHER].map((key) => decodeDirective(key, String(annotations[key])));
    const [holder, armedStill] = stable === undefined ? [rest, held] : [held, rest];
    expect(holder).toMatchObject({ revision: hash('web:3'), action: { stable: stable ?? hash('web:2') } });
    expect(armedStill?.action.type).toBe('armed');
  });

  test('a Rollout that comes in the same write does not hold what another one holds', () => {
    const live = deployment('web:2', { [KEY]: active });
    const after = written(deployment('web:3', { [KEY]: active }), live, { naming: new Map([[OTHER, other]]) });
    expect(Object.keys(after.annotations)).not.toContain(OTHER);
    expect(after.directive?.action).toMatchObject({ stable: hash('web:1') });
  });
});
