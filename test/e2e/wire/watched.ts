import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { JsonMap } from '../../../src/json/value.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Mesh } from '../../cluster/mesh/mesh.ts';
import { until } from '../../cluster/until.ts';
import { openShop, type Shop, type ShopOptions } from '../release/shop.ts';
import { echoVersion } from './answers.ts';
import { shortfalls } from './capacity.ts';
import { type Change, record, timeline } from './history.ts';
import { type Failure, type Outcome, sendAll, startLoad } from './load.ts';

const PER_SECOND = 50;
/** How far around a failure the timeline is shown. */
const AROUND_MILLISECONDS = 4_000;
const MOST_LINES = 120;

/**
 * As pods behind a gateway are told to end: they go on serving while it gets to know that they are going (Kubernetes'
 * sleep action), which takes the gateway's control plane some hundred milliseconds.
 */
const container: JsonMap = { lifecycle: { preStop: { sleep: { seconds: 2 } } } };

/**
 * Nothing is tried twice. Istio's default would try a request two times more at another pod where no connection came
 * about or a stream was refused, and so hide that a pod was asked which is not there.
 */
const ONCE: JsonMap = { name: 'web', route: [{ destination: { host: 'web' } }], retries: { attempts: 0 } };

/**
 * Opens a shop behind the gateway, sends it 50 requests a second as long as `story` takes, and holds that none was lost
 * and that no version ever had fewer ready pods than its share of the traffic needs. Pods may not be missing (the
 * Deployment's maxUnavailable is 0).
 */
export async function withoutLoss(
  { cluster, mesh }: { readonly cluster: Cluster; readonly mesh: Mesh },
  options: ShopOptions,
  story: (shop: Shop) => Promise<void>,
): Promise<Outcome> {
  const namespace = await cluster.namespace();
  const host = `${namespace}.example`;
  const virtualService: JsonMap = { hosts: [host], gateways: ['web'], http: [ONCE] };
  const beside = [mesh.gateway('web')];
  const shop = await openShop(cluster, { ...options, namespace, container, virtualService, beside });
  const target = { address: mesh.host, port: mesh.port, host };
  await until('the gateway to lead to the shop', async () => {
    return (await sendAll(5, target, PER_SECOND, echoVersion)).failures.length === 0;
  });
  const history = await record(cluster.client, namespace);
  const begin = new Date();
  const load = startLoad(target, PER_SECOND, echoVersion);
  const told = await story(shop).then(
    () => undefined,
    (error: unknown) => error,
  );
  const outcome = await load.stop();
  const changes = await history.stop();
  const short = shortfalls(changes, history.begin, 0);
  const [failure] = outcome.failures;
  if (failure !== undefined || short.length > 0 || told !== undefined) {
    const all = await evidence(changes, outcome.failures, await mesh.log(begin));
    const file = join(cluster.facts.folder, `${namespace}.timeline`);
    writeFileSync(file, all.join('\n'));
    const moment = failure?.at ?? new Date(short[0]?.at ?? 0);
    process.stderr.write(`The timeline is in ${file}\n${around(all, moment).join('\n')}\n`);
  }
  expect({ failures: outcome.failures, short }).toEqual({ failures: [], short: [] });
  if (told !== undefined) throw told;
  return outcome;
}

/** Changes of the cluster, pushes of the control plane and lost requests, in the order of their times. */
function evidence(changes: readonly Change[], failures: readonly Failure[], log: string): string[] {
  const pushes = log
    .split('\n')
    .filter((line) => /PUSH|Push/.test(line))
    .map((line) => `${line.slice(11, 23)} istiod ${line.slice(line.indexOf(' ') + 1)}`);
  const lost = failures.map(({ at, reason }) => `${at.toISOString().slice(11, 23)} LOST ${reason}`);
  return [...timeline(changes), ...pushes, ...lost].sort();
}

function around(lines: readonly string[], moment: Date): string[] {
  const [from, to] = [-AROUND_MILLISECONDS, AROUND_MILLISECONDS].map((milliseconds) =>
    new Date(moment.getTime() + milliseconds).toISOString().slice(11, 23),
  );
  return lines.filter((line) => line >= (from ?? '') && line <= (to ?? '')).slice(0, MOST_LINES);
}
