import { expect } from 'vitest';
import { equal } from '../../../src/json/equal.ts';
import type { Edit } from './objects.ts';
import type { Pair } from './release.ts';
import { expectHeld } from './steady.ts';
import { told } from './told.ts';
import { keepsOther } from './view.ts';

/**
 * The user writes an edit in a release, and everything is as it must be then.
 * @returns what became of it, as the documentation says it
 */
export async function editInRelease(pair: Pair, edit: Edit): Promise<string> {
  const { release } = pair.namespaces;
  const before = await pair.live();
  const said = told(await pair.write(edit), release);
  const after = await pair.live();
  await expectHeld(pair, `after ${edit.title}`);
  const shows = !equal(pair.comparable(before), pair.comparable(after));
  const isKept = keepsOther(before, after);
  expect(shows, `${edit.title} shows`).toBe(edit.isHidden !== true);
  // A replace leaves our annotations out each time.
  const putBack = pair.tool.name === 'replace' ? ['annotations are put back'] : [];
  const notInEffect = said.filter((each) => each === 'not in effect');
  expect(
    said.filter((each) => each !== 'not in effect'),
    `what is said of ${edit.title}`,
  ).toEqual(putBack);
  const warned = notInEffect.length > 0 ? ', warned' : '';
  if (!shows) return `in the original, in effect after the release${warned}`;
  return `in effect${isKept ? ', in the original' : ''}${warned}`;
}
