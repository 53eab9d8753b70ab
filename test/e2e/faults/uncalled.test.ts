import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, isList, stringAt } from '../../../src/json/value.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { CHART } from '../../chart/rendered.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { deployment, ingress, rollout, service } from '../rollout-controller.ts';
import { scale } from './processes.ts';

const NAMESPACE = 'sluice-system';
const server = cluster();
const { client, helm } = server;
let shop = '';

beforeAll(async () => {
  const words = ['--namespace', NAMESPACE, '--create-namespace', '--take-ownership', '--wait', '--timeout=90s'];
  succeeded(await helm(['install', 'sluice', CHART, ...words, '--set', 'webhook.replicas=0']));
  shop = await server.namespace();
  await server.apply(shop, deployment(), service(), ingress(), rollout());
});
afterAll(() => helm(['uninstall', 'sluice', '--namespace', NAMESPACE, '--wait']));

/** The condition `Intercepted` of the Rollout, once it has this status. */
function intercepted(status: string) {
  return until(
    `Intercepted to be ${status}`,
    async () => {
      const conditions = at(await client.get(RESOURCES.rollout, { namespace: shop, name: 'web' }), [
        'status',
        'conditions',
      ]);
      const found = (isList(conditions) ? conditions : []).find((each) => stringAt(each, 'type') === 'Intercepted');
      return stringAt(found, 'status') === status ? found : undefined;
    },
    90,
  );
}

test('with no webhook to be called each Rollout says so after half a minute, and says when that is over', async () => {
  const told = await intercepted('False');
  expect(stringAt(told, 'reason')).toBe('WebhooksNotCalled');
  expect(stringAt(told, 'message')).toMatch(/nothing is held or rewritten now: .*not called: no webhook is ready$/);
  await scale(server, NAMESPACE, 1, ['webhook']);
  expect(stringAt(await intercepted('True'), 'reason')).toBe('Intercepted');
});
