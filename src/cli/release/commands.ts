import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Context, newCommand, positiveNumber, withExamples } from '../command.ts';
import type { AccessFlags, Invocation } from './invocation.ts';
import type { Report } from './report.ts';

/** The commands for releases in a cluster, in the order of the help. */
const COMMANDS = [
  getCommand,
  statusCommand,
  approveCommand,
  pauseCommand,
  resumeCommand,
  promoteCommand,
  abortCommand,
  retryCommand,
  jumpCommand,
  undoCommand,
  historyCommand,
];

const GROUP = 'Releases in a cluster:';

/** Whether a command is one of them: what these exit with is made for pipelines (see `exit.ts`). */
export function isForReleases(program: Command, name: string | undefined): boolean {
  return program.commands.some((command) => command.name() === name && command.helpGroup() === GROUP);
}

/** The commands by which people steer releases, with their flags and help; what carries them out is loaded when it is called. */
export function releaseCommands(context: Context, program: Command): Command[] {
  return COMMANDS.map((command) => command(context, program).helpGroup(GROUP));
}

function getCommand(context: Context, program: Command): Command {
  const command = newCommand('get', program)
    .summary('list Rollouts')
    .description('List the Rollouts of a namespace: phase, step, traffic. With a name, one of them.')
    .argument('[rollout]', 'the name of a Rollout')
    .option('-A, --all-namespaces', 'of all namespaces')
    .addOption(
      new Option('-o, --output <format>', 'a table, with more columns, or a list')
        .choices(['text', 'wide', 'json'])
        .default('text'),
    )
    .action((rollout: string | undefined, options) =>
      act(context, options, async (invocation) => {
        const { get } = await import('./get.ts');
        return get(rollout, options, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['get', 'get -A', 'get web -n shop -o json']);
}

const EXIT_CODES = `
Exit codes of --wait:
  0  the new version serves, or there was nothing to release
  1  wrong flags, no such Rollout, no answer from the cluster
  2  the time is over, and the release waits for an approval
  3  the release has ended otherwise: rolled back, aborted, failed, deleted
  4  the time is over`;

function statusCommand(context: Context, program: Command): Command {
  const command = newCommand('status', program)
    .summary('show how far a release is, and why it waits')
    .description(
      'Show a release as a tree: steps, workload, ReplicaSets and pods, Services and gateway objects, conditions that are not True, and why it waits. --watch shows it as it goes on: drawn anew on a terminal, a line for each transition in a pipe. --wait returns at its end.',
    )
    .argument('<rollout>', 'the name of a Rollout')
    .option('-w, --watch', 'show it as it goes on')
    .option('--wait', 'return when the release is at its end')
    .option('--timeout <duration>', 'how long to wait: 90s, 1h30m, 0 for as long as it takes (default: 10m)', seconds)
    .addOption(output('a tree, or an object; with --watch an object for each transition, one a line'))
    .action((rollout: string, options) =>
      act(context, options, async (invocation) => {
        const { status } = await import('./status.ts');
        return status(rollout, options, invocation);
      }),
    );
  return withExamples(inNamespace(command).addHelpText('after', EXIT_CODES), context, [
    'status web',
    'status web --watch',
    'status web --wait --timeout 30m',
    'status web --watch --wait -n shop | tee release.log',
  ]);
}

function approveCommand(context: Context, program: Command): Command {
  const command = acting('approve', program)
    .summary('let a release go on with the next step')
    .description(
      'Let a release that waits at a step go on with the next one. It is refused when the release is not at a step that waits, or moves on meanwhile.',
    )
    .option('--step <n>', 'only if it is at this step, counted from 1', positiveNumber)
    .action((rollout: string, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { approve } = await import('./approve.ts');
        return approve(name, options.step, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['approve web', 'approve web --step 2 -n shop']);
}

function pauseCommand(context: Context, program: Command): Command {
  const command = acting('pause', program)
    .summary('hold a release where it is')
    .description(
      'Hold a release where it is, also in the middle of a step, until it is resumed. Traffic stays as it is.',
    )
    .action((rollout: string, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { hold } = await import('./hold.ts');
        return hold('pause', name, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['pause web', 'pause web -n shop']);
}

function resumeCommand(context: Context, program: Command): Command {
  const command = acting('resume', program)
    .summary('let a paused release go on')
    .description(
      'Let a release go on that was held by pause. A step that waits for an approval goes on waiting. Where the Rollout is gone and has left its Deployment held, the version that is held comes out without one.',
    )
    .action((rollout: string, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { hold } = await import('./hold.ts');
        return hold('resume', name, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['resume web', 'resume web -n shop']);
}

function promoteCommand(context: Context, program: Command): Command {
  const command = acting('promote', program)
    .summary('approve a step, or all that remain')
    .description(
      'Without --full the same as approve. With --full all remaining steps are taken without pauses; each still waits for its pods and grace periods.',
    )
    .option('--full', 'all remaining steps')
    .action((rollout: string, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { promote } = await import('./promote.ts');
        return promote(name, options.full === true, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['promote web', 'promote web --full']);
}

function abortCommand(context: Context, program: Command): Command {
  const command = acting('abort', program)
    .summary('go back to the old version, and keep the new one held')
    .description(
      'Take traffic and then pods back to the old version. The new version stays stored in the workload, so that nothing drifts from its source, and is held: retry releases it again, undo puts the old template back.',
    )
    .action((rollout: string, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { ask } = await import('./ask.ts');
        return ask('abort', name, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['abort web', 'abort web -n shop']);
}

function retryCommand(context: Context, program: Command): Command {
  const command = acting('retry', program)
    .summary('release the version again that was aborted or has failed')
    .description('Release the stored version again, from step 1, after its release was aborted or has failed.')
    .action((rollout: string, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { ask } = await import('./ask.ts');
        return ask('retry', name, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['retry web', 'retry web -n shop']);
}

function jumpCommand(context: Context, program: Command): Command {
  const command = acting('jump', program)
    .summary('go on with another step')
    .description(
      'Go on with another step, forward or back. Back moves the traffic only: pods of the new version stay. The step that comes next anyway is reached by approving the one before it.',
    )
    .argument('<step>', 'the step, counted from 1', positiveNumber)
    .action((rollout: string, step: number, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { jump } = await import('./jump.ts');
        return jump(name, step, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['jump web 3', 'jump web 1 -n shop']);
}

function undoCommand(context: Context, program: Command): Command {
  const command = acting('undo', program)
    .summary('put the template of an earlier revision back into the workload')
    .description(
      'Put the pod template of an earlier revision back into the Deployment, as kubectl rollout undo does, also while it is paused. In a release that is the old version unless a revision is named: traffic goes back first, then the pods. Outside of a release it is the revision before, and is released step by step.',
    )
    .option('--to-revision <n>', 'the revision, as history shows it', positiveNumber)
    .option('--dry-run', 'only ask the API server whether it would do it')
    .action((rollout: string, options) =>
      report(context, rollout, options, async (name, invocation) => {
        const { undo } = await import('./undo.ts');
        return undo(name, options, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['undo web', 'undo web --to-revision 3', 'undo web --dry-run']);
}

function historyCommand(context: Context, program: Command): Command {
  const command = newCommand('history', program)
    .summary('list the revisions of a workload')
    .description("List the revisions of a Rollout's Deployment, and say how its last release ended.")
    .argument('<rollout>', 'the name of a Rollout')
    .addOption(output('a table, or an object'))
    .action((rollout: string, options) =>
      act(context, options, async (invocation) => {
        const { history } = await import('./history.ts');
        return history(rollout, options, invocation);
      }),
    );
  return withExamples(inNamespace(command), context, ['history web', 'history web -n shop -o json']);
}

/** A command that changes something about one Rollout. */
function acting(name: string, program: Command): Command {
  return newCommand(name, program)
    .argument('<rollout>', 'the name of a Rollout')
    .addOption(output('a line, or an object'));
}

function output(what: string): Option {
  return new Option('-o, --output <format>', what).choices(['text', 'json']).default('text');
}

/** The flags by which kubectl, too, chooses a cluster and a namespace. */
function inNamespace(command: Command): Command {
  return command
    .option('-n, --namespace <name>', "the namespace (default: that of the kubeconfig's context, else default)")
    .option('--context <name>', 'a context of the kubeconfig (default: its current one)')
    .option(
      '--kubeconfig <file>',
      "the kubeconfig [KUBECONFIG] (default: the pod's service account, else ~/.kube/config)",
    );
}

/** A length of time as Go writes it, in seconds; 0 needs no unit. @throws InvalidArgumentError */
function seconds(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9})([hms])/g)];
  if (text === '0') return 0;
  if (!/^(?:\d{1,9}[hms])+$/.test(text)) throw new InvalidArgumentError('Write a length of time such as 90s or 1h30m.');
  return parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * UNITS[unit as keyof typeof UNITS], 0);
}

const UNITS = { h: 3_600, m: 60, s: 1 } as const;

async function act(
  context: Context,
  flags: AccessFlags,
  work: (invocation: Invocation) => Promise<number>,
): Promise<void> {
  const { inCluster } = await import('./invocation.ts');
  context.done(await inCluster(flags, context, work));
}

/** Carries out what changes a Rollout, and says what it has done. */
function report(
  context: Context,
  rollout: string,
  flags: AccessFlags & { readonly output: 'text' | 'json' },
  work: (name: string, invocation: Invocation) => Promise<Report>,
): Promise<void> {
  return act(context, flags, async (invocation) => {
    const [{ rolloutName }, { told }] = await Promise.all([import('./invocation.ts'), import('./report.ts')]);
    return told(await work(rolloutName(rollout), invocation), flags, invocation);
  });
}
