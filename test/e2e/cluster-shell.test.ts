import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { CHECKOUT } from '../cluster/settings.ts';

const run = promisify(execFile);

test('npm run cluster -- --example opens a shop whose next version is released step by step', async () => {
  const apply = 'kubectl apply -f "$EXAMPLE/canary.yaml"';
  const stands = 'kubectl get rollout rollouts-demo -o jsonpath={.status.currentStepState}';
  const waits = `for i in $(seq 100); do [ "$(${stands})" = StepPaused ] && break; sleep 0.2; done`;
  const weights = `kubectl get virtualservice nginx-vs -o jsonpath='weights {.spec.http[0].route[*].weight}'`;
  const command = ['--example', 'sh', '-c', `${apply} && ${waits} && ${weights}`];
  const { stdout, stderr } = await run(process.execPath, [join(CHECKOUT, 'test/cluster/shell.ts'), ...command]);
  expect(stderr).toContain('the new version is stored and held');
  expect(stdout).toContain('weights 80 20');
});

test('npm run cluster with a command runs it in a cluster with Sluice installed, and everything ends with it', async () => {
  const command = ['sh', '-c', 'kubectl get deployments -n sluice-system && echo "in $KUBECONFIG"'];
  const { stdout } = await run(process.execPath, [join(CHECKOUT, 'test/cluster/shell.ts'), ...command]);
  expect(stdout).toMatch(/^sluice-controller +2\/2 /m);
  expect(stdout).toMatch(/^sluice-webhook +2\/2 /m);
  const kubeconfig = /^in (.*)$/m.exec(stdout)?.[1] ?? '';
  await expect(run('ls', [kubeconfig])).rejects.toThrow('No such file');
});
