import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { called, SEED } from './called.testing.ts';
import { buildProgram } from './program.ts';
import { openTerminal, type Surroundings } from './terminal.ts';

const silent: Surroundings = {
  stdout: { write: () => true },
  stderr: { write: () => true },
  readStdin: () => Promise.resolve(new Uint8Array()),
  env: {},
  programName: 'sluice',
  signals: { on: () => undefined },
  exit: () => undefined,
};

/** Every command with the words that call it. */
function commandsOf(command: Command, words: readonly string[] = []): string[][] {
  return command.commands.flatMap((each) => [[...words, each.name()], ...commandsOf(each, [...words, each.name()])]);
}

const commands = commandsOf(
  buildProgram({ surroundings: silent, terminal: openTerminal(silent), done: () => undefined }),
);

test('the commands are those of the documentation', () => {
  expect(commands.map((words) => words.join(' '))).toEqual([
    'get',
    'status',
    'approve',
    'pause',
    'resume',
    'promote',
    'abort',
    'retry',
    'jump',
    'undo',
    'history',
    'preview',
    'lint',
    'lua',
    'lua test',
    'lua run',
    'serve',
    'webhook',
    'controller',
    'certs',
    'demo',
  ]);
});

test.each(commands.map((words) => ({ words })))(
  'the help of $words ends in examples that call it',
  async ({ words }) => {
    const { code, out, err } = await called([...words, '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const examples = out.slice(out.indexOf('\nExamples:\n'));
    expect(examples).toMatch(new RegExp(`^ {2}\\$ sluice ${words.join(' ')}`, 'm'));
  },
);

test('without a command the help is printed, with examples', async () => {
  const { code, out } = await called([]);
  expect(code).toBe(0);
  expect(out).toMatch(/^Usage: sluice /);
  expect(out).toContain('Examples:\n  $ sluice get -A');
});

test('as a plugin of kubectl, help and examples say so', async () => {
  const { out } = await called(['lint', '--help'], { programName: 'kubectl sluice' });
  expect(out).toMatch(/^Usage: kubectl sluice lint /);
  expect(out).toContain('  $ kubectl sluice lint -f rollout.yaml');
});

test('--version prints the version of the package', async () => {
  const { code, out } = await called(['--version']);
  expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test.each([
  { argv: ['previw'], message: "unknown command 'previw'\n(Did you mean preview?)" },
  { argv: ['lua', 'tset'], message: "unknown command 'tset'\n(Did you mean test?)" },
  { argv: ['lint', '-f', 'a', '--steps'], message: "unknown option '--steps'" },
  { argv: ['lint'], message: "required option '-f, --filename <path...>' not specified" },
  { argv: ['lint', 'a.yaml', '-f', 'b.yaml'], message: 'too many arguments' },
  { argv: ['preview', '-f', 'a', '-o', 'xml'], message: 'Allowed choices are diff, yaml, json' },
  { argv: ['certs', '--days', '0'], message: 'Write a whole number from 1' },
])('wrong usage ends with 2 and says what is meant: $argv', async ({ argv, message }) => {
  const { code, out, err } = await called(argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
  expect(err).toContain('--help');
});

test('lua alone prints which commands it has, as wrong usage', async () => {
  const { code, err } = await called(['lua']);
  expect(code).toBe(2);
  expect(err).toContain('test [folder...]');
});

test.each([
  { isTTY: true, env: {}, colors: true },
  { isTTY: false, env: {}, colors: false },
  { isTTY: true, env: { NO_COLOR: '1' }, colors: false },
  { isTTY: true, env: { NO_COLOR: '' }, colors: true },
  { isTTY: false, env: { FORCE_COLOR: '1' }, colors: true },
  { isTTY: false, env: { FORCE_COLOR: '' }, colors: true },
  { isTTY: true, env: { FORCE_COLOR: '0' }, colors: false },
  { isTTY: true, env: { FORCE_COLOR: '1', NO_COLOR: '1' }, colors: true },
  { isTTY: true, env: { TERM: 'dumb' }, colors: false },
])('colours with terminal $isTTY and $env: $colors', async ({ isTTY, env, colors }) => {
  const { out } = await called(['lint', '-f', SEED], { isTTY, env });
  expect(out.includes('\x1b[')).toBe(colors);
});
