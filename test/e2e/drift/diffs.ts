import { ANNOTATIONS } from '../../../src/api/names.ts';
import type { JsonMap } from '../../../src/json/value.ts';
import type { Cluster } from '../../cluster/cluster.ts';

export const DIFF_MODES = ['client-side', 'server-side'] as const;
export type DiffMode = (typeof DIFF_MODES)[number];

export type Diff = {
  readonly mode: DiffMode;
  /** True when the plain command met a conflict; the rest is then that of `--force-conflicts`, which kubectl asks for. */
  readonly conflicts: boolean;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/**
 * `kubectl diff -f`, with the flags that users give it: none, or `--server-side`. Asked again when somebody wrote between
 * kubectl's two reads, as the controllers of Kubernetes do.
 */
export async function diff(cluster: Cluster, namespace: string, source: JsonMap, mode: DiffMode): Promise<Diff> {
  for (;;) {
    const found = await diffOnce(cluster, namespace, source, mode);
    if (!/^[-+] {2}resourceVersion: /m.test(found.stdout)) return found;
  }
}

async function diffOnce(cluster: Cluster, namespace: string, source: JsonMap, mode: DiffMode): Promise<Diff> {
  const run = async (...flags: string[]) => {
    const options = { stdin: JSON.stringify(source) };
    const { exitCode, stdout, stderr } = await cluster.kubectl(['diff', ...flags, '-n', namespace, '-f', '-'], options);
    return { exitCode, stdout, stderr };
  };
  if (mode === 'client-side') return { mode, conflicts: false, ...(await run()) };
  const plain = await run('--server-side');
  const conflicts = plain.exitCode > 1 && plain.stdout === '' && /Apply failed with \d+ conflict/.test(plain.stderr);
  return conflicts
    ? { mode, conflicts, ...(await run('--server-side', '--force-conflicts')) }
    : { mode, conflicts, ...plain };
}

/**
 * The lines that a diff takes away and adds, but for what is recorded of the edit beside it: the server's counter,
 * kubectl's last-applied text and Sluice's original.
 */
export function changedLines({ stdout }: Diff): string[] {
  return stdout
    .split('\n')
    .filter((line) => /^[-+](?![-+]{2} )/.test(line))
    .filter((line) => !/^. {2}generation: \d+$/.test(line) && !/^. {6}\{"apiVersion":/.test(line))
    .filter((line) => !line.includes(ANNOTATIONS.original));
}

/** Whether a diff shows that the saved original changes, too. */
export function showsOriginal({ stdout }: Diff): boolean {
  return stdout.split('\n').some((line) => line.startsWith('+') && line.includes(ANNOTATIONS.original));
}
