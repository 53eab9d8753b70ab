import { type JsonMap, member, stringAt } from '../../json/value.ts';
import { UsageError } from '../usage-error.ts';
import { imagesOf } from './fields.ts';
import type { Invocation } from './invocation.ts';
import { type Released, released } from './released.ts';
import type { Report } from './report.ts';
import type { Operation } from './requests.ts';
import { CHANGE_CAUSE, type Kept, revisionsOf, undoTarget } from './revisions.ts';
import { currentTemplate, directiveOn } from './versions.ts';

export type UndoOptions = { readonly toRevision?: number; readonly dryRun?: boolean };

/** Each write of others in between costs one. */
const MOST_ATTEMPTS = 20;

/**
 * Puts the pod template of an earlier revision back into the Deployment, also of one that is paused, as every Deployment is in
 * a release: there `kubectl rollout undo` refuses. Repeated on conflicts while the template is the one that was read.
 * @throws UsageError when there is nothing to go back to
 */
export async function undo(name: string, options: UndoOptions, invocation: Invocation): Promise<Report> {
  let first: string | undefined;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const found = await released(invocation, name);
    const current = currentTemplate(found.deployment);
    first ??= current;
    if (current !== first) throw new UsageError('nothing was done: the Deployment got another version meanwhile');
    const report = await attemptUndo(name, found, options, invocation);
    if (report !== 'conflict') return report;
  }
  throw new UsageError(`the Deployment was changed by others ${MOST_ATTEMPTS} times while this was tried: try again`);
}

async function attemptUndo(
  name: string,
  found: Released,
  { toRevision, dryRun = false }: UndoOptions,
  invocation: Invocation,
): Promise<Report | 'conflict'> {
  const { deployment, replicaSets, versions, isInRelease } = found;
  const revisions = revisionsOf(deployment, replicaSets, versions, invocation.now());
  const target = undoTarget(revisions, deployment, isInRelease, toRevision);
  if (typeof target === 'string') throw new UsageError(target);
  const { revision, images } = target;
  const base = {
    action: 'undo' as const,
    rollout: { namespace: invocation.namespace, name },
    ...(revision === undefined ? {} : { revision }),
    images,
  };
  const what = `Deployment ${stringAt(deployment, 'metadata', 'name')}`;
  const version = revision === undefined ? images : `revision ${revision} (${images})`;
  if (target.template === currentTemplate(deployment)) {
    return { ...base, result: 'unchanged', message: `${what} says ${version} already` };
  }
  const written = await invocation.requests.patchDeployment(deployment, operations(deployment, target), dryRun);
  if (written === 'conflict') return 'conflict';
  warn(deployment, invocation);
  return {
    ...base,
    result: dryRun ? 'dryRun' : 'done',
    message: `${what} goes back to ${version}${consequence(found, target, name)}${dryRun ? ' (dry run)' : ''}`,
  };
}

/** The template, and with it why it was made, as `kubectl rollout undo` does. */
function operations(deployment: JsonMap, { podTemplate, changeCause }: Kept): Operation[] {
  const path = `/metadata/annotations/${CHANGE_CAUSE.replaceAll('/', '~1')}`;
  const before = stringAt(deployment, 'metadata', 'annotations', CHANGE_CAUSE);
  const cause: Operation[] =
    changeCause === before
      ? []
      : changeCause === undefined
        ? [{ op: 'remove', path }]
        : [{ op: 'add', path, value: changeCause }];
  return [{ op: 'replace', path: '/spec/template', value: podTemplate }, ...cause];
}

function consequence({ deployment, isInRelease, rollout }: Released, { role }: Kept, name: string): string {
  if (rollout === undefined) return ', and its Rollout is gone: apply one to steer what comes next';
  if (isInRelease) {
    return role === 'stable'
      ? ': traffic first, then the pods'
      : ': a third version, which is released from step 1 once the old one serves again';
  }
  return directiveOn(deployment, name) === undefined
    ? ', at once: nothing holds it'
    : ', which is released from step 1';
}

function warn(deployment: JsonMap, { terminal: { err } }: Invocation): void {
  const images = imagesOf(member(member(deployment, 'spec'), 'template'));
  const text = `the source of the Deployment (Git, a chart) still says ${images}: change it there as well, or its next apply brings that version back`;
  err.line(`${err.paint('yellow', 'Warning:')} ${text}`);
}
