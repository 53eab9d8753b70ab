import { isUtf8 } from 'node:buffer';
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import type { Manifest, ManifestError } from '../manifest/manifest.ts';
import { readManifests } from '../manifest/read.ts';
import { UsageError } from './usage-error.ts';

/** What the `-f` flags name, read: objects in the order of files and documents, and what could not be read as YAML. */
export type Input = {
  readonly manifests: readonly Manifest[];
  readonly errors: readonly ManifestError[];
  readonly files: number;
};

/** The name under which standard input appears in messages. */
const STDIN_NAME = '<stdin>';
const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);
/** Files that only tools read, found in the folders of manifests; kustomize's may have neither apiVersion nor kind. */
const NO_MANIFESTS = new Set(['kustomization.yaml', 'kustomization.yml', 'package.json', 'package-lock.json']);

/**
 * Reads files, folders (all `*.yaml`, `*.yml` and `*.json` below them, but for hidden folders and `node_modules`) and
 * standard input (`-`). A file that is named twice is read once.
 *
 * @param onFile is told each file that is about to be read
 * @throws UsageError for what is not there, cannot be read, is no UTF-8 text, or holds no manifest.
 */
export async function readInput(
  paths: readonly string[],
  readStdin: () => Promise<Uint8Array>,
  onFile: (name: string) => void = () => undefined,
): Promise<Input> {
  const manifests: Manifest[] = [];
  const errors: ManifestError[] = [];
  const sources = new Map(paths.flatMap((path) => filesOf(path).map((file) => [keyOf(file), file] as const)));
  for (const file of sources.values()) {
    const name = file === '-' ? STDIN_NAME : file;
    onFile(name);
    const bytes = file === '-' ? await readStdin() : attempt(file, 'read', () => readFileSync(file));
    if (!isUtf8(bytes)) throw new UsageError(`${name} is not a text in UTF-8; manifests are`);
    const read = readManifests(Buffer.from(bytes).toString('utf8'), name);
    manifests.push(...read.documents);
    errors.push(...read.errors);
  }
  if (manifests.length === 0 && errors.length === 0) throw new UsageError(nothingIn(paths, sources.size));
  return { manifests, errors, files: sources.size };
}

function keyOf(file: string): string {
  return file === '-' ? file : resolve(file);
}

function nothingIn(paths: readonly string[], files: number): string {
  const where = paths.map((path) => (path === '-' ? 'standard input' : path)).join(', ');
  return files === 0
    ? `${where}: no file here ends in .yaml, .yml or .json; name a folder or file with manifests`
    : `${where}: there is no manifest in it, only empty documents or comments`;
}

function filesOf(path: string): string[] {
  if (path === '-') return [path];
  return attempt(path, 'read', () => statSync(path)).isDirectory() ? filesBelow(path) : [path];
}

function filesBelow(folder: string): string[] {
  const entries = attempt(folder, 'read', () => readdirSync(folder, { withFileTypes: true }));
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return isHidden(entry.name) ? [] : filesBelow(path);
      return EXTENSIONS.has(extname(entry.name)) && !NO_MANIFESTS.has(entry.name) && isFile(entry, path) ? [path] : [];
    });
}

function isHidden(folder: string): boolean {
  return folder.startsWith('.') || folder === 'node_modules';
}

/** Links to files count (a mounted ConfigMap is a folder of them), links to folders do not: they may go round in circles. */
function isFile(entry: Dirent, path: string): boolean {
  return entry.isFile() || (entry.isSymbolicLink() && attempt(path, 'read', () => statSync(path)).isFile());
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EEXIST: 'there is a file of that name',
  EISDIR: 'it is a folder',
  EROFS: 'nothing can be written there',
  ENOSPC: 'no space is left',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'its links go round in circles',
  EMFILE: 'too many open files',
};

/** Does something with a file. @throws UsageError that names it, for the file system's errors */
export function attempt<T>(file: string, verb: 'read' | 'write', action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    throw new UsageError(`cannot ${verb} ${file}: ${REASONS[code] ?? code}`, { cause: error });
  }
}
