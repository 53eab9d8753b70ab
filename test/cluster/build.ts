import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { fetchEnvoy } from './mesh/envoy-program.ts';
import { BASE, MODULES, type Module, type ModuleName, type Program } from './programs.ts';
import { CHECKOUT, cacheFolder, environment } from './settings.ts';

const run = promisify(execFile);

/** How often a build that takes long says that it goes on. */
const NEWS_MILLISECONDS = 15_000;

/** Paths of ready programs, by name. */
export type Programs = Readonly<Record<string, string>>;

/** Writes one line of progress. */
export type Say = (line: string) => void;

/**
 * The path of a program: that of `KUBEBUILDER_ASSETS` where it holds it, else the one in the cache.
 * @throws when it was not built yet.
 */
export async function programPath(program: Program): Promise<string> {
  const name = moduleOf(program);
  const path = readyMade(program) ?? join(await folderOf(name), program);
  if (!existsSync(path)) throw new Error(`${program} is not built: run \`npm run test:programs\``);
  return path;
}

/**
 * Builds the programs of these modules that are missing in the cache, and returns the paths of all. Needs Go and, the
 * first time, the Go module proxy. Two builders at once do no harm: each program takes its place by a rename.
 * @throws with the compiler's words when a build fails.
 */
export async function buildPrograms(
  names: readonly ModuleName[] = BASE,
  say: Say = () => undefined,
): Promise<Programs> {
  const paths: Record<string, string> = {};
  for (const name of names) {
    const packages = Object.entries(MODULES[name].packages);
    for (const [program, goPackage] of packages) {
      paths[program] = readyMade(program) ?? (await buildMissing(name, program, goPackage, say));
    }
  }
  return paths;
}

/** The programs of these modules that are neither in `KUBEBUILDER_ASSETS`, so that Go is needed for them. */
export function programsThatNeedGo(names: readonly ModuleName[] = BASE): string[] {
  return names.flatMap((name) => Object.keys(MODULES[name].packages)).filter((program) => !readyMade(program));
}

/** envtest's folder of binaries: kube-apiserver, etcd and kubectl, of the version that its user chose. */
function readyMade(program: string): string | undefined {
  const folder = environment['KUBEBUILDER_ASSETS'];
  const path = folder ? join(folder, program) : '';
  return path !== '' && existsSync(path) ? path : undefined;
}

function moduleOf(program: Program): ModuleName {
  const found = Object.entries(MODULES).find(([, { packages }]) => Object.hasOwn(packages, program));
  if (found === undefined) throw new Error(`${program} is in no module of programs.ts`);
  return found[0] as ModuleName;
}

function sourceOf(name: ModuleName): string {
  return join(CHECKOUT, 'test/cluster/programs', name);
}

/** The cache folder of a module: another one when its sources, its flags or the compiler change. */
async function folderOf(name: ModuleName): Promise<string> {
  const source = sourceOf(name);
  const go = await run('go', ['env', 'GOVERSION', 'GOOS', 'GOARCH'], { cwd: source });
  const hash = createHash('sha256');
  for (const file of readdirSync(source).sort()) hash.update(readFileSync(join(source, file)));
  hash.update(JSON.stringify([MODULES[name], go.stdout]));
  return join(cacheFolder(), `${name}-${hash.digest('hex').slice(0, 12)}`);
}

async function buildMissing(name: ModuleName, program: string, goPackage: string, say: Say): Promise<string> {
  const folder = await folderOf(name);
  const path = join(folder, program);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `.${program}.${process.pid}`);
  const start = performance.now();
  const elapsed = (): string => `${Math.round((performance.now() - start) / 1000)} s`;
  say(`building ${program} (${goPackage}); the first time takes some minutes`);
  const news = setInterval(() => say(`  still building ${program}, ${elapsed()}`), NEWS_MILLISECONDS);
  try {
    await goBuild(sourceOf(name), MODULES[name], goPackage, temporary);
    renameSync(temporary, path);
  } finally {
    clearInterval(news);
    rmSync(temporary, { force: true });
  }
  say(`built ${program} in ${elapsed()}`);
  return path;
}

async function goBuild(cwd: string, { ldflags, tags = '' }: Module, goPackage: string, output: string): Promise<void> {
  const args = ['build', '-trimpath', '-tags', tags, '-ldflags', ldflags, '-o', output, goPackage];
  const child = spawn('go', args, {
    cwd,
    env: { ...environment, CGO_ENABLED: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const [words, code] = await Promise.all([text(child.stderr), ended]);
  if (code !== 0) throw new Error(`go build ${goPackage} in ${cwd} ended with ${code}:\n${words.slice(-4000)}`);
}

if (import.meta.main) {
  const say: Say = (line) => process.stderr.write(`${line}\n`);
  await fetchEnvoy(say);
  const all = Object.keys(MODULES) as ModuleName[];
  for (const path of Object.values(await buildPrograms(all, say))) process.stdout.write(`${path}\n`);
}
