import { type Library, loadLibrary } from '../lua/library.ts';
import { createRewriter } from '../rewrite/rewriter.ts';
import { trafficRoutingOf } from '../rollout/traffic-routing.ts';
import { checkManifests } from './checks.ts';
import { errorFinding, type Finding, findingLine, hasErrors, sorted } from './finding.ts';
import { type Input, readInput } from './input.ts';
import { isRollout } from './objects.ts';
import { planReleases, type ReleasePlan } from './plan.ts';
import { type Preview, printDiffs, printJson, printYaml, restoration } from './preview-output.ts';
import { openProgress, type Progress } from './progress.ts';
import { type Moment, playRelease } from './release.ts';
import type { Surroundings, Terminal } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

export type PreviewOptions = {
  readonly filename: readonly string[];
  /** Only this step. */
  readonly step?: number;
  readonly output: 'diff' | 'yaml' | 'json';
};

/**
 * `sluice preview`: prints what a release makes of each gateway object, step by step, and what it is in the end. It goes
 * the way of production: the checks of admission, the directives of the controller, each write judged by `decide`.
 *
 * @returns the exit code: 1 for errors in the manifests, a script that fails, or an object that is not restored. Then
 *   `yaml` and `json` print nothing on standard output: half a result is none for a program.
 */
export async function preview(
  options: PreviewOptions,
  terminal: Terminal,
  { readStdin }: Surroundings,
): Promise<number> {
  const { out, err } = terminal;
  const library = loadLibrary();
  const progress = openProgress(err);
  const { plans, findings } = planned(await readInput(options.filename, readStdin, progress.at), library);
  progress.end();
  for (const finding of findings) err.line(findingLine(finding, err));
  if (hasErrors(findings)) return EXIT.findings;
  const isWanted = wantedMoments(plans, options.step);
  const previews = plans.map((plan) => played(plan, library, progress));
  progress.end();
  const isComplete = previews.every(isFine);
  if (options.output === 'diff') printDiffs(previews, isWanted, out);
  else if (isComplete) (options.output === 'json' ? printJson : printYaml)(previews, isWanted, out);
  for (const text of previews.flatMap(notesOf))
    err.line(text.replace(/^(warning|error):/, (word) => err.paint(word === 'error:' ? 'red' : 'yellow', word)));
  return isComplete ? EXIT.fine : EXIT.findings;
}

/** The findings of `lint` together with what only a preview misses; the same thing is told once, as an error. */
function planned({ manifests, errors }: Input, library: Library): { plans: ReleasePlan[]; findings: Finding[] } {
  if (errors.length === 0 && !manifests.some(({ value }) => isRollout(value))) {
    throw new UsageError('there is no Rollout in the input; a preview needs one, and the objects that it names');
  }
  const { plans, findings } = planReleases(manifests, library);
  const place = ({ file, line, column, message }: Finding) => `${file}:${line}:${column}:${message}`;
  const told = new Set(findings.map(place));
  const checked = checkManifests(manifests).filter((finding) => !told.has(place(finding)));
  return { plans, findings: sorted([...errors.map(errorFinding), ...checked, ...findings]) };
}

/** @throws UsageError when no Rollout has this step */
function wantedMoments(plans: readonly ReleasePlan[], step: number | undefined): (moment: Moment) => boolean {
  if (step === undefined) return () => true;
  if (plans.some(({ steps }) => step <= steps)) return (moment) => moment === step;
  const counts = plans.map(({ name, steps }) => `Rollout ${name} has the steps 1 to ${steps}`);
  throw new UsageError(`there is no step ${step}: ${counts.join(', ')}`);
}

function played({ rollout, name, steps, subjects }: ReleasePlan, library: Library, progress: Progress): Preview {
  const shipped = [...library.scripts.values()];
  return {
    name,
    steps,
    routedBy: trafficRoutingOf(rollout)?.name,
    subjects: subjects.map((subject) => {
      progress.at(`Rollout ${name}: ${subject.target.kind} ${subject.target.name}`);
      const byHash = new Map([...shipped, subject.script].map((script) => [script.hash, script]));
      const rewriter = createRewriter((hash) => byHash.get(hash));
      return { subject, ...playRelease(rollout, subject, rewriter) };
    }),
  };
}

function isFine({ subjects }: Preview): boolean {
  return subjects.every((subject) => subject.failure === undefined && restoration(subject) !== 'differs');
}

/** What happened beside the objects: each a line that starts with how grave it is. */
function notesOf({ name, subjects, routedBy }: Preview): string[] {
  if (routedBy !== undefined)
    return [`warning: Rollout ${name}: TrafficRouting ${routedBy} carries its traffic, which a preview does not show`];
  if (subjects.length === 0) return [`Rollout ${name} names no gateway object: its release changes pods only`];
  return subjects.flatMap((played) => {
    const { kind, name: object } = played.subject.target;
    const warnings = played.states.flatMap(({ warnings }) => warnings);
    return [
      ...warnings.map((text) => `warning: ${kind} ${object}: ${text}`),
      ...(played.failure === undefined ? [] : [`error: ${kind} ${object}: ${played.failure}`]),
      ...(restoration(played) === 'differs'
        ? [`error: ${kind} ${object}: the end is not what the release began with`]
        : []),
    ];
  });
}
