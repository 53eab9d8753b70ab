import { join } from 'node:path';
import { missing, runInside } from './run.ts';
import { CHECKOUT } from './settings.ts';

const HELP = `Usage: npm run cluster [-- [--example | --without-sluice] [COMMAND [ARGUMENT]...]]

Starts a real Kubernetes control plane on this machine, in namespaces of its own, with Sluice installed by its Helm
chart, and opens a shell with KUBECONFIG set and kubectl, helm and sluice on the PATH. With a COMMAND it is run instead
of the shell. Everything ends with it.

  --example          with a shop behind Istio's objects, and a Rollout, to play a release with
  --without-sluice   an empty cluster
  --help             this text

The first start builds the programs with Go, which takes some minutes; see test/cluster/README.md.
`;

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === '--help' || args[0] === '-h') {
    process.stdout.write(HELP);
    return 0;
  }
  const reason = await missing();
  if (reason !== undefined) {
    process.stderr.write(`A cluster cannot run here: ${reason}\n`);
    return 1;
  }
  return runInside([process.execPath, join(CHECKOUT, 'test/cluster/shell-inside.ts'), ...args]);
}

process.exitCode = await main(process.argv.slice(2));
