import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// biome-ignore lint/style/noProcessEnv: the one place where the test cluster reads its environment
export const environment: Readonly<Record<string, string | undefined>> = process.env;

/** The root of this checkout, without a slash at its end. */
export const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** Where built programs are kept between runs, outside the checkout (XDG base directories). */
export function cacheFolder(): string {
  const own = environment['SLUICE_TEST_CACHE'];
  if (own) return own;
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice');
}

/** The variable by which `enter.ts` hands the folder of a run (logs, data of etcd, files of pods) to what runs inside. */
export const RUN_FOLDER = 'SLUICE_CLUSTER_FOLDER';

/** The folder of this run; undefined outside of the namespaces of `enter.ts`. */
export function runFolder(): string | undefined {
  return environment[RUN_FOLDER] || undefined;
}
