import { equal } from './equal.ts';
import { isMap, type Json, type JsonMap } from './value.ts';

/**
 * The merge patch (RFC 7386) that makes `after` of `before`; lists are replaced whole.
 *
 * @returns undefined when they are equal.
 */
export function mergePatch(before: JsonMap, after: JsonMap): JsonMap | undefined {
  const patch: { [key: string]: Json } = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before[key], after[key]];
    if (equal(was, is)) continue;
    if (is === undefined) patch[key] = null;
    else patch[key] = isMap(was) && isMap(is) ? (mergePatch(was, is) ?? {}) : is;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
