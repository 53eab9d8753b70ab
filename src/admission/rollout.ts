import { GROUP } from '../api/names.ts';
import { validateRollout } from '../api/rollout.ts';
import { validateSchema } from '../api/validate.ts';
import { type Violation, violationText } from '../api/violation.ts';
import type { JsonMap } from '../json/value.ts';
import { type Answer, allow } from './answer.ts';
import { denyFor } from './denial.ts';
import type { Inventory } from './inventory.ts';
import type { AdmissionRequest } from './request.ts';
import type { AdmissionHandler } from './route.ts';

/**
 * Judges Rollouts as they are written, in the version that the writer sent: every violation at once, each with its
 * field. Deletions and status are not judged here.
 */
export function rolloutHandler(inventory: Inventory): AdmissionHandler {
  return (request) => {
    const { operation, object, subresource, kind } = request;
    if (kind.group !== GROUP || kind.kind !== 'Rollout') return allow();
    if (object === undefined || subresource !== '' || (operation !== 'CREATE' && operation !== 'UPDATE'))
      return allow();
    return judge(request, object, inventory);
  };
}

function judge({ namespace, name, oldObject, kind }: AdmissionRequest, object: JsonMap, inventory: Inventory): Answer {
  const about = { rollout: `${namespace}/${name}` };
  const { violations, warnings } = validateRollout(object, {
    others: inventory.rolloutsIn(namespace),
    ...(oldObject === undefined ? {} : { old: oldObject }),
  });
  const all = [...newSchemaViolations(object, oldObject), ...violations];
  if (all.length === 0) return allow({ warnings, about });
  return denyFor(kind.kind, all, { warnings, about });
}

/**
 * What breaks the schema, without what the stored object breaks in the same way: as the API server does with CRDs, so
 * that an object from before a rule can still be mended step by step, and lose its finalizers.
 */
function newSchemaViolations(object: JsonMap, oldObject: JsonMap | undefined): Violation[] {
  // Metadata the API server has checked by its own schema, which may know fields that ours does not yet.
  const found = validateSchema(object).filter(({ path }) => path[0] !== 'metadata');
  if (found.length === 0 || oldObject === undefined) return found;
  const known = new Set(validateSchema(oldObject).map(violationText));
  return found.filter((violation) => !known.has(violationText(violation)));
}
