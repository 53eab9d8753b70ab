import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonMap } from '../../../src/json/value.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { type Mesh, startMesh } from '../../cluster/mesh/mesh.ts';
import { type Installed, installSluice } from '../installed.ts';
import { routing, type Shop } from '../release/shop.ts';
import { withoutLoss } from './watched.ts';

const server = cluster();
let mesh: Mesh;
let sluice: Installed;

beforeAll(async () => {
  mesh = await startMesh(server);
  sluice = await installSluice(server);
});
afterAll(async () => {
  await sluice?.uninstall();
  await mesh?.stop();
});

const STEPS: JsonMap[] = [
  { traffic: '20%', replicas: '25%', pause: {} },
  { traffic: '50%', replicas: '50%', pause: {} },
  { replicas: '100%' },
];
const STYLES: Record<string, JsonMap> = {
  partition: { canary: { steps: STEPS, trafficRoutings: [routing] } },
  canary: { canary: { enableExtraWorkloadForCanary: true, steps: STEPS, trafficRoutings: [routing] } },
  'blue-green': {
    blueGreen: {
      steps: [
        { replicas: '50%', traffic: '20%', pause: {} },
        { replicas: '100%', traffic: '100%', pause: {} },
      ],
      trafficRoutings: [routing],
      scaleDownDelaySeconds: 2,
    },
  },
};

/** Approves both pauses, from the first on. */
async function onToTheEnd(shop: Shop): Promise<void> {
  await shop.reaches(1, 'StepPaused', 60);
  await shop.approve();
  await shop.reaches(2, 'StepPaused', 60);
  await shop.approve();
  await shop.ends('Success', 90);
}

const STORIES: Record<string, (shop: Shop) => Promise<void>> = {
  async 'a whole release'(shop) {
    await shop.release('v2');
    await onToTheEnd(shop);
  },
  async 'the old version again in each pause'(shop) {
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused', 60);
    await shop.release('v1');
    await shop.ends('Rollback', 60);
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused', 60);
    await shop.approve();
    await shop.reaches(2, 'StepPaused', 60);
    await shop.release('v1');
    await shop.ends('Rollback', 60);
  },
  async 'a third version in the place of the second'(shop) {
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused', 60);
    await shop.approve();
    await shop.reaches(2, 'StepPaused', 60);
    await shop.release('v3');
    await onToTheEnd(shop);
  },
  async 'fewer replicas in the middle'(shop) {
    await shop.release('v2');
    await shop.reaches(1, 'StepPaused', 60);
    succeeded(await server.kubectl(['scale', 'deployment/web', '--replicas=3', '-n', shop.namespace]));
    await shop.approve();
    await shop.reaches(2, 'StepPaused', 60);
    succeeded(await server.kubectl(['scale', 'deployment/web', '--replicas=2', '-n', shop.namespace]));
    await shop.approve();
    await shop.ends('Success', 90);
  },
};

describe.each(Object.entries(STYLES))('%s', (_style, strategy) => {
  test.concurrent.each(Object.entries(STORIES))(
    'no request is lost: %s',
    { timeout: 300_000 },
    async (_name, story) => {
      const outcome = await withoutLoss({ cluster: server, mesh }, { strategy, replicas: 4 }, story);
      expect(outcome.versions['v1']).toBeGreaterThan(0);
    },
  );
});
