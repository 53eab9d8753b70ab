import { type JsonMap, stringAt } from '../../json/value.ts';
import { UsageError } from '../usage-error.ts';
import type { Invocation } from './invocation.ts';
import type { Report } from './report.ts';
import { type RolloutStatus, rolloutStatus } from './rollout-status.ts';
import { type Stage, stageOf } from './stage.ts';

/** A Rollout as it was read, with what its status says. */
export type Read = {
  readonly rollout: JsonMap;
  readonly status: RolloutStatus;
  /** Told by the status alone: a workload that has just been held is not known by it yet. */
  readonly stage: Stage;
};

/** What a command makes of a Rollout: fields of the status to write, or nothing where it is so already. */
export type Change = { readonly report: Report; readonly status?: JsonMap };

/** The controller writes the same status; each of its writes costs one of these. */
const MOST_ATTEMPTS = 20;

/**
 * Changes a Rollout's status, with its resourceVersion as a precondition. After a conflict it is read and decided anew,
 * but only while the moment is the one that the user saw.
 *
 * @param decide says what to write, or throws a UsageError that says why not; pure
 * @param momentOf names the moment for which the decision was asked: another one is another question
 */
export async function changeStatus(
  invocation: Invocation,
  name: string,
  decide: (read: Read) => Change,
  momentOf: (read: Read) => string,
): Promise<Report> {
  let first: string | undefined;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const read = readStatus(await invocation.requests.rollout(invocation.namespace, name));
    const moment = momentOf(read);
    first ??= moment;
    if (moment !== first) throw new UsageError(`nothing was done: ${movedOn(read)} meanwhile; look at its status`);
    const { status, report } = decide(read);
    if (status === undefined) return report;
    if ((await invocation.requests.patchStatus(read.rollout, status)) === 'written') return report;
  }
  throw new UsageError(`the Rollout was changed by others ${MOST_ATTEMPTS} times while this was tried: try again`);
}

export function readStatus(rollout: JsonMap): Read {
  const status = rolloutStatus(rollout);
  return { rollout, status, stage: stageOf(status, undefined) };
}

/** Names a release: another one has other templates, and began at another time. */
export function releaseOf({ rollout, status }: Read): string {
  const uid = stringAt(rollout, 'metadata', 'uid');
  const { stableTemplate, canaryTemplate, podTemplateHash, startTime } = status;
  return JSON.stringify([uid, stableTemplate, canaryTemplate, podTemplateHash, startTime]);
}

/** Names a step of a release, and where it stands within it. */
export function stepOf(read: Read): string {
  return JSON.stringify([releaseOf(read), read.stage, read.status.step, read.status.state]);
}

/** How a Rollout is called in messages. */
export function titleOf(rollout: JsonMap): string {
  return `Rollout ${stringAt(rollout, 'metadata', 'namespace')}/${stringAt(rollout, 'metadata', 'name')}`;
}

/** Where a release is that is not where it should be, for refusals. */
export function whereText({ status: { phase, reason, step, state } }: Read): string {
  if (phase !== 'Progressing') return `it is ${phase === '' ? 'not taken in yet' : phase}`;
  const isStepping = reason === '' || reason === 'InRolling' || reason === 'Paused' || reason === 'Initializing';
  return isStepping ? `it is at step ${step}, ${state}` : `it is ${reason}`;
}

function movedOn(read: Read): string {
  return `${titleOf(read.rollout)} has moved on (${whereText(read)})`;
}
