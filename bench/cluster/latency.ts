import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RESOURCES } from '../../src/kube/resource.ts';
import { writeCertificates } from '../../src/tls/folder.ts';
import { issueLocal, validFor } from '../../src/tls/generate.ts';
import { until } from '../../test/cluster/until.ts';
import type { ServerReady } from '../admission/messages.ts';
import { percentile } from '../statistics.ts';
import { announce, type BenchCluster, withCluster } from './bench-cluster.ts';
import { callTimes, callTimesBetween } from './call-times.ts';
import { NAMESPACES, OUTSIDE, prepareObjects, VARIANTS, type Variant } from './latency-objects.ts';
import { PATCHES, type PatchName } from './patches.ts';
import { openPatcher, type Patcher } from './patching.ts';
import { type SluiceProcess, type SluiceProgram, startSluice } from './sluice-process.ts';

export type LatencyOptions = {
  readonly folder: string;
  readonly program: SluiceProgram;
  readonly rounds: number;
  readonly say: (line: string) => void;
};

/** Milliseconds of one kind of patch on one object. */
export type Times = { readonly p50: number; readonly p99: number };

export type Latency = {
  readonly patch: PatchName;
  readonly rounds: number;
  readonly times: Readonly<Record<Variant, Times>>;
  /** Mean milliseconds of a call as the API server sees it, from its own metrics. */
  readonly calls: Readonly<Record<'bare' | 'sluice', number>>;
  /** Mean milliseconds from a review's head to its answer, by the webhook's own clock. */
  readonly insideSluice: number;
  /** CPU time of the webhook process for each review, in milliseconds. */
  readonly sluiceCpu: number;
};

/** Compilers are still at work after thousands of requests. */
const WARM_UP_SHARE = 2;
const BARE = { address: '10.244.9.3', service: 'bare-webhook' } as const;

/**
 * Dry-run patches of equal objects, in turns: each round sends one to each object, in an order of its own. All that is
 * different between the objects is which webhook the API server calls for them.
 */
export function measureLatency({ folder, program, rounds, say }: LatencyOptions): Promise<Latency[]> {
  return withCluster(folder, OUTSIDE, async (cluster) => {
    say('latency: starting Sluice');
    const webhook = await startWebhook(cluster, program);
    const bare = await startBare(cluster);
    const patcher = openPatcher(cluster);
    try {
      await prepareObjects(cluster, await cluster.accounts());
      cluster.pauseControllers();
      await checkCalls(patcher, webhook, cluster);
      const found: Latency[] = [];
      for (const patch of Object.keys(PATCHES) as PatchName[]) {
        say(`latency: ${patch}`);
        await timesOf(patcher, patch, rounds * WARM_UP_SHARE, 0);
        found.push(await measurePatch(cluster, patcher, webhook, patch, rounds));
      }
      return found;
    } finally {
      patcher.close();
      bare.kill();
      await webhook.stop();
    }
  });
}

/**
 * Starts both halves, and ends the controller when the webhook is called: it would end the release of a Rollout that is
 * not there.
 */
async function startWebhook(cluster: BenchCluster, program: SluiceProgram): Promise<SluiceProcess> {
  const accounts = await cluster.accounts();
  const env = { SLUICE_EXCLUDED_NAMESPACES: OUTSIDE.join() };
  const start = (half: 'controller' | 'webhook') =>
    startSluice({ program, half, kubeconfig: accounts[half], log: join(cluster.folder, `${half}.log`), env });
  const controller = start('controller');
  const webhook = start('webhook');
  await until('the webhook to be ready', () => webhook.isReady(), 60);
  const name = { name: 'zz-sluice-mutating' };
  await until('the webhook configurations', () => cluster.client.get(RESOURCES.mutatingWebhookConfiguration, name), 60);
  await controller.stop();
  return webhook;
}

