import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { at, type Json } from '../../../src/json/value.ts';
import { cluster, succeeded } from '../../cluster/cluster.ts';
import { environment } from '../../cluster/settings.ts';
import { until } from '../../cluster/until.ts';
import { type Action, anyAction, ENDINGS, type Ending, finish, type Situation } from '../../release/actions.ts';
import { leader, leaseTransitions } from '../faults/processes.ts';
import { type Installed, installSluice } from '../installed.ts';
import { expectNoTakenFields, takenFields } from '../ownership.ts';
import { backToNormal } from './normal.ts';
import { openShop, type Shop, virtualServiceOf } from './shop.ts';
import { stageOf } from './stage.ts';
import { STYLES, type Style, strategyOf } from './strategies.ts';
import { watchTraffic } from './traffic.ts';

/** Shops of each style, and sequences that each of them goes through, one after the other. */
const [SHOPS, SEQUENCES] = [2, Number(environment['SLUICE_MODEL_SEQUENCES'] ?? 4)];
const REPLICAS = 3;

const server = cluster();
let sluice: Installed;

beforeAll(async () => {
  sluice = await installSluice(server, { gateways: ['istio'] });
});
afterAll(() => sluice?.uninstall());
afterAll(() => expectNoTakenFields(server.client));

type Sequence = { readonly actions: readonly Action[]; readonly ending: Ending };

const sequences: fc.Arbitrary<Sequence> = fc.record({
  actions: fc.array(anyAction({ replicas: 4, seconds: 4 }), { minLength: 5, maxLength: 12 }),
  ending: fc.constantFrom(...ENDINGS),
});

let restarting: Promise<void> | undefined;

/** Many ask for it at the same time, and one new leader is enough for them. */
function restart(): Promise<void> {
  restarting ??= replaceLeader().finally(() => {
    restarting = undefined;
  });
  return restarting;
}

async function replaceLeader(): Promise<void> {
  const transitions = await leaseTransitions(server, sluice.namespace);
  const pod = await leader(server, sluice.namespace);
  succeeded(await server.kubectl(['delete', 'pod', pod, '-n', sluice.namespace, '--wait=false']));
  const isOther = async () => (await leaseTransitions(server, sluice.namespace)) > transitions;
  await until('another leader', isOther, 60);
}

async function play(style: Style, sampled: readonly Sequence[]): Promise<void> {
  const strategy = strategyOf(style, { pause: {} });
  const shop = await openShop(server, {
    strategy,
    replicas: REPLICAS,
    scaledBy: 'autoscaler',
    gateway: virtualServiceOf('web'),
  });
  const situation: Situation = {
    stage: stageOf(server, shop, restart),
    ...{ version: 'v1', replicas: REPLICAS, timeout: 0, disturbed: 0 },
  };
  const watch = watchTraffic(shop, () => (performance.now() > situation.disturbed ? Number.POSITIVE_INFINITY : 0));
  try {
    for (const { actions, ending } of sampled) {
      const log: string[] = [];
      const story = () => `${style} in ${shop.namespace}: ${log.join(', ')}`;
      const begin = performance.now();
      const told = async (name: string, run: () => Promise<void>) => {
        log.push(`${((performance.now() - begin) / 1000).toFixed(1)} s ${name}`);
        await run();
        expect(watch.problems, story()).toEqual([]);
        expect(await editProblems(shop, situation.timeout), story()).toEqual([]);
        expect(await takenFields(server.client, shop.namespace), story()).toEqual([]);
      };
      try {
        for (const action of actions) await told(action.name, () => action.run(situation));
        await told(`go ${ending}`, () => finish(situation, ending, 150));
        const { version, replicas } = situation;
        await backToNormal(server, shop, { version, replicas, gateway: gatewayOf(shop, situation.timeout) });
        // How often traffic could be judged on the way is chance: actions disturb it. Here nothing does.
        const looks = watch.looks();
        await until('a look at the traffic', () => watch.looks() > looks);
        expect(watch.problems, story()).toEqual([]);
      } finally {
        process.stderr.write(`${story()}; ${((performance.now() - begin) / 1000).toFixed(1)} s in all\n`);
      }
    }
  } finally {
    await watch.stop();
    process.stderr.write(`${style} in ${shop.namespace}: ${watch.looks()} looks at calm traffic\n`);
  }
}

/** P4: the timeout that was given last is in effect. */
async function editProblems(shop: Shop, timeout: number): Promise<string[]> {
  const found = at(await shop.gateway(), ['spec', 'http', 0, 'timeout']);
  return timeout === 0 || found === `${timeout}s` ? [] : [`the timeout is ${found}, and was set to ${timeout} s`];
}

function gatewayOf({ name }: Shop, timeout: number): Json {
  return virtualServiceOf(name, timeout === 0 ? {} : { timeout: `${timeout}s` })['spec'] ?? null;
}

test(`${STYLES.length * SHOPS * SEQUENCES} random sequences of what users do: traffic has its pods, edits stay, nobody's field is taken, there is a way on and back`, async () => {
  const sampled = fc.sample(sequences, STYLES.length * SHOPS * SEQUENCES);
  const lanes = STYLES.flatMap((style) => Array.from({ length: SHOPS }, () => style));
  // The others go on when one fails: each failure is told with its own story.
  const played = await Promise.allSettled(
    lanes.map((style, lane) => play(style, sampled.slice(lane * SEQUENCES, (lane + 1) * SEQUENCES))),
  );
  expect(played.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []))).toEqual([]);
}, 600_000);
