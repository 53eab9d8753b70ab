import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { at, isList, type Json, type JsonMap } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { becomes, deployment, ingress, rollout, service } from '../rollout-controller.ts';
import { type Half, podsOfHalf } from './processes.ts';

const server = cluster();
const { kubectl, client, apply } = server;
const MUTATING = ['mutatingwebhookconfiguration', 'zz-sluice-mutating'];
const ROLES = {
  controller: { name: 'sluice-controller' },
  webhook: { name: 'sluice-webhook' },
};
let sluice: Installed;
const whole = new Map<Half, Json>();

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
  for (const half of ['controller', 'webhook'] as const) whole.set(half, await rules(half));
});
afterEach(async () => {
  for (const half of ['controller', 'webhook'] as const) await writeRules(half, whole.get(half) ?? []);
});
afterAll(() => sluice?.uninstall());

async function rules(half: Half): Promise<Json> {
  return at(await client.get(RESOURCES.clusterRole, ROLES[half]), ['rules']) ?? [];
}

async function writeRules(half: Half, value: Json): Promise<void> {
  await client.patch(RESOURCES.clusterRole, ROLES[half], 'merge', { rules: value });
}

/** Somebody takes a right away, and the processes are replaced: those that run keep the watches that they have. */
async function without(half: Half, resource: string, verb: string): Promise<void> {
  const all = whole.get(half);
  const isTaken = ({ resources, verbs }: JsonMap) =>
    isList(resources) && resources.includes(resource) && isList(verbs) && verbs.includes(verb);
  const kept = (isList(all) ? all : []).filter((rule) => !isTaken(rule as JsonMap));
  expect(kept.length).toBeLessThan(isList(all) ? all.length : 0);
  await writeRules(half, kept);
  succeeded(await kubectl(['rollout', 'restart', `deployment/sluice-${half}`, '-n', sluice.namespace]));
}

/** Waits until a pod of this half has said all of these in its log. */
function isLogged(half: Half, ...texts: string[]): Promise<boolean> {
  return until(
    `a log with ${texts.join(' and ')}`,
    async () => {
      const pods = await podsOfHalf(server, sluice.namespace, half);
      const logs = await Promise.all(
        pods.map(async ({ name }) => (await kubectl(['logs', name, '-n', sluice.namespace])).stdout),
      );
      return logs.some((log) => texts.every((text) => log.includes(text)));
    },
    60,
  );
}

test('a kind that the controller may not read is told in the Rollout, with the ClusterRole that mends it', async () => {
  await without('controller', 'ingresses', 'list');
  const shop = await server.namespace();
  await apply(shop, deployment(), service(), ingress(), rollout());
  const message = await becomes(server, shop, 'ResolvedRefs', 'False', 'MissingRights');
  expect(message).toContain('the controller may not read ingresses.networking.k8s.io');
  const role = message.slice(message.indexOf('apiVersion: rbac'));
  succeeded(await kubectl(['apply', '-f', '-'], { stdin: role }));
  try {
    await becomes(server, shop, 'Expressible', 'True', 'Expressible');
  } finally {
    succeeded(await kubectl(['delete', '-f', '-'], { stdin: role }));
  }
});

test('where the webhook configurations may not be written, the log names the right; with it they come', async () => {
  await without('controller', MUTATING[0] === undefined ? '' : `${MUTATING[0]}s`, 'patch');
  succeeded(await kubectl(['delete', ...MUTATING]));
  await isLogged('controller', 'the webhook configurations cannot be kept now', 'cannot patch resource');
  await writeRules('controller', whole.get('controller') ?? []);
  await until('it to be back', async () => (await kubectl(['get', ...MUTATING])).exitCode === 0, 60);
});

test('where the status of Rollouts may not be written, the log names the right; with it they are judged', async () => {
  await without('controller', 'rollouts/status', 'patch');
  const shop = await server.namespace();
  await apply(shop, deployment(), service(), ingress(), rollout());
  await isLogged('controller', 'cannot patch resource', 'rollouts/status');
  await writeRules('controller', whole.get('controller') ?? []);
  await becomes(server, shop, 'Expressible', 'True', 'Expressible');
});

test('a webhook that may not read Rollouts never gets ready, says why, and the others serve on', async () => {
  await without('webhook', 'rollouts', 'list');
  await isLogged('webhook', 'rollouts.rollouts.kruise.io', 'is forbidden');
  const ready = (await podsOfHalf(server, sluice.namespace, 'webhook')).filter(({ isReady }) => isReady);
  expect(ready).toHaveLength(2);
  await writeRules('webhook', whole.get('webhook') ?? []);
  const words = ['rollout', 'status', 'deployment/sluice-webhook', '-n', sluice.namespace, '--timeout=90s'];
  succeeded(await kubectl(words));
});
