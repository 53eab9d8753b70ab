import { readFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { Plugin } from 'esbuild';

/** How sources name a file, by its place beside them. */
const FILE = /new URL\('([^']+)', import\.meta\.url\)/g;

/** How sources load a package in CommonJS late. esbuild follows only a `require` that no source declares. */
const LATE_REQUIRE: readonly (readonly [RegExp, string])[] = [
  [/import \{ createRequire \} from 'node:module';/, ''],
  [/const require = createRequire\(import\.meta\.url\);/, ''],
  [/createRequire\(import\.meta\.url\)\(/, 'require('],
];

/**
 * Names in the sources that would mean something else in a bundle: files become what they are from the bundle's folder,
 * which has the same layout as the repository, and late `require` calls become ones that esbuild follows.
 *
 * A use of `import.meta` that is neither fails the build, since it would only fail at run time.
 *
 * @param entries source → file of the bundle, for sources that become files of their own: the program, threads.
 * @param onName is told each file that is named, by its path in the bundle.
 */
export function bundledNames(
  root: string,
  entries: Readonly<Record<string, string>>,
  onName: (path: string) => void,
): Plugin {
  const inBundle = (folder: string, name: string) => {
    const path = join(folder, name).split(sep).join('/');
    const target = entries[path] ?? path;
    onName(target);
    return `new URL('./${target}', import.meta.url)`;
  };
  return {
    name: 'bundled-names',
    setup(build) {
      build.onLoad({ filter: /\.(ts|js)$/ }, async ({ path }) => {
        const source = relative(root, path);
        if (!/^(src|bin)[\\/]/.test(source)) return undefined;
        let contents = await readFile(path, 'utf8');
        for (const [form, replacement] of LATE_REQUIRE) contents = contents.replace(form, replacement);
        contents = contents.replace(FILE, (_, name: string) => inBundle(dirname(source), name));
        if (/import\.meta(?!\.url\))|createRequire/.test(contents))
          return { errors: [{ text: `${source}: a use of import.meta or createRequire that cannot be bundled` }] };
        return { contents, loader: path.endsWith('.ts') ? 'ts' : 'js' };
      });
    },
  };
}
