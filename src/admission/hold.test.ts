import { expect, test } from 'vitest';
import { BETA, type Changes, changed } from '../api/rollouts.testing.ts';
import { judge as judgeWrite } from '../isolate/decide.ts';
import { at, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { loadLibrary } from '../lua/library.ts';
import { decodeDirective, directiveKey } from '../rewrite/directive.ts';
import { encodeOriginal } from '../rewrite/original.ts';
import { createRewriter } from '../rewrite/rewriter.ts';
import type { Answer } from './answer.ts';
import { gatewayHandler } from './gateway.ts';
import { holdHandler } from './hold.ts';
import { fixedInventory, type Inventory, Unavailable } from './inventory.ts';
import type { AdmissionRequest } from './request.ts';

const KEY = directiveKey('web');
const ORIGINAL = 'rollouts.kruise.io/original-spec-configuration';
const DEPLOYMENT = { group: 'apps', version: 'v1', kind: 'Deployment' };

const rollout = (changes: Changes = {}): Json => changed(BETA, { 'metadata.uid': 'uid', ...changes });

function deployment(image: string, annotations?: JsonMap): JsonMap {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', ...(annotations === undefined ? {} : { annotations }) },
    spec: { replicas: 4, template: { spec: { containers: [{ name: 'web', image }] } } },
  };
}

function request(changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: 'u',
    operation: 'UPDATE',
    kind: DEPLOYMENT,
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    subresource: '',
    name: 'web',
    namespace: 'shop',
    dryRun: false,
    user: { name: 'jane', groups: [] },
    fieldManager: 'kubectl-client-side-apply',
    object: deployment('web:2'),
    oldObject: deployment('web:1'),
    bytes: 1000,
    receivedAt: 0,
    ...changes,
  };
}

/** Judges through the whole handler; `asked` counts the questions for Rollouts. */
async function judge(change: Partial<AdmissionRequest>, rollouts: readonly Json[], other: Partial<Inventory> = {}) {
  const inventory = { ...fixedInventory([], rollouts), ...other };
  let asked = 0;
  const counted: Inventory = {
    ...inventory,
    rolloutNaming(workload) {
      asked += 1;
      return inventory.rolloutNaming(workload);
    },
  };
  const rewrite = gatewayHandler({
    library: loadLibrary(),
    inventory: counted,
    controllerUser: 'controller',
    decideIsolated: (write) =>
      Promise.resolve(
        judgeWrite(
          write,
          createRewriter(() => undefined),
        ),
      ),
  });
  return { answer: await holdHandler(counted, rewrite)(request(change)), asked };
}

const NEVER: Partial<Inventory> = { rolloutNaming: () => Promise.reject(new Error('nobody is asked')) };

/** What the object is after the answer. */
function held(answer: Answer): { spec: Json | undefined; annotations: Json | undefined } {
  if (answer.verdict !== 'patched') throw new Error(`not patched: ${JSON.stringify(answer)}`);
  const valueAt = (path: string) => answer.operations.find((operation) => operation.path === path)?.value;
  return { spec: valueAt('/spec'), annotations: valueAt('/metadata/annotations') };
}

test('a new template of a workload that a Rollout names is held in the same write, and the log says for whom', async () => {
  const { answer, asked } = await judge({}, [rollout()]);
  const { spec, annotations } = held(answer);
  expect(at(spec, ['paused'])).toBe(true);
  expect(decodeDirective(KEY, stringAt(annotations, KEY) ?? '')).toMatchObject({
    rollout: { namespace: 'shop', name: 'web', uid: 'uid' },
    action: { type: 'workload', style: 'canary', paused: true },
  });
  expect(stringAt(annotations, ORIGINAL)).toBe(encodeOriginal({ spec: {} }, 'apps/v1'));
  expect(answer.warnings).toEqual([expect.stringContaining('Rollout shop/web releases it step by step')]);
  expect([answer.about.rollout, asked]).toEqual(['shop/web', 1]);
});

test.each<[string, Partial<AdmissionRequest>, readonly Json[]]>([
  ['no Rollout names', {}, []],
  ['only a Rollout of another namespace names', {}, [rollout({ 'metadata.namespace': 'other' })]],
  ['a disabled Rollout names', {}, [rollout({ 'spec.disabled': true })]],
  ['a Rollout names as another kind', { kind: { ...DEPLOYMENT, kind: 'StatefulSet' } }, [rollout()]],
])('a workload that %s is let through untouched, at the cost of one question', async (_, change, rollouts) => {
  const { answer, asked } = await judge(change, rollouts);
  expect(answer).toMatchObject({ verdict: 'allowed', warnings: [] });
  expect(asked).toBe(1);
});

test.each<[string, Partial<AdmissionRequest>]>([
  ['a creation', { operation: 'CREATE', oldObject: undefined }],
  ['a deletion', { operation: 'DELETE', object: undefined }],
  ['its status', { subresource: 'status' }],
  ['the same template', { object: deployment('web:1', { team: 'a' }) }],
  ['an object of an unknown shape', { object: { spec: [1] }, oldObject: { metadata: null } }],
])('%s costs no question', async (_, change) => {
  expect((await judge(change, [rollout()], NEVER)).answer).toMatchObject({ verdict: 'allowed' });
});

test('in a second pass the hold stays as it is, and is taken back when another webhook has undone the change', async () => {
  const first = held((await judge({}, [rollout()])).answer);
  const metadata = { name: 'web', namespace: 'shop', annotations: first.annotations as JsonMap };
  const second: JsonMap = { ...deployment('web:2'), metadata, spec: first.spec as JsonMap };
  expect((await judge({ object: second }, [rollout()])).answer).toMatchObject({ verdict: 'allowed' });
  const { template } = deployment('web:1')['spec'] as JsonMap;
  const undone: JsonMap = { ...second, spec: { ...(first.spec as JsonMap), template: template as Json } };
  const { answer } = await judge({ object: undone }, [rollout()]);
  if (answer.verdict !== 'patched') throw new Error(answer.verdict);
  expect(answer.operations).toContainEqual({ op: 'remove', path: '/metadata/annotations' });
  expect(held(answer).spec).toEqual(deployment('web:1')['spec']);
});

test('where nobody can say which Rollouts there are the write goes on unheld: the answer is an error, and says to try again', async () => {
  const away: Partial<Inventory> = { rolloutNaming: () => Promise.reject(new Unavailable('no answer within 1.5 s')) };
  const { answer } = await judge({}, [], away);
  expect(answer).toMatchObject({ verdict: 'failed', message: 'no answer within 1.5 s', retryAfterSeconds: 1 });
});
