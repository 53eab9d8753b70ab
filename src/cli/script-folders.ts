import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { loadLibrary, type ScriptRequest } from '../lua/library.ts';
import { makeScript, type Script } from '../lua/script.ts';

/** A script in a folder, and the files with its cases. */
export type ScriptFolder = {
  readonly request: ScriptRequest;
  readonly script: Script;
  readonly file: string;
  readonly cases: readonly string[];
};

/** A file that stands where no script, module or case belongs: most often a misspelt name. */
export type StrayFile = { readonly file: string; readonly message: string };

const CUSTOM_SCRIPT = 'trafficRouting.lua';
/** Folders of Ingress class scripts: ours, and that of Kruise Rollouts' `lua_configuration`. */
const INGRESS_FOLDERS = new Set(['ingress', 'trafficrouting_ingress']);
const CASE_FILES = new Set(['.yaml', '.yml']);

/**
 * All scripts below a folder: `<group>/<Kind>/trafficRouting.lua` with cases in `testdata/` beside it, and
 * `ingress/<class>.lua` (or `trafficrouting_ingress/<class>.lua`) with cases in `testdata/<class>/`. The folder may be
 * a whole library, one script's folder, or another project with that layout. Modules are those of the folder's
 * `modules/` and the shipped ones.
 *
 * @throws the file system's own error for what cannot be read.
 */
export function findScripts(directory: string): { scripts: ScriptFolder[]; strays: StrayFile[] } {
  const root = resolve(directory);
  const files = filesBelow(root);
  const modules = modulesOf(root, files);
  const requests = files.flatMap((file) => {
    const request = requestOf(file);
    return request === undefined ? [] : [{ file, request }];
  });
  const scripts = requests.map(({ file, request }) => {
    const folder = caseFolder(file, request);
    return {
      request,
      script: makeScript(scriptName(request), readFileSync(file, 'utf8'), modules),
      file: relative(process.cwd(), file),
      cases: files
        .filter((other) => dirname(other) === folder && isCase(other))
        .map((other) => relative(process.cwd(), other)),
    };
  });
  const caseFolders = new Set(requests.map(({ file, request }) => caseFolder(file, request)));
  return { scripts, strays: files.flatMap((file) => strayFile(file, root, caseFolders)) };
}

function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function modulesOf(root: string, files: readonly string[]): Map<string, string> {
  const own = files.filter((file) => dirname(file) === join(root, 'modules') && extname(file) === '.lua');
  return new Map([...loadLibrary().modules, ...own.map((file) => [stem(file), readFileSync(file, 'utf8')] as const)]);
}

/** What a script file is for, told by its place; undefined for every other file. */
function requestOf(file: string): ScriptRequest | undefined {
  const folder = dirname(file);
  if (basename(file) === CUSTOM_SCRIPT) {
    return { contract: 'custom', group: basename(dirname(folder)), kind: basename(folder) };
  }
  const isIngress = extname(file) === '.lua' && INGRESS_FOLDERS.has(basename(folder));
  return isIngress ? { contract: 'ingress', classType: stem(file) } : undefined;
}

function scriptName(request: ScriptRequest): string {
  return request.contract === 'custom' ? `${request.group}/${request.kind}` : `ingress/${request.classType}`;
}

function caseFolder(file: string, request: ScriptRequest): string {
  const testdata = join(dirname(file), 'testdata');
  return request.contract === 'custom' ? testdata : join(testdata, request.classType);
}

function isCase(file: string): boolean {
  return CASE_FILES.has(extname(file));
}

/** Lua files that nothing would run, and files in `testdata` that nothing would read. Other files are not ours to judge. */
function strayFile(file: string, root: string, caseFolders: ReadonlySet<string>): StrayFile[] {
  const folder = dirname(file);
  const shown = relative(process.cwd(), file);
  const parts = relative(root, file).split(sep);
  // Kruise's tool leaves `<case>_obj.lua` beside a case.
  if (parts.includes('testdata')) {
    if (caseFolders.has(folder) && (isCase(file) || file.endsWith('_obj.lua'))) return [];
    return [
      { file: shown, message: 'is no case of any script; cases are YAML files in the testdata folder of a script' },
    ];
  }
  const known = extname(file) !== '.lua' || folder === join(root, 'modules') || requestOf(file) !== undefined;
  const message = `is never run; a script is called <group>/<Kind>/${CUSTOM_SCRIPT} or ingress/<class>.lua, a module modules/<name>.lua`;
  return known ? [] : [{ file: shown, message }];
}

function stem(file: string): string {
  return basename(file, extname(file));
}
