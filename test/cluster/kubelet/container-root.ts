import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHECKOUT, cacheFolder } from '../settings.ts';

/** A folder or file of this machine that a container sees at `target`. */
export type Bind = { readonly source: string; readonly target: string; readonly readOnly: boolean };

const SCRIPT = fileURLToPath(new URL('container-root.sh', import.meta.url));

/** The Node that runs this, the checkout that it runs, and built programs. */
const PROGRAMS: readonly Bind[] = [
  ...[dirname(process.execPath), CHECKOUT].map((path) => ({ source: path, target: path, readOnly: false })),
  { source: cacheFolder(), target: cacheFolder(), readOnly: true },
].filter(({ source }) => !/^\/(usr|opt|nix)\//.test(source));

export type ContainerRoot = {
  /** An empty folder of the container's. */
  readonly folder: string;
  readonly hostname: string;
  readonly readOnly: boolean;
  readonly workingDir: string;
  readonly binds: readonly Bind[];
};

/** The command line that runs `command` with a root and a host name of its own; the process keeps its id all the way. */
export function inContainer(root: ContainerRoot, command: readonly string[]): [string, string[]] {
  mkdirSync(root.folder, { recursive: true });
  const modes = (readOnly: boolean): string => (readOnly ? 'ro' : 'rw');
  const binds = [...PROGRAMS, ...root.binds].flatMap(({ source, target, readOnly }) => [
    source,
    target,
    modes(readOnly),
  ]);
  const settings = [root.folder, root.hostname, modes(root.readOnly), root.workingDir];
  return ['unshare', ['--mount', '--uts', '--', 'sh', SCRIPT, ...settings, ...binds, '--', ...command]];
}

/** The command line that runs `command` beside a process, in its root. */
export function besideProcess(pid: number, command: readonly string[]): [string, string[]] {
  return ['nsenter', [`--target=${pid}`, '--mount', '--uts', '--root', '--wd', '--', ...command]];
}
