import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHECKOUT, cacheFolder } from './settings.ts';

const run = promisify(execFile);

/** Files with the CustomResourceDefinitions that vendors publish within their Go modules; none is kept in this repository. */
const FILES = {
  istio: ['istio.io/api', 'kubernetes/customresourcedefinitions.gen.yaml'],
  httpRoute: ['sigs.k8s.io/gateway-api', 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml'],
} as const;

export type Definitions = keyof typeof FILES;

const SOURCE = join(CHECKOUT, 'test/cluster/definitions');

/** The path of a file of definitions in the cache; {@link fetchDefinitions} has put it there. */
export function definitionsPath(name: Definitions): string {
  return join(folder(), `${name}.yaml`);
}

/** Those that are not in the cache yet, so that Go is needed for them. */
export function missingDefinitions(): Definitions[] {
  return (Object.keys(FILES) as Definitions[]).filter((name) => !existsSync(definitionsPath(name)));
}

/**
 * Copies what is missing into the cache. Needs Go and, the first time, the Go module proxy.
 * @throws with Go's words when it cannot
 */
export async function fetchDefinitions(say: (line: string) => void): Promise<void> {
  const missing = missingDefinitions();
  if (missing.length === 0) return;
  say(`fetching CustomResourceDefinitions of ${missing.join(', ')}`);
  mkdirSync(folder(), { recursive: true });
  for (const name of missing) {
    const [module, file] = FILES[name];
    const temporary = join(folder(), `.${name}.${process.pid}`);
    copyFileSync(join(await download(module), file), temporary);
    renameSync(temporary, definitionsPath(name));
  }
}

/** The folder of a module. `go mod download -json` writes its errors into the JSON that it prints. */
async function download(module: string): Promise<string> {
  const failure = (reason: string, cause: unknown) =>
    new Error(`CustomResourceDefinitions cannot be fetched: go mod download ${module} in ${SOURCE}: ${reason}`, {
      cause,
    });
  const { stdout } = await run('go', ['mod', 'download', '-json', module], { cwd: SOURCE }).catch(
    (error: Error & { readonly stdout?: string }) => {
      throw failure(error.stdout || error.message, error);
    },
  );
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

function folder(): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCE, file)));
  return join(cacheFolder(), `definitions-${hash.update(JSON.stringify(FILES)).digest('hex').slice(0, 12)}`);
}
