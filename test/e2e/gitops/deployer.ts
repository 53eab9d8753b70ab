import type { JsonMap } from '../../../src/json/value.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Kept, Tool } from '../drift/tools.ts';

/** In Argo CD's words; Flux's `unchanged` and `configured` are the first two. Unknown: the comparison itself failed. */
export type Status = 'Synced' | 'OutOfSync' | 'Unknown';

/** What a GitOps tool says of one object under one of its settings. */
export type Verdict = {
  /** As the table in docs/gitops.md names it. */
  readonly setting: string;
  readonly status: Status;
  /** The merge patch (RFC 7386) from the live object to what the tool expects, or why there is none. */
  readonly reason: JsonMap | string;
};

export type Committed = Pick<Kept, 'namespace' | 'source'>;

/** A GitOps tool: it applies what is in Git, and says whether the cluster is the same. */
export type Deployer = {
  readonly name: string;
  /** The settings that it is tried with, in the order of the verdicts. */
  readonly settings: readonly string[];
  /** @returns the warnings of admission */
  apply(cluster: Cluster, committed: Committed): Promise<string[]>;
  /** One for each setting; nothing is stored. */
  verdicts(cluster: Cluster, committed: Committed): Promise<Verdict[]>;
};

/** The deployer as a tool of the drift matrix; it prints its warnings, one in each line. */
export function asTool(deployer: Deployer): Tool {
  return {
    name: deployer.name,
    from: 'source',
    write: async (cluster, kept) => (await deployer.apply(cluster, kept)).join('\n'),
  };
}
