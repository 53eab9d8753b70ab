import { access, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundledNames } from './bundled-names.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** The program in the bundle's folder. */
export const PROGRAM = 'sluice.js';

/**
 * Source → file of the bundle. Threads need one of their own: the program's would start the command line once more.
 */
const ENTRIES = { 'bin/sluice.js': PROGRAM, 'src/isolate/worker.ts': 'worker.js' };

/** Files and folders that are read at run time; the last one is what the demo plays. */
const DATA = ['lua-scripts', 'webhook-config', 'chart/files/crds', 'LICENSE', 'test/fixtures/seed-000'];

/** For packages in CommonJS, which `require` the modules of Node. */
const REQUIRE =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

/**
 * Writes Sluice into a folder, emptied before, from which it runs with Node 24 and nothing else: the program, the entry
 * of its threads, the data that it reads, and a package.json that says the version.
 *
 * @returns the sources and data that went into it, as paths from the root of the repository, without packages.
 * @throws what esbuild or the file system says is wrong (esbuild has printed its part), and for a file that a source
 *   names but the bundle lacks.
 */
export async function bundle(folder: string): Promise<string[]> {
  const named = new Set<string>();
  await rm(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(ENTRIES).map(([source, file]) => ({ in: source, out: file.replace(/\.js$/, '') })),
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: REQUIRE },
    legalComments: 'eof',
    plugins: [bundledNames(ROOT, ENTRIES, (path) => named.add(path))],
    logLevel: 'warning',
    metafile: true,
  });
  for (const path of DATA) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  await writeFile(join(folder, 'package.json'), await packageText());
  for (const path of named) await access(join(folder, path));
  const sources = Object.keys(metafile.inputs).filter((path) => !path.startsWith('node_modules/'));
  return [...sources, ...DATA];
}

async function packageText(): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  return `${JSON.stringify({ name, version, license, private: true, type: 'module' }, null, 2)}\n`;
}

if (import.meta.main) {
  await bundle(join(ROOT, 'dist'));
  process.stdout.write(`${join('dist', PROGRAM)} is ready\n`);
}
