import { missing, runInside } from './run.ts';
import { CHECKOUT, environment } from './settings.ts';

/** `npm run test:e2e`: the tests of `test/e2e` in a real cluster; arguments go to vitest. */
async function main(args: readonly string[]): Promise<number> {
  const reason = await missing();
  if (reason !== undefined) {
    const inCi = environment['CI'] === 'true';
    process.stderr.write(`${inCi ? 'FAILED' : 'SKIPPED'}: the tests in a cluster (test/e2e) did not run: ${reason}\n`);
    return inCi ? 1 : 0;
  }
  const vitest = `${CHECKOUT}/node_modules/vitest/vitest.mjs`;
  return runInside([process.execPath, vitest, 'run', '--project', 'e2e', ...args]);
}

process.exitCode = await main(process.argv.slice(2));
