import { expect } from 'vitest';
import { DIRECTIVE_PREFIX } from '../../../src/api/names.ts';
import { at, isMap, type Json, type JsonMap, member } from '../../../src/json/value.ts';
import { ownedBySluice, ownersOf } from '../ownership.ts';
import type { Subject } from './objects.ts';
import { missingOwners, type Pair } from './release.ts';
import { ownAnnotations, rewrittenTwin } from './view.ts';

/**
 * What holds at every moment of a release: the object is what the directives make of the twin, the original is what the
 * twin is, nobody owns less than they own of the twin, and Sluice's controller owns its directive only.
 * @param directiveOf whose the directive is
 */
export async function expectHeld(pair: Pair, when: string, directiveOf: 'controller' | 'nobody' = 'controller') {
  const [live, twin] = await Promise.all([pair.live(), pair.twin()]);
  expect(pair.comparable(live), `${when}: the object in effect`).toEqual(pair.comparable(rewrittenTwin(live, twin)));
  expect(pair.originalOf(live), `${when}: the original`).toEqual(heldOf(pair.subject, pair.comparable(twin)));
  expect(missingOwners(ownersOf(live), ownersOf(twin)), `${when}: owners that lost a field`).toEqual([]);
  const owned = ownedBySluice(live);
  // A replace leaves it out, and what a webhook puts back is nobody's until the controller's next write.
  const isNobodys = directiveOf === 'nobody' || (pair.tool.name === 'replace' && owned.length === 0);
  const directive = `/f:metadata/f:annotations/f:${DIRECTIVE_PREFIX}web`;
  expect(owned, `${when}: owned by the controller`).toEqual(isNobodys ? [] : [directive]);
}

/** After a release the object is the twin, owners included, and nothing of Sluice's is left. */
export async function expectRestored(pair: Pair): Promise<void> {
  const [live, twin] = await Promise.all([pair.live(), pair.twin()]);
  expect(pair.comparable(live), 'the restored object').toEqual(pair.comparable(twin));
  expect(ownAnnotations(live), 'annotations of Sluice that are left').toEqual({});
  expect(missingOwners(ownersOf(live), ownersOf(twin)), 'owners that lost a field in the release').toEqual([]);
}

/** The part of a plain object that its kind's original holds. */
export function heldOf({ held }: Subject, plain: Json): Json {
  if (held === 'whole') return plain;
  const spec = held.flatMap((key) => {
    const value = at(plain, ['spec', key]);
    return value === undefined ? [] : [[key, value] as const];
  });
  return { spec: Object.fromEntries(spec), labels: {}, annotations: {} };
}

/** Without what every write of the same content may change. */
export function withoutServerFields(object: JsonMap): JsonMap {
  const metadata = member(object, 'metadata');
  const { managedFields: _, resourceVersion: __, generation: ___, ...rest } = isMap(metadata) ? metadata : {};
  const { status: ____, ...parts } = object;
  const { 'deployment.kubernetes.io/revision': _____, ...annotations } = (rest['annotations'] ?? {}) as JsonMap;
  return { ...parts, metadata: { ...rest, annotations } };
}
