import { GROUP } from '../api/names.ts';
import { statusViolations } from '../release/requests.ts';
import { allow } from './answer.ts';
import { denyFor } from './denial.ts';
import type { AdmissionHandler } from './route.ts';

/**
 * Judges writes to the status of Rollouts by others than our controller: they may ask something of a release, and nothing
 * else. Of the time it knows when the request came: an approval in the first moments of a pause is not taken for one of
 * this step. That is the one place of admission that is no function of the objects alone.
 */
export function rolloutStatusHandler(controllerUser: string): AdmissionHandler {
  return ({ operation, subresource, kind, namespace, name, object, oldObject, user, receivedAt }) => {
    const isStatus =
      operation === 'UPDATE' && subresource === 'status' && kind.group === GROUP && kind.kind === 'Rollout';
    if (!isStatus || user.name === controllerUser || object === undefined || oldObject === undefined) return allow();
    const violations = statusViolations(object, oldObject, receivedAt);
    const about = { rollout: `${namespace}/${name}` };
    return violations.length === 0 ? allow({ about }) : denyFor(kind.kind, violations, { about });
  };
}
