import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Part } from './programs.ts';
import { missing, runInside } from './run.ts';
import { CHECKOUT, environment } from './settings.ts';

/** `npm run test:e2e`: the tests of `test/e2e` in a real cluster; arguments go to vitest. */
async function main(args: readonly string[]): Promise<number> {
  const parts = partsFor(args);
  const reason = await missing(parts);
  if (reason !== undefined) {
    const inCi = environment['CI'] === 'true';
    process.stderr.write(`${inCi ? 'FAILED' : 'SKIPPED'}: the tests in a cluster (test/e2e) did not run: ${reason}\n`);
    return inCi ? 1 : 0;
  }
  const vitest = `${CHECKOUT}/node_modules/vitest/vitest.mjs`;
  return runInside([process.execPath, vitest, 'run', '--project', 'e2e', ...args], parts);
}

/** Tests of this folder need the mesh, which takes minutes to build the first time. */
const WITH_MESH = 'test/e2e/wire';

/** The parts that the chosen files need: all where none is chosen. Words of vitest that are no option choose files. */
function partsFor(args: readonly string[]): Part[] {
  const chosen = args.filter((word, i) => !word.startsWith('-') && args[i - 1] !== '-t');
  const files = readdirSync(join(CHECKOUT, WITH_MESH)).map((file) => join(WITH_MESH, file));
  const isChosen = chosen.length === 0 || chosen.some((word) => files.some((file) => file.includes(word)));
  return isChosen ? ['mesh'] : [];
}

process.exitCode = await main(process.argv.slice(2));
