import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Cluster } from '../../cluster/cluster.ts';
import { type CommandResult, clusterEnvironment } from '../../cluster/command.ts';
import { CHECKOUT } from '../../cluster/settings.ts';

/** `kubectl sluice`, as its users have it: a plugin that kubectl finds on the PATH. */
export type Plugin = {
  /** Runs `kubectl sluice …` to its end. @param kubeconfig whose rights; the administrator's otherwise */
  run(args: readonly string[], kubeconfig?: string): Promise<CommandResult>;
  /** Starts it; `lines` are those that it has written to standard output so far. */
  start(args: readonly string[]): { readonly lines: string[]; readonly ended: Promise<CommandResult> };
};

export function plugin({ facts }: Cluster): Plugin {
  const folder = join(facts.folder, `plugins-${process.pid}-${Date.now()}`);
  mkdirSync(folder);
  symlinkSync(join(CHECKOUT, 'bin/sluice.js'), join(folder, 'kubectl-sluice'));
  const spawned = (args: readonly string[], kubeconfig = facts.kubeconfig): ChildProcess => {
    const environment = clusterEnvironment({ ...facts, kubeconfig });
    const env = { ...environment, PATH: `${folder}:${environment['PATH'] ?? ''}` };
    return spawn(join(facts.bin, 'kubectl'), ['sluice', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  };
  return {
    run: (args, kubeconfig) => result(spawned(args, kubeconfig)),
    start(args) {
      const child = spawned(args);
      const lines: string[] = [];
      let rest = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        const parts = (rest + chunk.toString()).split('\n');
        rest = parts.pop() ?? '';
        lines.push(...parts);
      });
      return { lines, ended: result(child) };
    },
  };
}

async function result(child: ChildProcess): Promise<CommandResult> {
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 128));
  });
  const { stdout: out, stderr: err } = child;
  if (out === null || err === null) throw new Error('it has pipes');
  const [stdout, stderr, exitCode] = await Promise.all([text(out), text(err), ended]);
  return { stdout, stderr, exitCode };
}
