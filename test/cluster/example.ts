import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './command.ts';
import { definitionsPath } from './definitions.ts';
import { CHECKOUT } from './settings.ts';
import type { ClusterFacts } from './start.ts';
import { until } from './until.ts';

const FILES = ['seed-000-shop/around', 'seed-000/virtualservice', 'seed-000/destinationrule', 'seed-000/rollout'];

/**
 * Brings a shop behind Istio with a Rollout for it into the cluster, and waits until its pod is ready and a new version
 * would be held. `$EXAMPLE` is the folder of its Deployment in two versions.
 *
 * @returns the variables that commands in the cluster get
 * @throws with kubectl's words
 */
export async function openExample(facts: ClusterFacts): Promise<Readonly<Record<string, string>>> {
  const kubectl = async (...args: string[]): Promise<string> => {
    const { stdout, stderr, exitCode } = await runProgram(facts, 'kubectl', args);
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')} failed: ${stderr}`);
    return stdout;
  };
  const folder = join(facts.folder, 'example');
  mkdirSync(folder, { recursive: true });
  // The image is the one thing that this cluster has not.
  const source = readFileSync(join(CHECKOUT, 'test/fixtures/seed-000-shop/deployment.yaml'), 'utf8');
  const base = source.replace('image: nginx', 'image: echo');
  writeFileSync(join(folder, 'base.yaml'), base);
  writeFileSync(join(folder, 'canary.yaml'), base.replace('nginx-configmap-base', 'nginx-configmap-canary'));
  await kubectl('apply', '--server-side', '-f', definitionsPath('istio'));
  const files = FILES.map((file) => join(CHECKOUT, 'test/fixtures', `${file}.yaml`));
  await kubectl('apply', ...[join(folder, 'base.yaml'), ...files].flatMap((file) => ['-f', file]));
  await until('the example to be ready for a release', async () => {
    const seen = JSON.parse(await kubectl('get', 'deployment', 'nginx-deployment', '-o', 'json'));
    const isArmed = JSON.stringify(seen.metadata.annotations).includes('directive.sluice.dev/rollouts-demo');
    return isArmed && seen.status.readyReplicas === 1;
  });
  return { EXAMPLE: folder };
}
