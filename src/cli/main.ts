import { CommanderError } from 'commander';
import { buildProgram } from './program.ts';
import { isForReleases } from './release/commands.ts';
import { RELEASE_EXIT } from './release/exit.ts';
import { openTerminal, type Surroundings } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

/**
 * Runs one command.
 *
 * @param argv what follows the program's name
 * @returns the exit code: 0 fine, 1 something wrong with what was looked at, 2 wrong flags or unreadable input; of the
 *   commands for releases {@link RELEASE_EXIT}, where both of these are 1
 * @throws only for a fault of ours
 */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const terminal = openTerminal(surroundings);
  let code: number = EXIT.fine;
  const program = buildProgram({ surroundings, terminal, done: (given) => (code = given) });
  if (argv.length === 0) {
    program.outputHelp();
    return code;
  }
  const usage = isForReleases(program, argv[0]) ? RELEASE_EXIT.error : EXIT.usage;
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : usage;
    if (!(error instanceof UsageError)) throw error;
    terminal.err.line(`${terminal.err.paint('red', 'error:')} ${error.message}`);
    return usage;
  }
  return code;
}
