import { afterEach, beforeEach, expect, test } from 'vitest';
import { CONVERSION_PATH, FAILURE_POLICIES, ROUTE_TABLE } from '../admission/routes.ts';
import { type JsonMap, stringAt } from '../json/value.ts';
import { ApiError } from '../kube/api-error.ts';
import type { KubeObject } from '../kube/client.ts';
import { settled, type VirtualClock, virtualClock } from '../kube/virtual-clock.testing.ts';
import type { Answer } from './ask-routes.ts';
import { keepRegistration, type Registration, type RegistrationOptions } from './keeper.ts';

const ALL = new Set([...Object.values(ROUTE_TABLE).map(({ path }) => path), CONVERSION_PATH]);
const SOUND: Answer = { certificate: 'PEM', paths: ALL, format: 1, problem: undefined };
const MUTATING = 'zz-sluice-mutating';
const SLICE: KubeObject = {
  metadata: { name: 'slice', namespace: 'delivery' },
  ports: [{ name: 'https', port: 9443 }],
  endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: { uid: 'a' } }],
};

let clock: VirtualClock;
let stored: Map<string, KubeObject>;
let synced: boolean;
let answer: Answer;
/** What the API server answers to the next writes; undefined where it stores them. */
let refusals: (Error | undefined)[];
let written: JsonMap[];
let remarks: string[];
let problems: string[];
let tell: () => void;
let keeper: Registration;

beforeEach(() => {
  clock = virtualClock();
  [stored, synced, answer] = [new Map(), true, SOUND];
  [refusals, written, remarks, problems] = [[], [], [], []];
});

afterEach(() => keeper.close());

const client: RegistrationOptions['client'] = {
  get: () => Promise.resolve({ metadata: { name: 'sluice-controller', uid: '42' } }),
  patch(_resource, { name }, _form, body) {
    const refusal = refusals.shift();
    if (refusal !== undefined) return Promise.reject(refusal);
    const object = body as JsonMap;
    written.push(object);
    const metadata = { ...(object['metadata'] as JsonMap), resourceVersion: String(written.length) };
    stored.set(name, { ...object, metadata });
    return Promise.resolve({ ...object, metadata });
  },
};

function start(): void {
  keeper = keepRegistration({
    client,
    view: {
      synced: () => synced,
      object: (name) => stored.get(name),
      slices: () => [SLICE],
      onChange(listener) {
        tell = listener;
        return () => undefined;
      },
    },
    settings: {
      ...{ namespace: 'delivery', clusterRole: 'sluice-controller', failurePolicies: FAILURE_POLICIES },
      ...{ excludedNamespaces: [], askInterval: 10_000 },
    },
    ask: () => Promise.resolve(answer),
    clock,
    onWrite: () => undefined,
    onRemark: (remark) => remarks.push(remark),
    onProblem: (problem) => problems.push(problem.message),
  });
  keeper.trust('PEM');
}

/** Lets virtual time pass; what is asked and written takes some turns of the event loop each time. */
async function pass(milliseconds: number): Promise<void> {
  const turns = async () => {
    for (let i = 0; i < 5; i++) await settled();
  };
  await turns();
  await clock.pass(milliseconds, turns);
}

const versionsOf = (name: string) =>
  written
    .filter((object) => stringAt(object, 'metadata', 'name') === name)
    .map((object) => stringAt(object, 'metadata', 'resourceVersion'));

/** Somebody takes all entries away. */
function damage(resourceVersion: string): void {
  const before: KubeObject = stored.get(MUTATING) ?? {};
  stored.set(MUTATING, { ...before, webhooks: [], metadata: { ...(before['metadata'] as JsonMap), resourceVersion } });
  tell();
}

test('what is not called is told with its reason once it has lasted, and not before', async () => {
  answer = { ...SOUND, paths: undefined, problem: 'connect ECONNREFUSED' };
  start();
  let told = 0;
  keeper.onCalling(() => told++);
  await pass(29_000);
  expect([remarks, keeper.state().calling]).toEqual([[], 'undecided']);
  await pass(2_000);
  const paths = `${ROUTE_TABLE.workload.path} and ${ROUTE_TABLE.gateway.path}`;
  const reason = '1 of 1 ready webhooks have not said yet what they serve';
  expect(remarks).toEqual([`${paths} are not called: ${reason} (10.0.0.1:9443: connect ECONNREFUSED)`]);
  expect([told, keeper.state().calling]).toEqual([1, { reason: `${paths} are not called: ${reason}` }]);
  answer = { ...SOUND, paths: new Set() };
  await pass(70_000);
  expect([told, remarks.length]).toEqual([1, 1]); // another reason with each pod that comes is no news to Rollouts
  answer = SOUND;
  await pass(70_000);
  tell();
  await pass(1_000);
  expect([told, keeper.state().calling]).toEqual([2, 'called']);
  expect(remarks).toHaveLength(1);
});

test('a cluster that cannot be read, and writes that are refused, are reasons as well', async () => {
  synced = false;
  start();
  await pass(31_000);
  expect(remarks).toEqual([expect.stringMatching(/are not called: the cluster has not been read yet$/)]);
  await keeper.close();
  synced = true;
  refusals = Array.from({ length: 1_000 }, () => new ApiError(403, 'Forbidden', 'you may not'));
  start();
  await pass(31_000);
  const reason = expect.stringMatching(/are not called: the webhook configurations cannot be written$/);
  expect(keeper.state().calling).toEqual({ reason });
  expect(remarks.at(-1)).toMatch(/cannot be written \(you may not\)$/);
});

test('a leader that has just begun decides nothing before it has looked, and then at once', async () => {
  start();
  await pass(1_000);
  await keeper.close();
  start(); // what the leader before has registered is there
  expect(keeper.state().calling).toBe('undecided');
  await pass(100);
  expect(keeper.state().calling).toBe('called');
});

test('an outage of all webhooks is no reason: what is registered stays registered', async () => {
  start();
  await pass(1_000);
  answer = { ...SOUND, paths: undefined, problem: 'connect ECONNREFUSED' };
  await pass(300_000);
  expect([remarks, keeper.state().calling]).toEqual([[], 'called']);
});

test('an apply names the version that it was planned from, and a conflict is another pass and no problem', async () => {
  start();
  await pass(1_000);
  expect(versionsOf(MUTATING)).toEqual([undefined]);
  refusals = [new ApiError(409, 'Conflict', 'it has changed')];
  damage('77');
  await pass(3_000);
  expect(versionsOf(MUTATING)).toEqual([undefined, '77']);
  expect(problems).toEqual([]);
});

test('a correction that was refused is no correction: it is told, and tried again without ever longer waits', async () => {
  start();
  await pass(1_000);
  refusals = Array.from({ length: 20 }, () => new ApiError(403, 'Forbidden', 'a policy says no'));
  damage('90');
  await pass(600_000);
  expect(problems).toEqual(['a policy says no']);
  const before = clock.monotonic();
  refusals = [];
  damage('91');
  await pass(31_000);
  expect(stored.get(MUTATING)?.['webhooks']).not.toEqual([]);
  expect(clock.monotonic() - before).toBeLessThan(60_000);
});
