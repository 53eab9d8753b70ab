import { UsageError } from '../usage-error.ts';
import { RELEASE_EXIT } from './exit.ts';
import { type Invocation, rolloutName } from './invocation.ts';
import { listed, listRows } from './listing.ts';
import { table } from './table.ts';

export type GetOptions = { readonly allNamespaces?: boolean; readonly output: 'text' | 'wide' | 'json' };

/**
 * `sluice get`: the Rollouts of a namespace, or of all, in a table; or one of them.
 * @returns the exit code
 * @throws UsageError when a named one is not there, or the cluster cannot be read
 */
export async function get(text: string | undefined, options: GetOptions, invocation: Invocation): Promise<number> {
  const { terminal, now, namespace, requests } = invocation;
  const { allNamespaces = false, output } = options;
  if (text !== undefined && allNamespaces)
    throw new UsageError('a name is of one namespace: leave out -A, or the name');
  const objects =
    text === undefined
      ? await requests.rollouts(allNamespaces ? undefined : namespace)
      : [await requests.rollout(namespace, rolloutName(text))];
  const all = objects.map((object) => listed(object, now()));
  all.sort((a, b) => order(a.namespace, b.namespace) || order(a.name, b.name));
  const { out, err } = terminal;
  if (output === 'json') out.line(JSON.stringify(all, undefined, 2));
  else if (all.length === 0) err.line(`there are no Rollouts${allNamespaces ? '' : ` in namespace ${namespace}`}`);
  else {
    const rows = listRows(all, { wide: output === 'wide', namespaces: allNamespaces });
    for (const line of table(rows, (style, part) => out.paint(style, part))) out.line(line);
  }
  return RELEASE_EXIT.done;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
