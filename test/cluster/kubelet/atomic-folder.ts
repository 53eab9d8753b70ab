import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type VolumeFile = { readonly content: Buffer; readonly mode: number };

/** Files of a volume by their path in it. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

let generation = 0;

/**
 * Writes all files of a volume so that a reader sees either the old set or the new one, laid out as a kubelet's volumes
 * are: a folder of the generation, `..data` that points to it, and a link for each name at the top.
 */
export function writeAtomically(folder: string, files: VolumeFiles): void {
  mkdirSync(folder, { recursive: true });
  generation += 1;
  const name = `..${Date.now()}_${generation}`;
  for (const [path, { content, mode }] of files) {
    const file = join(folder, name, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content, { mode });
  }
  mkdirSync(join(folder, name), { recursive: true });
  const before = readdirSync(folder).includes('..data') ? readlinkSync(join(folder, '..data')) : undefined;
  symlinkSync(name, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  linkNames(folder, new Set([...files.keys()].map((path) => path.split('/')[0] ?? path)));
  if (before !== undefined) rmSync(join(folder, before), { recursive: true, force: true });
}

function linkNames(folder: string, names: ReadonlySet<string>): void {
  const present = new Set(readdirSync(folder).filter((entry) => !entry.startsWith('..')));
  for (const name of names) if (!present.has(name)) symlinkSync(join('..data', name), join(folder, name));
  for (const name of present) if (!names.has(name)) rmSync(join(folder, name), { recursive: true });
}