/** A webhook that allows everything, called for one namespace. */
async function startBare(cluster: BenchCluster) {
  const folder = join(cluster.folder, 'bare');
  const namespace = NAMESPACES.bare;
  await cluster.kubectl(['create', 'namespace', namespace]);
  const issued = await issueLocal([`${BARE.service}.${namespace}.svc`], validFor(1, new Date(Date.now() - 60_000)));
  writeCertificates(folder, issued);
  const server = fork(fileURLToPath(new URL('../admission/bare-server.ts', import.meta.url)), [folder, BARE.address]);
  const { port } = await new Promise<ServerReady>((resolve, reject) => {
    server.once('message', (message) => resolve(message as ServerReady)); // its first message
    server.once('exit', (code) => reject(new Error(`the bare webhook ended with code ${code}`)));
  });
  const { client } = cluster;
  await client.create(RESOURCES.service, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: BARE.service, namespace } },
    spec: { ports: [{ name: 'https', port: 443, targetPort: port }] },
  });
  await announce(cluster, { namespace, ...BARE, port });
  await client.create(RESOURCES.mutatingWebhookConfiguration, bareConfiguration(issued.authority.certificate));
  return server;
}

function bareConfiguration(authority: string) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'bench-bare' },
    webhooks: [
      {
        name: 'bare.example.com',
        clientConfig: {
          service: { namespace: NAMESPACES.bare, name: BARE.service, port: 443, path: '/' },
          caBundle: Buffer.from(authority).toString('base64'),
        },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 10,
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': NAMESPACES.bare } },
        rules: [
          {
            apiGroups: ['networking.istio.io'],
            apiVersions: ['v1beta1'],
            resources: ['virtualservices'],
            operations: ['CREATE', 'UPDATE'],
            scope: 'Namespaced',
          },
        ],
      },
    ],
  };
}

/** Holds that each webhook is called for its own object and for no other. @throws when not */
async function checkCalls(patcher: Patcher, webhook: SluiceProcess, cluster: BenchCluster): Promise<void> {
  const wanted: Readonly<Record<Variant, readonly [number, number]>> = {
    ...{ none: [0, 0], bare: [0, 1], sluice: [1, 0], apart: [0, 0], away: [0, 0] },
  };
  // The API server learns of configurations by a watch.
  for (const variant of VARIANTS) {
    await until(`${variant} to be patched as it should`, async () => {
      const before = await callTimes(cluster, webhook);
      await patcher.send(PATCHES.label(variant, 0));
      const { sluice, bare } = callTimesBetween(before, await callTimes(cluster, webhook));
      return sluice.count === wanted[variant][0] && bare.count === wanted[variant][1];
    });
  }
}

async function measurePatch(
  cluster: BenchCluster,
  patcher: Patcher,
  webhook: SluiceProcess,
  patch: PatchName,
  rounds: number,
): Promise<Latency> {
  const [before, cpu] = [await callTimes(cluster, webhook), webhook.cpu()];
  const times = await timesOf(patcher, patch, rounds, rounds * WARM_UP_SHARE);
  const sluiceCpu = (webhook.cpu() - cpu) / rounds;
  const { sluice, bare, inside } = callTimesBetween(before, await callTimes(cluster, webhook));
  if (sluice.count !== rounds || bare.count !== rounds || inside.count !== rounds) {
    throw new Error(`${rounds} rounds made ${sluice.count} calls of Sluice and ${bare.count} of the bare webhook`);
  }
  const percentiles = Object.fromEntries(
    VARIANTS.map((variant) => {
      const values = times[variant];
      return [variant, { p50: percentile(values, 50), p99: percentile(values, 99) }];
    }),
  ) as Record<Variant, Times>; // of every variant
  return {
    ...{ patch, rounds, times: percentiles, sluiceCpu },
    calls: { sluice: sluice.mean, bare: bare.mean },
    insideSluice: inside.mean,
  };
}

/** @param from the number of the first patch: each is another, so that none can be remembered as a whole */
async function timesOf(patcher: Patcher, patch: PatchName, rounds: number, from: number) {
  const times = Object.fromEntries(VARIANTS.map((variant) => [variant, []])) as unknown as Record<Variant, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (const variant of shuffled(VARIANTS)) {
      times[variant].push(await patcher.time(PATCHES[patch](variant, from + round)));
    }
  }
  return times;
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
