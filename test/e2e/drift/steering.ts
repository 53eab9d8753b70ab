import type { JsonMap } from '../../../src/json/value.ts';
import { type Action, directiveKey, encodeDirective, FORMAT } from '../../../src/rewrite/directive.ts';

/** The Rollout whose release the tests play; there is none. */
const ROLLOUT = 'web';

/** What the controller writes when a step begins; without an action, when the release ends. */
export function directivePatch(namespace: string, step: number, action: Action | undefined): JsonMap {
  const text =
    action &&
    encodeDirective({
      format: FORMAT,
      rollout: { namespace, name: ROLLOUT, uid: 'a1' },
      revision: 'v2',
      step,
      continues: step > 1,
      action,
    });
  return { metadata: { annotations: { [directiveKey(ROLLOUT)]: text ?? null } } };
}
