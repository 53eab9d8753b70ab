import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type JsonMap, member } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { succeeded } from '../../cluster/cluster.ts';
import { CHECKOUT } from '../../cluster/settings.ts';
import { until } from '../../cluster/until.ts';
import { front } from './front.ts';
import { type Outcome, sendAll, startLoad, type Target } from './load.ts';

const { server, mesh } = front();

/** The example's own objects, word for word. */
const FIXTURES = ['virtualservice', 'destinationrule', 'rollout'].map((name) =>
  join(CHECKOUT, `test/fixtures/seed-000/${name}.yaml`),
);
const REQUESTS = 500;
const PER_SECOND = 200;
const CANARY = { version: 'canary' };

/** The example's Deployment; the probe and the hook are those of every Deployment behind a gateway. */
function deployment(page: 'base' | 'canary'): JsonMap {
  const container: JsonMap = {
    name: 'nginx',
    image: 'nginx',
    ports: [{ containerPort: 80 }],
    readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 },
    lifecycle: { preStop: { sleep: { seconds: 2 } } },
    volumeMounts: [{ name: 'html-volume', mountPath: '/usr/share/nginx/html' }],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'nginx-deployment' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'nginx' } },
      template: {
        metadata: { labels: { app: 'nginx', version: 'base' } },
        spec: {
          containers: [container],
          volumes: [{ name: 'html-volume', configMap: { name: `nginx-configmap-${page}` } }],
        },
      },
    },
  };
}

function page(name: string): JsonMap {
  const metadata = { name: `nginx-configmap-${name}` };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'index.html': `${name}\n` } };
}

const SERVICE: JsonMap = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx-service' },
  spec: { selector: { app: 'nginx' }, ports: [{ name: 'http', port: 80 }] },
};

const versionOf = (body: string): string => body.trim();

function ask(target: Target, count = REQUESTS): Promise<Outcome> {
  return sendAll(count, target, PER_SECOND, versionOf);
}

/**
 * Whether as many of the requests went to the canary as the weight says, within three standard deviations of so many
 * draws. One draw in 370 is outside by chance: then four times as many are drawn, and have to be inside.
 */
async function holdsWeight(percent: number, target: Target): Promise<Outcome> {
  const first = await ask(target);
  const outcome = isWithin(first, percent) ? first : await ask(target, 4 * REQUESTS);
  expect(outcome.failures).toEqual([]);
  expect({ ...outcome.versions, isWithin: isWithin(outcome, percent) }).toMatchObject({ isWithin: true });
  return outcome;
}

function isWithin({ sent, versions }: Outcome, percent: number): boolean {
  const share = percent / 100;
  return Math.abs((versions['canary'] ?? 0) - sent * share) <= 3 * Math.sqrt(sent * share * (1 - share));
}

test('the seed’s two steps on the wire: 20 % of the requests, then every request with the header and no other; none is lost', async () => {
  const namespace = await server.namespace();
  const rollout = { namespace, name: 'rollouts-demo' };
  await server.apply(
    namespace,
    mesh().gateway('nginx-gateway'),
    page('base'),
    page('canary'),
    deployment('base'),
    SERVICE,
  );
  succeeded(await server.kubectl(['apply', '-n', namespace, ...FIXTURES.flatMap((file) => ['-f', file])]));
  const { host: address, port } = mesh();
  const target: Target = { address, port, host: 'nginx.example' };
  const withHeader: Target = { ...target, headers: CANARY };
  await until('the gateway to lead to the base version, and the Rollout to be armed', async () => {
    const { versions, failures } = await ask(target, 10);
    const { status } = await server.client.get(RESOURCES.rollout, rollout);
    return failures.length === 0 && versions['base'] === 10 && member(status, 'phase') === 'Healthy';
  });
  const load = startLoad(target, 50, versionOf);
  const reaches = (step: number): Promise<unknown> =>
    until(
      `the pause of step ${step}`,
      async () => {
        const { status } = await server.client.get(RESOURCES.rollout, rollout);
        const canary = member(status, 'canaryStatus');
        return member(canary, 'currentStepIndex') === step && member(canary, 'currentStepState') === 'StepPaused';
      },
      60,
    );
  const approve = (step: number): Promise<unknown> => {
    const status = { canaryStatus: { currentStepState: 'StepReady' }, release: { approvedStep: step } };
    return server.client.patch(RESOURCES.rollout, rollout, 'merge', { status }, { subresource: 'status' });
  };

  await server.apply(namespace, deployment('canary'));
  await reaches(1);
  await holdsWeight(20, target);

  await approve(1);
  await reaches(2);
  expect((await ask(withHeader)).versions).toEqual({ canary: REQUESTS });
  expect((await ask(target)).versions).toEqual({ base: REQUESTS });

  await approve(2);
  await until('all requests to be answered by the new version', async () => {
    return (await ask(target, 10)).versions['canary'] === 10;
  });
  await until('the release to be over', async () => {
    const { status } = await server.client.get(RESOURCES.rollout, rollout);
    return member(status, 'phase') === 'Healthy';
  });
  expect((await load.stop()).failures).toEqual([]);
});
