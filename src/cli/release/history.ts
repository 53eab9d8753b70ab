import { RELEASE_EXIT } from './exit.ts';
import { type Invocation, rolloutName } from './invocation.ts';
import { released } from './released.ts';
import type { ReportOptions } from './report.ts';
import { type Revision, revisionsOf } from './revisions.ts';
import { type RolloutStatus, rolloutStatus } from './rollout-status.ts';
import { type Cell, table } from './table.ts';
import { secondsSince, timeText } from './time-text.ts';

/** The history of a workload. This is the shape of `-o json`: fields are added, but none is renamed or taken away. */
export type History = {
  readonly rollout: { readonly namespace: string; readonly name: string };
  /** The newest first. */
  readonly revisions: readonly Revision[];
  /** The release that is under way, or the last one. */
  readonly release?: {
    readonly outcome?: string;
    readonly stableTemplate?: string;
    readonly canaryTemplate?: string;
    readonly secondsSinceStart?: number;
    readonly secondsSinceFinish?: number;
  };
};

/** `sluice history`: the revisions of a Rollout's Deployment, and how the last release ended. @throws UsageError */
export async function history(text: string, { output }: ReportOptions, invocation: Invocation): Promise<number> {
  const name = rolloutName(text);
  const { namespace, terminal } = invocation;
  const now = invocation.now();
  const { rollout, deployment, replicaSets, versions } = await released(invocation, name);
  const kept = revisionsOf(deployment, replicaSets, versions, now);
  const revisions = kept.map(({ podTemplate: _, ...revision }) => revision);
  const release = rollout === undefined ? undefined : releaseOf(rolloutStatus(rollout), now);
  const whole: History = { rollout: { namespace, name }, revisions, ...(release === undefined ? {} : { release }) };
  const { out } = terminal;
  if (output === 'json') out.line(JSON.stringify(whole, undefined, 2));
  else {
    for (const line of table(historyRows(revisions), (style, part) => out.paint(style, part))) out.line(line);
    const last = rollout === undefined ? 'the Rollout is gone' : releaseText(release);
    if (last !== '') out.line(last);
  }
  return RELEASE_EXIT.done;
}

function releaseOf(status: RolloutStatus, now: Date): History['release'] {
  const { outcome, stableTemplate, canaryTemplate, startTime, finishTime } = status;
  const [start, finish] = [secondsSince(startTime, now), secondsSince(finishTime, now)];
  if (outcome === undefined && start === undefined) return undefined;
  return {
    ...(outcome === undefined ? {} : { outcome }),
    ...(stableTemplate === undefined ? {} : { stableTemplate }),
    ...(canaryTemplate === undefined ? {} : { canaryTemplate }),
    ...(start === undefined ? {} : { secondsSinceStart: start }),
    ...(finish === undefined ? {} : { secondsSinceFinish: finish }),
  };
}

function releaseText(release: History['release']): string {
  if (release === undefined) return '';
  const { outcome, secondsSinceStart: start, secondsSinceFinish: finish } = release;
  if (finish === undefined) {
    const began = start === undefined ? '' : `, began ${timeText(start)} ago`;
    return outcome === undefined ? `a release is under way${began}` : `a release is ending with ${outcome}${began}`;
  }
  const took = start === undefined ? '' : `, took ${timeText(start - finish)}`;
  return `the last release ended with ${outcome ?? 'an unknown outcome'} ${timeText(finish)} ago${took}`;
}

const HEADS = ['REVISION', 'VERSION', 'TEMPLATE', 'IMAGES', 'READY', 'AGE', 'CHANGE-CAUSE'];

function historyRows(revisions: readonly Revision[]): Cell[][] {
  const rows = revisions.map(
    ({ revision, role, template, images, ready, desired, ageSeconds, changeCause }): Cell[] => [
      revision === undefined ? '-' : String(revision),
      {
        text: role === 'other' ? '-' : role,
        style: role === 'stable' ? 'green' : role === 'canary' ? 'cyan' : undefined,
      },
      template,
      images,
      `${ready}/${desired}`,
      ageSeconds === undefined ? '-' : timeText(ageSeconds),
      changeCause ?? '-',
    ],
  );
  return [HEADS, ...rows];
}
