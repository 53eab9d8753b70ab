import { RELEASE_EXIT } from './exit.ts';
import type { Invocation } from './invocation.ts';

/** What a command has done. This is the shape of `-o json`: fields are added, but none is renamed or taken away. */
export type Report = {
  readonly action: 'approve' | 'pause' | 'resume' | 'promote' | 'abort' | 'retry' | 'jump' | 'undo';
  readonly rollout: { readonly namespace: string; readonly name: string };
  /** `unchanged`: it was so already; `dryRun`: the API server would do it. */
  readonly result: 'done' | 'unchanged' | 'dryRun';
  /** The step that it is about, counted from 1. */
  readonly step?: number;
  /** Of `undo`: what the workload goes back to. */
  readonly revision?: number;
  readonly images?: string;
  readonly message: string;
};

export type ReportOptions = { readonly output: 'text' | 'json' };

/** Prints what has been done. @returns the exit code */
export function told(report: Report, { output }: ReportOptions, { terminal }: Invocation): number {
  const { namespace, name } = report.rollout;
  if (output === 'json') terminal.out.line(JSON.stringify(report, undefined, 2));
  else terminal.out.line(`Rollout ${namespace}/${name}: ${report.message}`);
  return RELEASE_EXIT.done;
}
