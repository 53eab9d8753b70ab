import { existsSync } from 'node:fs';
import { type CaseReport, runCases } from './cases.ts';
import { diffLine } from './diff-line.ts';
import { attempt } from './input.ts';
import { openProgress } from './progress.ts';
import type { Channel, Terminal } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

/** Where scripts are looked for when no folder is named. */
const DEFAULT_FOLDER = 'lua-scripts';

/**
 * `sluice lua test`: runs the cases of all scripts below the folders, and prints each failure with its diff.
 * @returns the exit code: 1 on a failure, a script without cases, or no case at all.
 */
export function luaTest(folders: readonly string[], terminal: Terminal): number {
  const progress = openProgress(terminal.err);
  const reports = (folders.length === 0 ? [defaultFolder()] : folders).flatMap((folder) => {
    progress.at(folder);
    return attempt(folder, 'read', () => runCases(folder));
  });
  progress.end();
  const failed = reports.filter(({ failures }) => failures.length > 0);
  for (const report of failed) printFailure(report, terminal.out);
  const passed = reports.length - failed.length;
  terminal.out.line(
    terminal.out.paint(failed.length === 0 ? 'green' : 'red', `${passed} passed, ${failed.length} failed`),
  );
  return failed.length === 0 && passed > 0 ? EXIT.fine : EXIT.findings;
}

function defaultFolder(): string {
  if (existsSync(DEFAULT_FOLDER)) return DEFAULT_FOLDER;
  throw new UsageError(`there is no folder ${DEFAULT_FOLDER} here; name the folder with your scripts: lua test DIR`);
}

function printFailure({ script, file, failures }: CaseReport, out: Channel): void {
  out.line(out.paint('bold', script === undefined ? file : `${script}: ${file}`));
  for (const failure of failures) {
    for (const line of failure.trimEnd().split('\n')) out.line(`  ${diffLine(line, out)}`);
  }
  out.line();
}
