import { join } from 'node:path';
import { missing, runInside } from '../../test/cluster/run.ts';
import { CHECKOUT } from '../../test/cluster/settings.ts';
import { readOptions } from './options.ts';

/** `npm run bench:cluster`: measures in a real cluster; the arguments are those of `options.ts`. */
async function main(args: readonly string[]): Promise<number> {
  readOptions(args);
  const reason = await missing();
  if (reason !== undefined) {
    process.stderr.write(`A cluster cannot run here: ${reason}\n`);
    return 1;
  }
  return runInside([process.execPath, join(CHECKOUT, 'bench/cluster/inside.ts'), ...args]);
}

process.exitCode = await main(process.argv.slice(2));
