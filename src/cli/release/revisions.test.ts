import { expect, test } from 'vitest';
import type { JsonMap } from '../../json/value.ts';
import { deployment, HASHES, NOW, replicaSet, TEMPLATE_HASHES, TEMPLATES, template } from './release.testing.ts';
import { revisionsOf, undoTarget } from './revisions.ts';

const VERSIONS = {
  stable: TEMPLATE_HASHES.stable,
  canary: TEMPLATE_HASHES.canary,
  stableRevision: '',
  canaryRevision: '',
};
const sets = [
  replicaSet(HASHES.stable, 3, TEMPLATES.stable, { desired: 4 }),
  replicaSet('first', 1, template('web:0'), { desired: 0, annotations: { 'kubernetes.io/change-cause': 'begin' } }),
  replicaSet(HASHES.canary, 10, TEMPLATES.canary, { desired: 2, ready: 1 }),
  replicaSet('foreign', 11, template('other:1'), { owner: 'somebody' }),
];
const revisions = revisionsOf(deployment(), sets, VERSIONS, NOW);

test('revisions are those of its own ReplicaSets, the newest first, by number and not by text', () => {
  expect(revisions.map(({ podTemplate: _, ...revision }) => revision)).toEqual([
    {
      revision: 10,
      template: TEMPLATE_HASHES.canary,
      replicaSet: 'web-7f8b6d5c9',
      images: 'web:2',
      role: 'canary',
      desired: 2,
      ready: 1,
      ageSeconds: 86_400,
    },
    {
      revision: 3,
      template: TEMPLATE_HASHES.stable,
      replicaSet: 'web-6d5f9c7b8',
      images: 'web:1',
      role: 'stable',
      desired: 4,
      ready: 4,
      ageSeconds: 86_400,
    },
    expect.objectContaining({ revision: 1, role: 'other', images: 'web:0', changeCause: 'begin' }),
  ]);
});

test('a template to go back to is what its author wrote: without the label of the native controller', () => {
  expect(revisions.map(({ podTemplate }) => podTemplate)).toEqual([
    TEMPLATES.canary,
    TEMPLATES.stable,
    template('web:0'),
  ]);
});

const RESTING = deployment({ template: TEMPLATES.canary });
const HELD_THIRD = deployment({ template: template('web:3') });

test.each<[string, JsonMap, boolean, number | undefined, string]>([
  ['outside a release the revision before', RESTING, false, undefined, 'web:1'],
  ['outside a release, when what is stored was never rolled out, the newest', HELD_THIRD, false, undefined, 'web:2'],
  ['in a release the old version', RESTING, true, undefined, 'web:1'],
  ['in a release of a third version the old one', HELD_THIRD, true, undefined, 'web:1'],
  ['the one that is named', RESTING, false, 1, 'web:0'],
  ['in a release, too', RESTING, true, 1, 'web:0'],
])('undo goes back to: %s', (_, stored, isInRelease, wanted, images) => {
  expect(undoTarget(revisions, stored, isInRelease, wanted)).toMatchObject({ images });
});

test.each<[string, typeof revisions, boolean, number | undefined, string]>([
  ['no such revision', revisions, false, 7, 'there is no revision 7; there are 1, 3, 10'],
  ['no revision at all', [], false, 7, 'there is no revision 7; there are none'],
  [
    'no earlier one',
    revisions.slice(0, 1),
    false,
    undefined,
    'there is no earlier revision (see spec.revisionHistoryLimit)',
  ],
  [
    'the old version is cleaned away',
    revisions.slice(0, 1),
    true,
    undefined,
    'the ReplicaSet of the old version is gone',
  ],
])('undo says why it cannot: %s', (_, known, isInRelease, wanted, text) => {
  expect(undoTarget(known, RESTING, isInRelease, wanted)).toContain(text);
});

test('a ReplicaSet that has no number yet is the newest', () => {
  const { annotations: _, ...metadata } = replicaSet('fresh', 0, template('web:9'))['metadata'] as JsonMap;
  const fresh = { ...replicaSet('fresh', 0, template('web:9')), metadata };
  expect(revisionsOf(deployment(), [...sets, fresh], VERSIONS, NOW)[0]).toMatchObject({ images: 'web:9' });
});
