import { checkManifests } from './checks.ts';
import { errorFinding, type Finding, findingLine, hasErrors, sorted } from './finding.ts';
import { readInput } from './input.ts';
import { openProgress } from './progress.ts';
import type { Surroundings, Terminal } from './terminal.ts';
import { EXIT } from './usage-error.ts';

export type LintOptions = { readonly filename: readonly string[]; readonly output: 'text' | 'json' };

/**
 * `sluice lint`: prints what is wrong with manifests, errors and warnings, each with its place.
 * @returns the exit code: 1 when there are errors; warnings alone are fine.
 */
export async function lint(options: LintOptions, terminal: Terminal, { readStdin }: Surroundings): Promise<number> {
  const progress = openProgress(terminal.err);
  const { manifests, errors, files } = await readInput(options.filename, readStdin, progress.at);
  const findings = sorted([...errors.map(errorFinding), ...checkManifests(manifests, progress.at)]);
  progress.end();
  if (options.output === 'json') terminal.out.line(JSON.stringify(findings, undefined, 2));
  else for (const finding of findings) terminal.out.line(findingLine(finding, terminal.out));
  terminal.err.line(summary(findings, manifests.length, files));
  return hasErrors(findings) ? EXIT.findings : EXIT.fine;
}

function summary(findings: readonly Finding[], objects: number, files: number): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const found = [count(errors, 'error'), count(findings.length - errors, 'warning')];
  return `${count(objects, 'object')} in ${count(files, 'file')}: ${found.join(', ')}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
