import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { environment } from './settings.ts';
import type { ClusterFacts } from './start.ts';

export type CommandResult = { readonly stdout: string; readonly stderr: string; readonly exitCode: number };

export type CommandOptions = {
  readonly stdin?: string;
  /** Whose rights; the administrator's otherwise. */
  readonly kubeconfig?: string;
  /** Further variables. */
  readonly env?: Readonly<Record<string, string>>;
};

/** The environment in which kubectl and helm speak to the cluster and keep nothing outside of the run's folder. */
export function clusterEnvironment({ folder, kubeconfig, bin }: ClusterFacts): Record<string, string | undefined> {
  return {
    ...environment,
    PATH: `${bin}:${environment['PATH'] ?? ''}`,
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(folder, 'kubectl-cache'),
    HELM_CACHE_HOME: join(folder, 'helm/cache'),
    HELM_CONFIG_HOME: join(folder, 'helm/config'),
    HELM_DATA_HOME: join(folder, 'helm/data'),
  };
}

/** Runs one of the cluster's programs to its end; a failure is a result like any other. */
export async function runProgram(
  facts: ClusterFacts,
  program: string,
  args: readonly string[],
  { stdin = '', kubeconfig = facts.kubeconfig, env = {} }: CommandOptions = {},
): Promise<CommandResult> {
  const whole = { ...clusterEnvironment({ ...facts, kubeconfig }), ...env };
  const child = spawn(join(facts.bin, program), args, { env: whole });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 128));
  });
  child.stdin.on('error', () => undefined); // it may end without reading all
  child.stdin.end(stdin);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { stdout, stderr, exitCode };
}
