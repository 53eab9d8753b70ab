import { expect, onTestFinished, vi } from 'vitest';
import { JOBS } from '../isolate/jobs.ts';
import { at, isList, type JsonMap, stringAt } from '../json/value.ts';
import type { Clock } from '../kube/clock.ts';
import { RESOURCES } from '../kube/resource.ts';
import { loadLibrary } from '../lua/library.ts';
import { directiveKey } from '../rewrite/directive.ts';
import type { Guard } from './api.ts';
import { TestCluster, VIRTUAL_SERVICE } from './cluster.testing.ts';
import { type Controller, openController } from './controller.ts';
import { rolloutObject } from './rollouts.testing.ts';

export const library = loadLibrary();
export const NAMESPACE = 'sluice-system';
export const KEY = directiveKey('web');
export const inThisThread = {
  run(job: string, input: string): Promise<string> {
    const work = JOBS[job];
    return new Promise((resolve) => resolve(work?.(input) ?? ''));
  },
};

/** Everything is asked about, but in two namespaces. */
export const GUARD: Guard = {
  excludedNamespaces: new Set(['kube-system', NAMESPACE]),
  calling: () => 'called',
  onCalling: () => () => undefined,
};

export function start(
  cluster: TestCluster,
  settings: Parameters<typeof openController>[0]['settings'] = {},
  clock?: Clock,
  isolate: Parameters<typeof openController>[0]['isolate'] = inThisThread,
  guard = GUARD,
  considered: Parameters<Controller['considerKinds']>[0] | 'later' = [],
) {
  const events: string[] = [];
  const logged: unknown[] = [];
  const log = {
    info: () => undefined,
    warn: (...entry: unknown[]) => logged.push(entry),
    error: (...entry: unknown[]) => logged.push(entry),
  };
  const controller = openController({
    api: cluster,
    watcher: cluster,
    library,
    isolate,
    guard,
    ...(clock === undefined ? {} : { clock }),
    event: ({ kind, name }, { type, reason, note }) => events.push(`${type} ${reason} ${kind}/${name}: ${note}`),
    log,
    namespace: NAMESPACE,
    settings,
  });
  if (considered !== 'later') controller.considerKinds(considered);
  onTestFinished(() => controller.close());
  return { controller, events, logged };
}

export const virtualService = (host = 'web'): JsonMap => ({
  metadata: { namespace: 'shop', name: 'web' },
  spec: { hosts: ['web'], http: [{ route: [{ destination: { host } }] }] },
});
export const named = (name: string): JsonMap => ({ metadata: { namespace: 'shop', name } });

export function whole(): TestCluster {
  const cluster = new TestCluster();
  cluster.put(RESOURCES.deployment, named('web'));
  cluster.put(RESOURCES.service, named('web'));
  cluster.put(VIRTUAL_SERVICE, virtualService());
  cluster.put(RESOURCES.rollout, rolloutObject());
  return cluster;
}

export async function condition(
  cluster: TestCluster,
  type: string,
  name = 'web',
): Promise<{ status: string; reason: string; message: string } | undefined> {
  const rollout = await cluster.get(RESOURCES.rollout, { namespace: 'shop', name });
  const list = at(rollout, ['status', 'conditions']);
  return (isList(list) ? list : []).find((entry) => stringAt(entry, 'type') === type) as never;
}

/** Waits until a condition has the status and reason, and gives its message. */
export async function becomes(
  cluster: TestCluster,
  type: string,
  status: string,
  reason: string,
  name = 'web',
): Promise<string> {
  await vi.waitFor(async () => expect(await condition(cluster, type, name)).toMatchObject({ status, reason }), 5_000);
  return (await condition(cluster, type, name))?.message ?? '';
}

export const deployment = (cluster: TestCluster) =>
  cluster.get(RESOURCES.deployment, { namespace: 'shop', name: 'web' });
export const armed = async (cluster: TestCluster) =>
  stringAt(await deployment(cluster), 'metadata', 'annotations', KEY);

/** Waits until nothing is left to do. */
export async function settled(controller: Controller, cluster: TestCluster): Promise<void> {
  let before = -1;
  await vi.waitFor(
    () => {
      const { ready, working } = controller.queueSize();
      const count = cluster.writes.length;
      const isStill = count === before;
      before = count;
      expect([ready, working, isStill]).toEqual([0, 0, true]);
    },
    { timeout: 5_000, interval: 60 },
  );
}
