import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { CHECKOUT } from '../cluster/settings.ts';

const run = promisify(execFile);

test('npm run cluster with a command runs it in a cluster with Sluice installed, and everything ends with it', async () => {
  const command = ['sh', '-c', 'kubectl get deployments -n sluice-system && echo "in $KUBECONFIG"'];
  const { stdout } = await run(process.execPath, [join(CHECKOUT, 'test/cluster/shell.ts'), ...command]);
  expect(stdout).toMatch(/^sluice-controller +2\/2 /m);
  expect(stdout).toMatch(/^sluice-webhook +2\/2 /m);
  const kubeconfig = /^in (.*)$/m.exec(stdout)?.[1] ?? '';
  await expect(run('ls', [kubeconfig])).rejects.toThrow('No such file');
});
