import fc from 'fast-check';
import { type JsonMap, member, stringAt } from '../../src/json/value.ts';

type Now<T> = T | Promise<T>;

/** A shop that things are done to and happen to: in memory, or in a cluster. What it refuses changes nothing. */
export type Stage = {
  /** `kubectl apply` of the Deployment with another version; its source says nothing of replicas. */
  release(version: string): Now<void>;
  /** A patch of the scale subresource, as autoscalers send it. */
  scale(replicas: number): Now<void>;
  /** `kubectl apply` of the Rollout with another strategy. */
  plan(strategy: JsonMap): Now<void>;
  /** Patches the Rollout's status, as commands do: sub-status and `release`. */
  request(sub: JsonMap, release?: JsonMap): Now<void>;
  /** Approves the step that waits. */
  approve(): Now<void>;
  /** Gives the rule of the gateway object another timeout, by `kubectl apply` of the source or by hand. */
  edit(from: 'source' | 'hand', timeout: string): Now<void>;
  /** Deletes a pod, if there is one. */
  takePod(): Now<void>;
  /** Deletes the Rollout. */
  forget(): Now<void>;
  /** Another controller leads. */
  restart(): Now<void>;
  /** The Rollout's strategy as it is stored. */
  strategy(): Now<JsonMap>;
  status(): Now<JsonMap>;
  /** `step state` of the Rollout, or its phase where no release runs. */
  stands(): Now<string>;
  /** The version that a release leaves, and that going back brings; undefined where none is known. */
  serving(): Now<string | undefined>;
  pass(seconds: number): Now<void>;
  milliseconds(): number;
};

/** A shop, and what its users expect of it. */
export type Situation = {
  readonly stage: Stage;
  /** The version that was applied last. */
  version: string;
  replicas: number;
  /** The timeout that the user gave last, in seconds; 0 before that. */
  timeout: number;
  /** Pods were taken or asked for: until when the pods that traffic needs may be missing. */
  disturbed: number;
};

/** What users do, and what happens to them. */
export type Action = { readonly name: string; readonly run: (situation: Situation) => Promise<void> };

/** So long new pods may take, in milliseconds. */
const PODS_TAKE = 12_000;

export type ActionOptions = {
  /** As many replicas as there may be. */
  readonly replicas: number;
  /** The longest time between two actions. */
  readonly seconds: number;
};

/** One of the actions, by chance. */
export function anyAction({ replicas, seconds }: ActionOptions): fc.Arbitrary<Action> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('v1', 'v2', 'v3').map(release) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: replicas }).map(scale) },
    { weight: 1, arbitrary: fc.constant(scale(0)) },
    { weight: 5, arbitrary: fc.constant(approve()) },
    { weight: 1, arbitrary: fc.boolean().map(paused) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map(jump) },
    { weight: 2, arbitrary: fc.constantFrom<'source' | 'hand'>('source', 'hand').map(edit) },
    { weight: 1, arbitrary: fc.constant(takePod()) },
    { weight: 1, arbitrary: fc.constantFrom<'abort' | 'retry' | 'promote'>('abort', 'retry', 'promote').map(request) },
    { weight: 1, arbitrary: fc.constant(restart()) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: Math.ceil(seconds / 2) }).map(recreate) },
    { weight: 6, arbitrary: fc.integer({ min: 0, max: seconds }).map(wait) },
  );
}

function release(version: string): Action {
  return {
    name: `apply ${version}`,
    run: async (situation) => {
      situation.version = version;
      await situation.stage.release(version);
    },
  };
}

function scale(replicas: number): Action {
  return {
    name: `scale to ${replicas}`,
    run: async (situation) => {
      disturb(situation);
      situation.replicas = replicas;
      await situation.stage.scale(replicas);
      disturb(situation);
    },
  };
}

function disturb(situation: Situation): void {
  situation.disturbed = situation.stage.milliseconds() + PODS_TAKE;
}

function approve(): Action {
  return {
    name: 'approve',
    run: async ({ stage }) => {
      if ((await stage.stands()).endsWith('StepPaused')) await stage.approve();
    },
  };
}

function paused(isPaused: boolean): Action {
  return {
    name: isPaused ? 'pause' : 'resume',
    run: async ({ stage }) => {
      const { paused: _, ...rest } = await stage.strategy();
      await stage.plan(isPaused ? { ...rest, paused: true } : rest);
    },
  };
}

function jump(step: number): Action {
  return {
    name: `jump to ${step}`,
    run: async ({ stage }) => {
      if (/^\d+ Step/.test(await stage.stands())) await stage.request({ nextStepIndex: step });
    },
  };
}

/** The user's timeout in the gateway object has to be there at any time from then on. */
function edit(from: 'source' | 'hand'): Action {
  return {
    name: `edit the gateway from ${from}`,
    run: async (situation) => {
      await situation.stage.edit(from, `${situation.timeout + 1}s`);
      situation.timeout += 1;
    },
  };
}

function takePod(): Action {
  return {
    name: 'delete a pod',
    run: async (situation) => {
      disturb(situation);
      await situation.stage.takePod();
      disturb(situation);
    },
  };
}

function request(what: 'abort' | 'retry' | 'promote'): Action {
  return {
    name: what,
    run: async ({ stage }) => {
      if (member(await stage.status(), 'phase') === 'Progressing') await stage.request({}, { request: what });
    },
  };
}

function restart(): Action {
  return { name: 'restart the controller', run: async ({ stage }) => stage.restart() };
}

/** The Rollout is deleted, perhaps in the middle of a release, and created again from its source. */
function recreate(seconds: number): Action {
  return {
    name: `delete the Rollout, and create it again after ${seconds} s`,
    run: async ({ stage }) => {
      const strategy = await stage.strategy();
      await stage.forget();
      await stage.pass(seconds);
      await stage.plan(strategy);
    },
  };
}

function wait(seconds: number): Action {
  return { name: `wait ${seconds} s`, run: async ({ stage }) => stage.pass(seconds) };
}

/** How users bring a release to its end: they go on with it, or apply the version that it left (P9). */
export const ENDINGS = ['on', 'back'] as const;
export type Ending = (typeof ENDINGS)[number];

/**
 * Takes back what keeps a release from its end, then goes on or back until there is none.
 * @throws when it does not end within `seconds`
 */
export async function finish(situation: Situation, ending: Ending, seconds = 400): Promise<void> {
  const { stage } = situation;
  if (situation.replicas === 0) await scale(5).run(situation);
  await paused(false).run(situation);
  const serving = stringAt(await stage.status(), 'phase') === 'Progressing' ? await stage.serving() : undefined;
  if (ending === 'back' && serving !== undefined) await release(serving).run(situation);
  const end = stage.milliseconds() + 1000 * seconds;
  while (stage.milliseconds() < end) {
    await stage.pass(1);
    const { message } = await stage.status();
    if (String(message).includes('kubectl sluice retry')) await stage.request({}, { request: 'retry' });
    else if ((await stage.stands()).endsWith('StepPaused')) await stage.approve();
    if (!(await isAtRest(stage))) continue;
    await stage.pass(5);
    if ((await stage.stands()) === 'Healthy') return;
  }
  throw new Error(`it does not end: ${JSON.stringify(await stage.status())}`);
}

async function isAtRest(stage: Stage): Promise<boolean> {
  const stands = await stage.stands();
  return stands === 'Healthy' || stands === 'Initial';
}
