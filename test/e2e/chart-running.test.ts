import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { PREDECESSOR } from '../../src/registration/predecessor.ts';
import { directiveKey } from '../../src/rewrite/directive.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import { until } from '../cluster/until.ts';
import { service } from './drift/objects.ts';
import { directivePatch } from './drift/steering.ts';
import { type OwnController, startOwnController } from './faults/own-process.ts';
import { type Half, podsOfHalf, scale } from './faults/processes.ts';
import { renamed } from './faults/shop.ts';
import { type Installed, installSluice } from './installed.ts';

const server = cluster();
const { kubectl, helm, apply } = server;
const HALVES: readonly Half[] = ['webhook', 'controller'];
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server);
});
afterAll(() => sluice?.uninstall());

const helmTest = () => helm(['test', 'sluice', '--namespace', sluice.namespace, '--timeout=60s']);

test('helm test succeeds after an installation, and leaves nothing behind', async () => {
  const { stdout, exitCode } = await helmTest();
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/Phase: +Succeeded/) });
  expect((await kubectl(['get', 'pod', 'sluice-test-webhook', '-n', sluice.namespace])).stderr).toContain('not found');
});

test.each(HALVES)('the two pods of the %s are on two nodes', async (half) => {
  const nodes = (await podsOfHalf(server, sluice.namespace, half)).map(({ node }) => node);
  expect(nodes).toHaveLength(2);
  expect(new Set(nodes).size).toBe(2);
});

test.each(HALVES)('one pod of the %s may be evicted, and no second one meanwhile', async (half) => {
  const evict = (name: string) => {
    const path = `/api/v1/namespaces/${sluice.namespace}/pods/${name}/eviction`;
    const metadata = { namespace: sluice.namespace, name };
    const stdin = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata });
    return kubectl(['create', '--raw', path, '-f', '-'], { stdin });
  };
  const [one, other] = await podsOfHalf(server, sluice.namespace, half);
  succeeded(await evict(one?.name ?? ''));
  const { exitCode, stderr } = await evict(other?.name ?? '');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('disruption budget');
  const words = ['rollout', 'status', `deployment/sluice-${half}`, '-n', sluice.namespace, '--timeout=60s'];
  succeeded(await kubectl(words));
});

test('a controller beside the manager of OpenKruise Rollouts ends, and says what to run; after that it stays', async () => {
  const home = await server.namespace();
  const labels = { 'control-plane': PREDECESSOR.deployment };
  const spec = { containers: [{ name: 'manager', image: 'echo:1' }] };
  const webhooks = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration' };
  await apply(
    home,
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: PREDECESSOR.deployment },
      spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    { ...webhooks, metadata: { name: PREDECESSOR.mutatingConfiguration } },
  );
  const commands = [
    `kubectl -n ${home} scale deployment ${PREDECESSOR.deployment} --replicas=0`,
    `kubectl delete mutatingwebhookconfiguration ${PREDECESSOR.mutatingConfiguration}`,
  ];
  const refused = await startBeside('beside');
  try {
    expect(await until('it to end', () => refused.exitCode() ?? undefined)).toBe(2);
    const log = refused.log();
    for (const text of ['OpenKruise Rollouts', 'docs/migrate-from-kruise-rollouts.md', ...commands]) {
      expect(log).toContain(text);
    }
  } finally {
    for (const command of commands) succeeded(await kubectl(command.split(' ').slice(1)));
  }
  // The manager's pods may take a moment to end.
  await until('a controller that stays', async () => {
    const next = await startBeside('after');
    try {
      return await until('an end or readiness', async () => {
        if (next.exitCode() !== null) return 'ended' as const;
        return (await fetch(`http://${ADDRESS}:8080/readyz`)).ok && ('ready' as const);
      }).then((state) => state === 'ready');
    } finally {
      await next.stop();
    }
  });
});

/** Of a pod that nobody has. */
const ADDRESS = '10.244.200.77';

/** A controller with the rights of the chart's, outside of any pod. */
function startBeside(name: string): Promise<OwnController> {
  const { clusters } = JSON.parse(readFileSync(server.kubeconfig, 'utf8'));
  const url = clusters[0].cluster.server as string;
  const proxy = { url, authority: readFileSync(server.facts.authority, 'utf8') };
  return startOwnController(server, { namespace: sluice.namespace, proxy, name, address: ADDRESS });
}

test('with all pods down, what is in a release is held back, but nothing in kube-system or the namespace of Sluice', async () => {
  const shop = await server.namespace();
  await scale(server, sluice.namespace, 0);
  const inRelease = (namespace: string): JsonMap => {
    const { metadata } = directivePatch(namespace, 1, service.steps[0]);
    const object = renamed(service.source, 'held');
    return { ...object, metadata: { ...(object['metadata'] as JsonMap), ...(metadata as JsonMap) } };
  };
  const write = (namespace: string) =>
    kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: JSON.stringify(inRelease(namespace)) });

  expect((await write(shop)).stderr).toContain('failed calling webhook');
  for (const namespace of ['kube-system', sluice.namespace]) {
    const written = succeeded(await write(namespace));
    expect(written).toContain('service/held created');
    const stored = succeeded(await kubectl(['get', 'service', 'held', '-n', namespace, '-o', 'json']));
    expect(stored).toContain(directiveKey('web'));
    succeeded(await kubectl(['delete', 'service', 'held', '-n', namespace]));
  }
  // With nobody there to answer, a test that succeeded would say nothing.
  expect((await helmTest()).exitCode).toBe(1);
  await kubectl(['delete', 'pod', 'sluice-test-webhook', '-n', sluice.namespace, '--ignore-not-found']);
});
