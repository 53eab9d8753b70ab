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

/** Copies what is missing into the cache. Needs Go and, the first time, the Go module proxy. */
export async function fetchDefinitions(say: (line: string) => void): Promise<void> {
  const missing = Object.entries(FILES).filter(([name]) => !existsSync(definitionsPath(name as Definitions)));
  if (missing.length === 0) return;
  say(`fetching CustomResourceDefinitions of ${missing.map(([name]) => name).join(', ')}`);
  mkdirSync(folder(), { recursive: true });
  for (const [name, [module, file]] of missing) {
    const { stdout } = await run('go', ['mod', 'download', '-json', module], { cwd: SOURCE });
    const { Dir } = JSON.parse(stdout) as { Dir: string };
    const temporary = join(folder(), `.${name}.${process.pid}`);
    copyFileSync(join(Dir, file), temporary);
    renameSync(temporary, definitionsPath(name as Definitions));
  }
}

function folder(): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCE, file)));
  return join(cacheFolder(), `definitions-${hash.update(JSON.stringify(FILES)).digest('hex').slice(0, 12)}`);
}
