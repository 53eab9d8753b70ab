import type { JsonMap } from '../../../src/json/value.ts';
import type { Client } from '../../../src/kube/client.ts';
import type { ObjectName } from '../../../src/kube/resource.ts';
import { type Action, directiveKey, encodeDirective, FORMAT } from '../../../src/rewrite/directive.ts';
import type { Subject } from '../drift/objects.ts';

/** The Rollout whose release the tests play. */
const ROLLOUT = 'web';

/** Where the object of a subject is. */
export function nameOf(namespace: string): ObjectName {
  return { namespace, name: 'web' };
}

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

/** Begins step 1 or 2 of a release for the object `web`, or ends it (0). @returns the object as it is stored then */
export function steer(controller: Client, { resource, steps }: Subject, namespace: string, step: number) {
  const patch = directivePatch(namespace, step, steps[step - 1]);
  return controller.patch(resource, nameOf(namespace), 'merge', patch, { fieldManager: 'sluice-controller' });
}
