import { afterAll, expect, test } from 'vitest';
import { createIsolate } from '../isolate/isolate.ts';
import type { JsonMap } from '../json/value.ts';
import { makeScript, type Script, ScriptError } from '../lua/script.ts';
import type { Write } from '../rewrite/decide.ts';
import { directiveKey, encodeDirective, FORMAT } from '../rewrite/directive.ts';
import { Unavailable } from './inventory.ts';
import { decideIn } from './isolated.ts';

const isolate = createIsolate({ workers: 2, milliseconds: 500, queue: 1 });
afterAll(() => isolate.close());
const decideIsolated = decideIn(isolate);

function script(text: string): Script {
  return makeScript('configmap/VirtualService', text, new Map());
}

/** The controller starts a step on an object, by a script of the user's. */
function writeWith({ name, hash }: Script): Write {
  const object = (annotations: JsonMap): JsonMap => ({
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'VirtualService',
    metadata: { name: 'web', namespace: 'shop', annotations },
    spec: { exact: JSON.rawJSON('12345678901234567890') },
  });
  const directive = encodeDirective({
    format: FORMAT,
    rollout: { namespace: 'shop', name: 'web', uid: 'a-uid' },
    revision: 'r1',
    step: 1,
    continues: false,
    action: {
      type: 'gateway',
      contract: 'custom',
      script: { name, hash },
      routes: [{ stableService: 'web', canaryService: 'web-canary' }],
      weight: 20,
    },
  });
  return {
    operation: 'UPDATE',
    incoming: object({ [directiveKey('web')]: directive }),
    live: object({}),
    byController: true,
    fieldManager: 'sluice',
  };
}

test('a verdict comes back from the thread without losing a digit', async () => {
  const good = script('obj.data.spec.weight = obj.canaryWeight return obj.data');
  const { verdict } = await decideIsolated(writeWith(good), [good]);
  expect(verdict.verdict === 'rewritten' && JSON.stringify(verdict.operations[0])).toBe(
    '{"op":"replace","path":"/spec","value":{"exact":12345678901234567890,"weight":20}}',
  );
});

test('a script that fails refuses the write with its line, and is named', async () => {
  const failing = script('\nerror("no way")');
  const judged = await decideIsolated(writeWith(failing), [failing]);
  expect(judged.failure?.script).toBe('configmap/VirtualService');
  expect(judged.verdict.verdict === 'denied' && judged.verdict.message).toMatch(/VirtualService:2: .*no way/);
});

test('a script that never ends is ended, while another write is judged', async () => {
  const endless = script('while true do end');
  const good = script('return obj.data');
  const stuck = decideIsolated(writeWith(endless), [endless]).then(
    ({ verdict }) => (verdict.verdict === 'denied' ? verdict.message : verdict.verdict),
    (error: unknown) => (error instanceof ScriptError ? error.message : String(error)),
  );
  expect((await decideIsolated(writeWith(good), [good])).verdict.verdict).toBe('rewritten');
  expect(await stuck).toContain('configmap/VirtualService:1:');
});

test('when too many writes wait, the next is to be tried again', async () => {
  const endless = script('while true do end');
  const outcomes = await Promise.allSettled(
    Array.from({ length: 5 }, () => decideIsolated(writeWith(endless), [endless])),
  );
  const reasons = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason instanceof Unavailable);
  expect(reasons).toContain(true);
});
