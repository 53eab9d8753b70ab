import type { BenchCluster } from './bench-cluster.ts';
import type { SluiceProcess } from './sluice-process.ts';

/** A histogram of Prometheus, cut down to how often and how long in sum (seconds). */
type Sum = { readonly count: number; readonly seconds: number };

/** Calls of webhooks since their start: as the API server counts them, and (`inside`) as Sluice does. */
export type CallTimes = { readonly sluice: Sum; readonly bare: Sum; readonly inside: Sum };

export async function callTimes({ kubectl }: BenchCluster, webhook: SluiceProcess): Promise<CallTimes> {
  const { stdout: server } = await kubectl(['get', '--raw', '/metrics']);
  const ofServer = (name: string) =>
    sumOf(server, 'apiserver_admission_webhook_admission_duration_seconds', `name="${name}"`);
  return {
    sluice: ofServer('gateways.sluice.dev'),
    bare: ofServer('bare.example.com'),
    inside: sumOf(await webhook.metrics(), 'sluice_admission_duration_seconds', 'path="/mutate/gateway"'),
  };
}

/** What came between two looks; `mean` in milliseconds. */
export function callTimesBetween(before: CallTimes, after: CallTimes) {
  const between = (key: keyof CallTimes) => {
    const count = after[key].count - before[key].count;
    return { count, mean: (1000 * (after[key].seconds - before[key].seconds)) / count };
  };
  return { sluice: between('sluice'), bare: between('bare'), inside: between('inside') };
}

/** Adds up all series of the metric that have the label. */
function sumOf(text: string, metric: string, label: string): Sum {
  const total = (suffix: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${metric}_${suffix}{`) && line.includes(label))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  return { count: total('count'), seconds: total('sum') };
}
