#!/usr/bin/env node
// Plain JavaScript that any Node from 18 on can read: it looks for one that runs TypeScript, and hands over to it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);

/** The Node that Sluice is developed and tested with. */
const BEST = [24, 0];
/** Type stripping is on by default, and without a warning, from here on. */
const OLDEST = [22, 18];
const BUNDLED = fileURLToPath(new URL(`node_modules/node/bin/node${process.platform === 'win32' ? '.exe' : ''}`, root));

if (isAtLeast(BEST)) await runHere();
else if (existsSync(BUNDLED)) handOver();
else if (isAtLeast(OLDEST)) await runHere();
else refuse();

function isAtLeast([wantedMajor, wantedMinor]) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

async function runHere() {
  // Compiled code is kept beside the packages it comes from, where only their owner can write; without it all still works.
  module.enableCompileCache(fileURLToPath(new URL('node_modules/.cache/sluice', root)));
  // A reader that has seen enough (`| head`) closes the pipe: no reason for a stack trace.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', leaveOnClosedPipe);
  const { run } = await import('../src/cli/main.ts');
  process.exitCode = await run(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    readStdin,
    // biome-ignore lint/style/noProcessEnv: the one place where the environment is taken; serve-settings.ts reads it
    env: process.env,
    programName: basename(process.argv[1] ?? '').startsWith('kubectl-') ? 'kubectl sluice' : 'sluice',
    signals: process,
    exit: (code) => process.exit(code),
  });
}

function leaveOnClosedPipe(error) {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}

async function readStdin() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function refuse() {
  process.stderr.write(
    `sluice needs Node ${OLDEST.join('.')} or newer, and this is ${process.versions.node}. Run \`npm ci\` in ${fileURLToPath(root)}, which brings one along, or install it.\n`,
  );
  process.exitCode = 2;
}

/** Runs the same command with the Node that `npm ci` has installed. */
function handOver() {
  // With the name it was called by, so that help goes on saying `kubectl sluice`.
  const child = spawn(BUNDLED, [process.argv[1], ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // Ctrl-C reaches the child by itself, from the terminal that both have; twice would mean "at once".
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on('SIGINT', () => hasTerminal || child.kill('SIGINT'));
  child.on('error', (error) => {
    process.stderr.write(`cannot start ${BUNDLED}: ${error.message}\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1;
    else process.kill(process.pid, signal);
  });
}
