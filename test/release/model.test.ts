import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, type JsonMap } from '../../src/json/value.ts';
import { environment } from '../cluster/settings.ts';
import { anyAction, ENDINGS, finish, type Situation } from './actions.ts';
import { leftovers, ownershipProblems, trafficProblems } from './invariants.ts';
import { openWorld, ROUTING, type World } from './world.ts';

const WEB = { namespace: 'shop', name: 'web' };

const partition = (pause: JsonMap): JsonMap => ({
  canary: {
    steps: [
      { traffic: '10%', replicas: 1, pause },
      { traffic: '20%', replicas: '20%', pause },
      { traffic: '50%', replicas: '50%', pause },
      { replicas: '100%' },
    ],
    trafficRoutings: [ROUTING],
  },
});
const canary = (pause: JsonMap): JsonMap => ({
  canary: { ...(partition(pause)['canary'] as JsonMap), enableExtraWorkloadForCanary: true },
});
const blueGreen = (pause: JsonMap): JsonMap => ({
  blueGreen: {
    steps: [
      { replicas: '50%', traffic: '0%', pause },
      { replicas: '100%', traffic: '50%', pause },
      { replicas: '100%', traffic: '100%', pause },
    ],
    trafficRoutings: [ROUTING],
    scaleDownDelaySeconds: 5,
  },
});
const STYLES = { partition, canary, blueGreen };

test('whatever users do, in whatever order: traffic has its pods, edits stay, and in the end everything is theirs again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<keyof typeof STYLES>('partition', 'canary', 'blueGreen'),
      fc.boolean(),
      fc.array(anyAction({ replicas: 12, seconds: 15 }), { minLength: 5, maxLength: 25 }),
      fc.constantFrom(...ENDINGS),
      fc.integer({ min: 1, max: 1_000_000 }),
      async (style, isTimed, sequence, ending, seed) => {
        const strategy = STYLES[style](isTimed ? { duration: 5 } : {});
        const log: string[] = [];
        const problems: string[] = [];
        let situation: Situation | undefined;
        const onRest = (world: World) => {
          if (situation === undefined || problems.length > 0) return;
          if (world.clock.monotonic() > situation.disturbed) problems.push(...trafficProblems(world.traffic()));
          const timeout = at(world.cluster.read(VIRTUAL_SERVICE, WEB), ['spec', 'http', 0, 'timeout']);
          if (situation.timeout > 0 && timeout !== `${situation.timeout}s`) problems.push(`the timeout is ${timeout}`);
          if (problems.length > 0) problems.push(`at ${world.clock.monotonic()} ms`);
        };
        const world = await openWorld({ strategy, native: { seed }, onRest });
        const story = () => `${style} ${log.join(', ')}\n${world.cluster.story.slice(-80).join('\n')}`;
        try {
          situation = { stage: world, version: 'v1', replicas: 10, timeout: 0, disturbed: 0 };
          for (const action of sequence) {
            log.push(action.name);
            await action.run(situation);
            await world.pass(0.1);
            expect(problems, story()).toEqual([]);
          }
          log.push(`go ${ending}`);
          await finish(situation, ending).catch((error: unknown) => {
            throw new Error(`${error}\n${JSON.stringify(world.logged.slice(-3))}\n${story()}`);
          });
          expect(problems, story()).toEqual([]);
          expect(world.ready(), story()).toEqual({ [situation.version]: situation.replicas });
          expect(world.weights(), story()).toEqual({ web: 100 });
          expect([...leftovers(world), ...ownershipProblems(world.cluster.requests)], story()).toEqual([]);
          expect(
            world.logged.filter((entry) => JSON.stringify(entry).includes('failed')),
            story(),
          ).toEqual([]);
        } finally {
          await world.close();
        }
      },
    ),
    { ...replay, numRuns: Number(environment['SLUICE_MODEL_RUNS'] ?? 300) },
  );
}, 300_000);

const replay =
  environment['SLUICE_MODEL_REPLAY'] === undefined ? {} : (JSON.parse(environment['SLUICE_MODEL_REPLAY']) as object);
