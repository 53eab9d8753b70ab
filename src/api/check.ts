import { type Json, member, stringAt } from '../json/value.ts';
import { type Validation, type ValidationContext, validateRollout } from './rollout.ts';
import { isRolloutVersion } from './schema.ts';
import { validateSchema } from './validate.ts';
import type { FieldPath } from './violation.ts';

/**
 * Everything that is wrong with an object as someone has written it in a file: its schema, for Rollouts the rules beyond
 * it, and a name. What follows from a mistake that the schema has told already is not told again. Objects of kinds that
 * are not ours have nothing wrong with them.
 */
export function checkObject(object: Json, context: ValidationContext = {}): Validation {
  const schema = validateSchema(object);
  if (!isRollout(object)) return { violations: schema, warnings: [] };
  const nameless = hasName(object)
    ? []
    : [{ path: ['metadata', 'name'], message: 'is missing; write the name of the Rollout' }];
  const { violations, warnings } = validateRollout(object, context);
  const further = violations.filter(({ path }) => !schema.some((told) => isAtOrAbove(told.path, path)));
  return { violations: [...schema, ...nameless, ...further], warnings };
}

function isRollout(object: Json): boolean {
  return isRolloutVersion(member(object, 'apiVersion')) && member(object, 'kind') === 'Rollout';
}

function hasName(object: Json): boolean {
  const metadata = member(object, 'metadata');
  return member(metadata, 'name') !== undefined || stringAt(metadata, 'generateName') !== undefined;
}

function isAtOrAbove(above: FieldPath, path: FieldPath): boolean {
  return above.length <= path.length && above.every((step, i) => step === path[i]);
}
