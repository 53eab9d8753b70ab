import { ANNOTATIONS } from '../../api/names.ts';
import { type JsonMap, member, stringAt } from '../../json/value.ts';
import { UsageError } from '../usage-error.ts';
import { imagesOf } from './fields.ts';
import type { Invocation } from './invocation.ts';
import { released } from './released.ts';
import type { Report } from './report.ts';
import type { Operation } from './requests.ts';
import { directiveOn } from './versions.ts';

/** Each write of others in between costs one. */
const MOST_ATTEMPTS = 20;

/**
 * Lets the version come out that a Rollout which is gone has left held: the controller opens Services and traffic, and gives
 * the Deployment back to its own settings. The annotation names the version, so that it lets out no other.
 * @throws UsageError when no Rollout of that name has left anything, or the Deployment got another version meanwhile
 */
export async function free(name: string, invocation: Invocation): Promise<Report> {
  let first: string | undefined;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const { deployment } = await released(invocation, name);
    const directive = directiveOn(deployment, name);
    const what = `Deployment ${stringAt(deployment, 'metadata', 'name')}`;
    const base = { action: 'resume' as const, rollout: { namespace: invocation.namespace, name } };
    const unchanged = (message: string): Report => ({ ...base, result: 'unchanged', message });
    if (directive?.action.type !== 'workload') return unchanged(`nothing holds ${what}, and the Rollout is gone`);
    const { revision } = directive;
    first ??= revision;
    if (revision !== first) throw new UsageError('nothing was done: the Deployment got another version meanwhile');
    if (revision === directive.action.stable)
      return unchanged(`${what} says the old version, and is given back anyway`);
    if (resumedOf(deployment) === revision) return unchanged(`${what} is given back already`);
    const written = await invocation.requests.patchDeployment(deployment, operations(deployment, revision), false);
    if (written === 'conflict') continue;
    const images = imagesOf(member(member(deployment, 'spec'), 'template'));
    const message = `its Rollout is gone: ${what} comes out with ${images}; Services and traffic open first`;
    return { ...base, result: 'done', images, message };
  }
  throw new UsageError(`the Deployment was changed by others ${MOST_ATTEMPTS} times while this was tried: try again`);
}

function resumedOf(deployment: JsonMap): string | undefined {
  return stringAt(deployment, 'metadata', 'annotations', ANNOTATIONS.resume);
}

function operations(deployment: JsonMap, revision: string): Operation[] {
  const path = `/metadata/annotations/${ANNOTATIONS.resume.replaceAll('/', '~1')}`;
  return [{ op: resumedOf(deployment) === undefined ? 'add' : 'replace', path, value: revision }];
}
