import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, type JsonMap } from '../../../src/json/value.ts';
import { cluster } from '../../cluster/cluster.ts';
import { until } from '../../cluster/until.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields } from '../ownership.ts';
import { backToNormal } from './normal.ts';
import { openShop, routingOf } from './shop.ts';
import { STYLES, strategyOf } from './strategies.ts';
import { watchTraffic } from './traffic.ts';

const server = cluster();
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(() => sluice?.uninstall());
afterAll(() => expectNoTakenFields(server.client));

test('ten releases at once, of all styles: each goes its way, and the traffic of each has its pods all the time', async () => {
  const shops = await Promise.all(
    Array.from({ length: 10 }, (_, index) => {
      const strategy = strategyOf(STYLES[index % STYLES.length] ?? 'canary', { pause: {} });
      return openShop(server, { strategy, replicas: 2 });
    }),
  );
  const watches = shops.map((shop) => watchTraffic(shop));
  await Promise.all(
    shops.map(async (shop, index) => {
      const isTakenBack = index % 4 === 3;
      await shop.release('v2');
      await shop.reaches(1, 'StepPaused', 90);
      await shop.approve();
      await shop.reaches(2, 'StepPaused', 90);
      if (isTakenBack) await shop.release('v1');
      else await shop.request({}, { request: 'promote' });
      await shop.ends(isTakenBack ? 'Rollback' : 'Success', 90);
      await backToNormal(server, shop, { version: isTakenBack ? 'v1' : 'v2' });
    }),
  );
  // Objects that move while they are read cannot be judged: on a busy machine most looks are such.
  await until('looks at the traffic of each', () => watches.every(({ looks }) => looks() > 5));
  await Promise.all(watches.map(({ stop }) => stop()));
  for (const { problems } of watches) expect(problems).toEqual([]);
});

/** One rule for each Service, with a path of its own. */
function routes(...services: string[]): JsonMap {
  const http = services.map((host) => ({
    match: [{ uri: { prefix: `/${host}` } }],
    route: [{ destination: { host } }],
  }));
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { name: 'web' },
    spec: { hosts: ['web'], http },
  };
}

test.each([
  ['partition', 'blue-green'],
  ['canary', 'partition'],
] as const)(
  'two Rollouts (%s, %s) on one VirtualService: each moves its own rule, whatever the other does',
  async (first, second) => {
    const gateway = routes('cart', 'search');
    const open = (name: string, style: (typeof STYLES)[number], namespace?: string) => {
      const strategy = strategyOf(style, { pause: {}, routing: routingOf(name, 'web') });
      return openShop(server, {
        ...{ name, strategy, gateway, replicas: 2 },
        ...(namespace === undefined ? {} : { namespace }),
      });
    };
    const cart = await open('cart', first);
    const search = await open('search', second, cart.namespace);
    const names = ['cart', 'search'];
    const rules = async () => at((await cart.gateway())['spec'], ['http']) as JsonMap[];
    const [cartBefore, searchBefore] = await rules();

    await cart.release('v2');
    await cart.reaches(1, 'StepPaused');
    expect(await cart.weights()).toEqual({ cart: 80, 'cart-canary': 20 });
    expect((await rules())[1]).toEqual(searchBefore);

    await search.release('v2');
    await search.reaches(1, 'StepPaused');
    await search.approve();
    await search.reaches(2, 'StepPaused');
    expect(await search.weights()).toEqual({ search: 50, 'search-canary': 50 });
    expect(await cart.weights()).toEqual({ cart: 80, 'cart-canary': 20 });

    await cart.release('v1');
    await cart.ends('Rollback');
    expect((await rules())[0]).toEqual(cartBefore);
    expect(await search.weights()).toEqual({ search: 50, 'search-canary': 50 });

    await cart.release('v3');
    await cart.reaches(1, 'StepPaused');
    expect(await cart.weights()).toEqual({ cart: 80, 'cart-canary': 20 });
    await search.request({}, { request: 'promote' });
    await search.ends('Success');
    expect((await rules())[1]).toEqual(searchBefore);
    expect(await cart.weights()).toEqual({ cart: 80, 'cart-canary': 20 });

    await cart.request({}, { request: 'promote' });
    await cart.ends('Success');
    await backToNormal(server, cart, { version: 'v3', names });
    await backToNormal(server, search, { version: 'v2', names });
  },
);
