import { expect } from 'vitest';
import { isList, type Json, type JsonMap, member, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { neededFor } from '../../../src/release/walk.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { trafficProblems } from '../../release/invariants.ts';
import { momentsOf, record } from './history.ts';
import { backToNormal } from './normal.ts';
import { openShop, type Shop, settingsName, VIRTUAL_SERVICE, weightsIn } from './shop.ts';
import { watchTraffic } from './traffic.ts';

/** Replicas that most shops are opened with. */
export const REPLICAS = 2;

/**
 * A shop in which one thing after the other is done. The states of its releases are recorded write by write, so that it
 * can be proved from which of them something was done, and its traffic is watched all the time.
 */
export type Played = {
  readonly shop: Shop;
  /** One part of the story: its name and duration are told, with what went wrong in it. */
  part(name: string, run: () => Promise<void>): Promise<void>;
  /** Waits until the release stands there, see {@link standingOf}. */
  stands(where: string, within?: number): Promise<void>;
  /** Waits until the release is over. */
  ends(outcome: string): Promise<void>;
  /** What it has gone through since the present part began; what it was before is the first. */
  way(): readonly string[];
  /** Scales as an autoscaler does it. @returns where the release stood in the moment of that write */
  scale(replicas: number): Promise<string>;
  /** Waits until traffic has what it needs for the replicas that are asked for; from then on it is held to that. */
  served(): Promise<void>;
  /** What the user does now takes pods or Services from the traffic: nothing is counted on until it is `served`. */
  neglect(): void;
  /** Takes the settings of v2 away: its pods that come from then on do not start. */
  withhold(): Promise<void>;
  provide(): Promise<void>;
  /** Deletes a ready pod of this version. */
  takePod(version: string): Promise<void>;
  /** Waits until the shop is its owner's again, with all its traffic. */
  isNormal(version: string, replicas?: number): Promise<void>;
  /** Pods of v2 that were asked for after v1 had been applied in the present part. */
  addedPods(): readonly string[];
  /** Writes of the present part after which v2 was to have fewer pods than its share of the traffic needs. */
  missedPods(): readonly string[];
  close(): Promise<void>;
};

export type PlayedOptions = { readonly strategy: JsonMap; readonly replicas?: number };

/** Opens such a shop; pods of each version need settings of their own to start. */
export async function openPlayed(
  cluster: Cluster,
  told: string,
  { strategy, replicas = REPLICAS }: PlayedOptions,
): Promise<Played> {
  const { client } = cluster;
  const begin = performance.now();
  const shop = await openShop(cluster, {
    strategy,
    replicas,
    scaledBy: 'autoscaler',
    container: (version) => ({ envFrom: [{ configMapRef: { name: settingsName(version) } }] }),
    beside: ['v1', 'v2'].map(settings),
  });
  const { namespace } = shop;
  const kinds = [RESOURCES.rollout, RESOURCES.deployment, RESOURCES.replicaSet, VIRTUAL_SERVICE];
  const history = await record(client, namespace, kinds);
  const standings = () => momentsOf(history.changes(), RESOURCES.rollout, ({ status }) => standingOf(status));
  const workloads = () =>
    momentsOf(history.changes(), RESOURCES.deployment, ({ metadata, spec }) => ({
      name: stringAt(metadata, 'name'),
      version: versionOf(spec),
      replicas: member(spec, 'replicas'),
    }));
  const weights = () => momentsOf(history.changes(), VIRTUAL_SERVICE, (object) => weightsIn(object, shop.name));
  const sizes = () =>
    momentsOf(history.changes(), RESOURCES.replicaSet, ({ metadata, spec }) => ({
      name: stringAt(metadata, 'name') ?? '',
      isNew: versionOf(spec) === 'v2',
      desired: Number(member(spec, 'replicas')),
    }));
  let [asked, counted] = [replicas, replicas];
  const traffic = watchTraffic(shop, () => counted);
  const log = [`opened in ${secondsSince(begin)}`];
  let since = { standing: 0, revision: 0 };

  const own = () => workloads().filter(({ value }) => value.name === shop.name);
  const last = () => standings().at(-1)?.value ?? '';
  /** What is waited for, or how everything stands instead. */
  async function awaited(what: string, condition: () => boolean | Promise<boolean>, within?: number): Promise<void> {
    await until(what, condition, within).catch(async (error: unknown) => {
      const [status, pods, seen] = [await shop.status(), await shop.pods(), await shop.traffic()];
      throw new Error(`${messageOf(error)}\n${JSON.stringify({ status, pods, traffic: seen }, null, 1)}`);
    });
  }

  const played: Played = {
    shop,
    async part(name, run) {
      const start = performance.now();
      since = { standing: standings().length, revision: own().at(-1)?.revision ?? 0 };
      await run().catch((error: unknown) => {
        const story = [
          ...log,
          `failed in ${name} after ${secondsSince(start)}`,
          `its way: ${played.way().join(' → ')}`,
        ];
        throw new Error(`${told} in ${namespace}: ${story.join('; ')}\n${told}: ${messageOf(error)}`, { cause: error });
      });
      log.push(`${name} ${secondsSince(start)}`);
      expect(traffic.problems, `${told} in ${namespace}: ${log.join('; ')}`).toEqual([]);
    },
    async stands(where, within = 60) {
      // What is recorded tells it as soon as it is so, and asks the API server nothing.
      await awaited(where, () => last() === where, within);
    },
    async ends(outcome) {
      await played.stands('Completed');
      await shop.ends(outcome, 10);
    },
    way() {
      const values = standings()
        .slice(Math.max(0, since.standing - 1))
        .map(({ value }) => value);
      return values.filter((value, index) => value !== values[index - 1]);
    },
    async scale(count) {
      const before = own().at(-1)?.revision ?? 0;
      asked = count;
      counted = Math.min(counted, count);
      await shop.scale(count);
      const write = await until('the write to be seen', () =>
        own().find(({ revision, value }) => revision > before && value.replicas === count),
      );
      return standings().findLast(({ revision }) => revision < write.revision)?.value ?? '';
    },
    async served() {
      await awaited('traffic to have what it needs', async () => {
        const seen = await shop.traffic();
        return seen !== 'moving' && seen.replicas === asked && trafficProblems(seen).length === 0;
      });
      counted = asked;
    },
    neglect() {
      counted = 0;
    },
    async withhold() {
      await client.delete(RESOURCES.configMap, { namespace, name: settingsName('v2') });
    },
    provide: () => cluster.apply(namespace, settings('v2')),
    async takePod(version) {
      const { items } = await client.list(RESOURCES.pod, { namespace });
      const pod = items.find(({ metadata }) => stringAt(metadata, 'labels', 'version') === version);
      await client.delete(RESOURCES.pod, { namespace, name: stringAt(pod, 'metadata', 'name') ?? '' });
    },
    async isNormal(version, count = replicas) {
      await backToNormal(cluster, shop, { version, replicas: count });
      await played.served();
      const looks = traffic.looks();
      await until('a look at the traffic', () => traffic.looks() > looks);
    },
    addedPods() {
      const changes = own().filter(({ revision }) => revision >= since.revision);
      const back = changes.findLastIndex(
        ({ value }, i) => value.version === 'v1' && changes[i - 1]?.value.version === 'v2',
      );
      const applied = changes[back]?.revision;
      if (applied === undefined) throw new Error('v1 was not applied after v2');
      const desired = new Map<string, number>();
      return sizes().flatMap(({ revision, value }) => {
        const before = desired.get(value.name) ?? 0;
        desired.set(value.name, value.desired);
        const isMore = revision > applied && value.isNew && value.desired > before;
        return isMore ? [`${value.name} went from ${before} to ${value.desired}`] : [];
      });
    },
    missedPods() {
      const desired = new Map<string, number>();
      let share = 0;
      const replay = [
        ...sizes().map(({ revision, value }) => ({
          revision,
          run: () => desired.set(value.name, value.isNew ? value.desired : 0),
        })),
        ...weights().map(({ revision, value }) => ({
          revision,
          run: () => {
            share = value[`${shop.name}-canary`] ?? 0;
          },
        })),
      ].toSorted((a, b) => a.revision - b.revision);
      return replay.flatMap(({ revision, run }) => {
        run();
        const pods = [...desired.values()].reduce((sum, count) => sum + count, 0);
        return revision > since.revision && pods < neededFor(share, asked)
          ? [`${pods} pods for ${share} % at ${revision}`]
          : [];
      });
    },
    async close() {
      await history.stop();
      await traffic.stop();
      process.stderr.write(`${told}: ${log.join('; ')}; ${secondsSince(begin)} in all, ${traffic.looks()} looks\n`);
    },
  };
  return played;
}

/** Where a release stands, in the words of its status. */
export function standingOf(status: Json | undefined): string {
  const sub = member(status, 'blueGreenStatus') ?? member(status, 'canaryStatus');
  const outcome = stringAt(status, 'release', 'outcome');
  const conditions = member(status, 'conditions');
  const progressing = (isList(conditions) ? conditions : []).find((each) => stringAt(each, 'type') === 'Progressing');
  const reason = stringAt(progressing, 'reason') ?? 'no release';
  switch (reason) {
    case 'InRolling':
      return `${stringAt(sub, 'currentStepState')} of step ${member(sub, 'currentStepIndex')}`;
    case 'Paused':
      return outcome === undefined ? reason : `held after ${outcome}`;
    case 'Finalising':
    case 'Cancelling':
      return `${outcome}: ${stringAt(sub, 'finalisingStep')}`;
    default:
      return reason;
  }
}

function settings(version: string): JsonMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: settingsName(version) },
    data: { GREETING: version },
  };
}

function versionOf(spec: Json | undefined): string {
  return stringAt(spec, 'template', 'metadata', 'labels', 'version') ?? '';
}

function secondsSince(begin: number): string {
  return `${((performance.now() - begin) / 1000).toFixed(1)} s`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
