import { Command, InvalidArgumentError } from 'commander';
import type { Surroundings, Terminal } from './terminal.ts';

/** What the commands are built around; `done` is told the exit code of the one that ran. */
export type Context = {
  readonly surroundings: Surroundings;
  readonly terminal: Terminal;
  readonly done: (code: number) => void;
};

export function newCommand(name: string, program: Command): Command {
  return new Command(name).copyInheritedSettings(program);
}

/** Reads the argument of a flag. @throws InvalidArgumentError for all but whole numbers from 1 */
export function positiveNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write a whole number from 1.');
}

/** Examples stand at the end of every help; each begins with what the user typed to get here. */
export function withExamples(command: Command, context: Context, examples: readonly string[]): Command {
  const { surroundings, terminal } = context;
  const lines = examples.map((example) => `  $ ${surroundings.programName} ${example}`);
  return command.addHelpText('after', `\n${terminal.out.paint('bold', 'Examples:')}\n${lines.join('\n')}`);
}
