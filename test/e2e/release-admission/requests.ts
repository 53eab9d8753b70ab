import { type Cluster, succeeded } from '../../cluster/cluster.ts';

/**
 * How often the API server has been asked to read objects of a kind, as it counts itself.
 * @param scope of one namespace, of all, or of one object; all of them when it is left out
 */
export async function reads(
  { kubectl }: Cluster,
  plural: string,
  verb: 'GET' | 'LIST',
  scope?: 'namespace' | 'cluster' | 'resource',
): Promise<number> {
  const labels = [`resource="${plural}"`, `verb="${verb}"`, ...(scope === undefined ? [] : [`scope="${scope}"`])];
  const lines = succeeded(await kubectl(['get', '--raw', '/metrics'])).split('\n');
  const counted = lines.filter(
    (line) => line.startsWith('apiserver_request_total{') && labels.every((label) => line.includes(label)),
  );
  return counted.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
