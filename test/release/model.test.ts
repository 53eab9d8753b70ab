import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VIRTUAL_SERVICE } from '../../src/controller/cluster.testing.ts';
import { at, type JsonMap, member } from '../../src/json/value.ts';
import { RESOURCES } from '../../src/kube/resource.ts';
import { environment } from '../cluster/settings.ts';
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

/** What users do, and what happens to them. */
type Action = { readonly name: string; readonly run: (situation: Situation) => void | Promise<void> };

type Situation = {
  readonly world: World;
  version: string;
  replicas: number;
  timeout: number;
  /** Pods were taken or asked for: until when the pods that traffic needs may be missing. */
  disturbed: number;
};

const disturb = (situation: Situation) => {
  situation.disturbed = situation.world.clock.monotonic() + 12_000;
};

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('v1', 'v2', 'v3').map(release) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 12 }).map(scale) },
  { weight: 1, arbitrary: fc.constant(scale(0)) },
  { weight: 5, arbitrary: fc.constant(approve()) },
  { weight: 1, arbitrary: fc.boolean().map(paused) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map(jump) },
  { weight: 2, arbitrary: fc.constantFrom<'source' | 'hand'>('source', 'hand').map(edit) },
  { weight: 1, arbitrary: fc.constant(deletePod()) },
  { weight: 1, arbitrary: fc.constantFrom<'abort' | 'retry' | 'promote'>('abort', 'retry', 'promote').map(request) },
  { weight: 1, arbitrary: fc.constant(restart()) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 8 }).map(recreate) },
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 15 }).map(wait) },
);

function release(version: string): Action {
  return {
    name: `apply ${version}`,
    run: (situation) => {
      situation.version = version;
      situation.world.release(version);
    },
  };
}

function scale(replicas: number): Action {
  return {
    name: `scale to ${replicas}`,
    run: (situation) => {
      disturb(situation);
      situation.replicas = replicas;
      situation.world.scale(replicas);
    },
  };
}

function approve(): Action {
  return {
    name: 'approve',
    run: ({ world }) => {
      if (world.stands().endsWith('StepPaused')) world.approve();
    },
  };
}

function paused(isPaused: boolean): Action {
  return {
    name: isPaused ? 'pause' : 'resume',
    run: ({ world }) => {
      const strategy = member(world.rollout()['spec'], 'strategy') as JsonMap;
      const { paused: _, ...rest } = strategy;
      world.plan(isPaused ? { ...rest, paused: true } : rest);
    },
  };
}

function jump(step: number): Action {
  return {
    name: `jump to ${step}`,
    run: ({ world }) => {
      if (/^\d+ Step/.test(world.stands())) world.request({ nextStepIndex: step });
    },
  };
}

/** The user's timeout in the VirtualService has to be there at any time from then on. */
function edit(from: 'source' | 'hand'): Action {
  return {
    name: `edit the gateway from ${from}`,
    run: (situation) => {
      const timeout = ++situation.timeout;
      const { cluster } = situation.world;
      if (from === 'hand') {
        cluster.edit(VIRTUAL_SERVICE, WEB, (live) => {
          const [rule, ...others] = at(live, ['spec', 'http']) as JsonMap[];
          return {
            ...live,
            spec: { ...(live['spec'] as JsonMap), http: [{ ...rule, timeout: `${timeout}s` }, ...others] },
          };
        });
        return;
      }
      cluster.apply({
        apiVersion: 'networking.istio.io/v1beta1',
        kind: 'VirtualService',
        metadata: WEB,
        spec: { hosts: ['web'], http: [{ timeout: `${timeout}s`, route: [{ destination: { host: 'web' } }] }] },
      });
    },
  };
}

function deletePod(): Action {
  return {
    name: 'delete a pod',
    run: (situation) => {
      const [pod] = situation.world.cluster.list(RESOURCES.pod, 'shop');
      if (pod === undefined) return;
      disturb(situation);
      situation.world.cluster.erase(RESOURCES.pod, { namespace: 'shop', name: String(at(pod, ['metadata', 'name'])) });
    },
  };
}

function request(what: 'abort' | 'retry' | 'promote'): Action {
  return {
    name: what,
    run: ({ world }) => {
      if (member(world.status(), 'phase') === 'Progressing') world.request({}, { request: what });
    },
  };
}

function restart(): Action {
  return { name: 'restart the controller', run: ({ world }) => world.restart() };
}

/** The Rollout is deleted, perhaps in the middle of a release, and created again from its source. */
function recreate(seconds: number): Action {
  return {
    name: `delete the Rollout, and create it again after ${seconds} s`,
    run: async ({ world }) => {
      const strategy = member(world.rollout()['spec'], 'strategy') as JsonMap;
      world.cluster.erase(RESOURCES.rollout, WEB);
      await world.pass(seconds);
      world.plan(strategy);
    },
  };
}

function wait(seconds: number): Action {
  return { name: `wait ${seconds} s`, run: ({ world }) => world.pass(seconds) };
}

test('whatever users do, in whatever order: traffic has its pods, edits stay, and in the end everything is theirs again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<keyof typeof STYLES>('partition', 'canary', 'blueGreen'),
      fc.boolean(),
      fc.array(actions, { minLength: 5, maxLength: 25 }),
      fc.integer({ min: 1, max: 1_000_000 }),
      async (style, isTimed, sequence, seed) => {
        const strategy = STYLES[style](isTimed ? { duration: 5 } : {});
        const log: string[] = [];
        const problems: string[] = [];
        let situation: Situation | undefined;
        const onRest = (world: World) => {
          if (situation === undefined || problems.length > 0) return;
          if (world.clock.monotonic() > situation.disturbed) problems.push(...trafficProblems(world));
          const timeout = at(world.cluster.read(VIRTUAL_SERVICE, WEB), ['spec', 'http', 0, 'timeout']);
          if (situation.timeout > 0 && timeout !== `${situation.timeout}s`) problems.push(`the timeout is ${timeout}`);
          if (problems.length > 0) problems.push(`at ${world.clock.monotonic()} ms`);
        };
        const world = await openWorld({ strategy, native: { seed }, onRest });
        const story = () => `${style} ${log.join(', ')}\n${world.cluster.story.slice(-80).join('\n')}`;
        try {
          situation = { world, version: 'v1', replicas: 10, timeout: 0, disturbed: 0 };
          for (const action of sequence) {
            log.push(action.name);
            await action.run(situation);
            await world.pass(0.1);
            expect(problems, story()).toEqual([]);
          }
          if (situation.replicas === 0) await scale(5).run(situation);
          await paused(false).run(situation);
          await finished(situation);
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

/** Approves, and retries what was aborted, until everything has come to its end. */
async function finished({ world }: Situation): Promise<void> {
  for (let i = 0; i < 400; i++) {
    await world.pass(1);
    const { message } = world.status();
    if (String(message).includes('kubectl sluice retry')) world.request({}, { request: 'retry' });
    else if (world.stands().endsWith('StepPaused')) world.approve();
    const isRest = world.stands() === 'Healthy' || world.stands() === 'Initial';
    if (isRest) {
      await world.pass(5);
      if (world.stands() === 'Healthy') return;
    }
  }
  const state = {
    status: world.status(),
    logged: world.logged.slice(-3).map((entry) => JSON.stringify(entry)),
    requests: world.cluster.requests.slice(-3),
  };
  throw new Error(`it does not end: ${JSON.stringify(state)}\n${world.cluster.story.slice(-60).join('\n')}`);
}
