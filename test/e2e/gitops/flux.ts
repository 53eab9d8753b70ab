import type { JsonMap } from '../../../src/json/value.ts';
import { type Cluster, succeeded } from '../../cluster/cluster.ts';
import { runProgram } from '../../cluster/command.ts';
import type { Committed, Deployer } from './deployer.ts';

type Entry = { action: 'created' | 'configured' | 'unchanged' | 'skipped'; change?: JsonMap };
type Answer = { entries: Entry[]; warnings: string[] };

/** Flux's kustomize-controller, with `spec.force` of a Kustomization or without. */
export function flux(setting: string, { force }: { force: boolean }): Deployer {
  return {
    name: setting,
    settings: [setting],
    async apply(cluster, committed) {
      return (await run(cluster, 'apply', force ? ['--force'] : [], committed)).warnings;
    },
    async verdicts(cluster, committed) {
      const { entries } = await run(cluster, 'diff', [], committed);
      return entries.map(({ action, change = {} }) => ({
        setting,
        status: action === 'unchanged' ? 'Synced' : 'OutOfSync',
        reason: change,
      }));
    },
  };
}

async function run(
  cluster: Cluster,
  command: 'diff' | 'apply',
  flags: readonly string[],
  { namespace, source }: Committed,
): Promise<Answer> {
  const args = [command, namespace, ...flags];
  return JSON.parse(
    succeeded(await runProgram(cluster.facts, 'flux-verdict', args, { stdin: JSON.stringify(source) })),
  );
}
