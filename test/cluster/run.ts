import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPrograms, programsThatNeedGo, type Say } from './build.ts';
import { fetchDefinitions } from './definitions.ts';
import { enter, namespacesRefused } from './enter.ts';
import { RUN_FOLDER } from './settings.ts';

const say: Say = (line) => process.stderr.write(`${line}\n`);

/** What is missing on this machine to run a cluster, as one sentence that says what to install; undefined when all is there. */
export async function missing(): Promise<string | undefined> {
  const toBuild = programsThatNeedGo();
  if (toBuild.length > 0 && !hasGo()) {
    return `Go is not installed and KUBEBUILDER_ASSETS does not hold ${toBuild.join(', ')}: install Go (https://go.dev/dl)`;
  }
  return await namespacesRefused();
}

function hasGo(): boolean {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds the programs and runs a command inside the namespaces, with a folder for the run that is kept when it fails.
 * @returns the command's exit code
 */
export async function runInside(command: readonly string[]): Promise<number> {
  await buildPrograms(undefined, say);
  await fetchDefinitions(say);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cluster-'));
  const code = await enter(command, { [RUN_FOLDER]: folder });
  if (code === 0) rmSync(folder, { recursive: true, force: true });
  else say(`The logs of the cluster and of its pods are in ${folder}`);
  return code;
}
