import type { Rollout } from '../api/generated.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { equal } from '../json/equal.ts';
import { at, stringAt } from '../json/value.ts';
import { armedNaming } from '../rollout/naming.ts';
import { type Answer, allow, fail } from './answer.ts';
import type { RewriteHandler } from './gateway.ts';
import { type Inventory, Unavailable } from './inventory.ts';
import type { AdmissionRequest } from './request.ts';
import type { AdmissionHandler } from './route.ts';

/**
 * Judges new pod templates of workloads that carry no directive: a Rollout may have come together with the new version,
 * and the controller may not have armed the workload yet. One question is asked, which Rollout names the workload now;
 * this is the one declared exception to decisions from the write alone (design §5). What becomes of the write is then
 * decided as for an armed workload, in the second pass of a reinvocation, too: a hold is taken back when another webhook
 * has undone the change.
 *
 * Without an answer the write passes unheld, as the failure policy of this entry says.
 */
export function holdHandler(inventory: Pick<Inventory, 'rolloutNaming'>, rewrite: RewriteHandler): AdmissionHandler {
  return async (request) => {
    if (!mayBegin(request)) return allow();
    const { namespace, kind, name } = request;
    try {
      const rollout = await inventory.rolloutNaming({ namespace, group: kind.group, kind: kind.kind, name });
      if (rollout === undefined) return await rewrite(request);
      return named(await rewrite(request, armedNaming(rollout)), rollout);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return fail(error.message, { retryAfterSeconds: error.retryAfterSeconds });
    }
  };
}

/** The API server's conditions say the same; a call that they would not have let through costs no question. */
function mayBegin({ operation, subresource, object, oldObject }: AdmissionRequest): boolean {
  if (operation !== 'UPDATE' || subresource !== '') return false;
  const template = ['spec', 'template'];
  const isSecondPass = stringAt(object, 'metadata', 'annotations', ANNOTATIONS.original) !== undefined;
  return isSecondPass || !equal(at(object, template), at(oldObject, template));
}

/** For the log: whose release begins. */
function named(answer: Answer, { metadata }: Rollout): Answer {
  return { ...answer, about: { ...answer.about, rollout: `${metadata.namespace}/${metadata.name}` } };
}
