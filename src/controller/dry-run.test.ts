import { expect, test } from 'vitest';
import { decideInput, type Judged } from '../isolate/decide.ts';
import { JOBS } from '../isolate/jobs.ts';
import { parseJson } from '../json/text.ts';
import type { JsonMap } from '../json/value.ts';
import { findScript, loadLibrary } from '../lua/library.ts';
import { makeScript, ScriptError, type ScriptErrorReason } from '../lua/script.ts';
import { type Decide, dryRun, type Subject } from './dry-run.ts';
import { placedTargets } from './references.ts';
import { rolloutEntry, storedRollout } from './rollout-entry.ts';
import { rolloutObject } from './rollouts.testing.ts';

const library = loadLibrary();
const decide: Decide = (write, scripts) =>
  Promise.resolve(parseJson(JOBS['decide']?.(decideInput(write, scripts)) ?? '') as Judged);

const istio = (kind: string) => ({ apiVersion: 'networking.istio.io/v1beta1', kind, name: 'web' });
const virtualService = (host: string): JsonMap => ({
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'VirtualService',
  metadata: { namespace: 'shop', name: 'web', uid: 'u', resourceVersion: '1' },
  spec: { hosts: ['web'], http: [{ route: [{ destination: { host } }] }] },
});
const destinationRule: JsonMap = {
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'DestinationRule',
  metadata: { namespace: 'shop', name: 'web', uid: 'd', resourceVersion: '1' },
  spec: { host: 'web' },
};
const ingress = (service: string): JsonMap => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { namespace: 'shop', name: 'web' },
  spec: { rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: service } } }] } }] },
});

async function obstacles(routing: JsonMap, steps: JsonMap[], objects: JsonMap[], text?: string, use = decide) {
  const strategy = { canary: { steps, trafficRoutings: [{ service: 'web', ...routing }] } };
  const { rollout, references, problems } = rolloutEntry(storedRollout(rolloutObject({ spec: { strategy } })));
  if (rollout === undefined) throw new Error(problems.join());
  const subjects = placedTargets(rollout, references).map((placed): Subject => {
    const found = findScript(placed.target.request, library);
    const object = objects.find(({ kind }) => kind === placed.target.kind);
    if (found === undefined || object === undefined) throw new Error('the fixture is not whole');
    const script = text === undefined ? found.script : makeScript(found.script.name, text, library.modules);
    return { ...placed, object, script };
  });
  return (await dryRun(rollout, subjects, use, () => undefined)).map(({ message }) => message);
}

const both = { customNetworkRefs: [istio('VirtualService'), istio('DestinationRule')] };
const one = { customNetworkRefs: [istio('VirtualService')] };
const UNREACHED = /steps\[0\]: no rule of .* leads to Service web/;

test.each<[string, JsonMap, JsonMap[], JsonMap[], string | undefined, RegExp[]]>([
  ['a step that can be said', one, [{ traffic: '20%' }], [virtualService('web')], undefined, []],
  [
    'a DestinationRule that has nothing to say beside a VirtualService that has',
    both,
    [{ traffic: '20%' }],
    [virtualService('web'), destinationRule],
    undefined,
    [],
  ],
  ['rules that lead elsewhere', one, [{ traffic: '20%' }], [virtualService('other')], undefined, [UNREACHED]],
  [
    'rules that lead elsewhere, for matches',
    one,
    [{ matches: [{ headers: [{ name: 'x', value: 'y' }] }] }],
    [virtualService('other')],
    undefined,
    [UNREACHED],
  ],
  [
    'no object that changes anything',
    both,
    [{ traffic: '20%' }],
    [virtualService('other'), destinationRule],
    undefined,
    [UNREACHED],
  ],
  ['a weight of 0 may change nothing', one, [{ traffic: '0%' }], [virtualService('other')], undefined, []],
  ['a step without traffic asks for nothing', one, [{ replicas: 1 }], [virtualService('other')], undefined, []],
  [
    'an Ingress that leads to the Service',
    { ingress: { name: 'web' } },
    [{ traffic: '20%' }],
    [ingress('web')],
    undefined,
    [],
  ],
  [
    'an Ingress that leads elsewhere',
    { ingress: { name: 'web' } },
    [{ traffic: '20%' }],
    [ingress('other')],
    undefined,
    [UNREACHED],
  ],
  [
    'a script that fails in one of two steps',
    one,
    [{ traffic: '20%' }, { traffic: '40%' }],
    [virtualService('web')],
    'if obj.canaryWeight > 30 then error("too much") end\nobj.data.labels = { a = "b" }\nreturn obj.data',
    [
      /^spec\.strategy\.canary\.steps\[1\]: VirtualService shop\/web: .*networking\.istio\.io\/VirtualService:1: too much/,
    ],
  ],
  [
    'a script that leaves a condition unread',
    one,
    [{ matches: [{ method: 'GET' }] }],
    [virtualService('web')],
    'obj.data.labels = { a = "b" }\nreturn obj.data',
    [/does not read obj\.matches\[1\]\.method/],
  ],
])('%s', async (_, routing, steps, objects, text, expected) => {
  const found = await obstacles(routing, steps, objects, text);
  expect(found).toHaveLength(expected.length);
  found.forEach((message, i) => {
    expect(message).toMatch(expected[i] ?? /$^/);
  });
});

test('a denial for the time that a script took may pass, any other may not', async () => {
  const mayPass = async (reason: ScriptErrorReason) => {
    const denied: Decide = () =>
      Promise.resolve({ verdict: { verdict: 'denied', message: 'no' }, failure: { script: 's', reason } });
    const { rollout, references } = rolloutEntry(storedRollout(rolloutObject()));
    const [placed] = rollout === undefined ? [] : placedTargets(rollout, references);
    const [script] = library.scripts.values();
    if (rollout === undefined || placed === undefined || script === undefined)
      throw new Error('the fixture is not whole');
    const subject = { ...placed, object: virtualService('web'), script };
    return (await dryRun(rollout, [subject], denied, () => undefined)).map((obstacle) => obstacle.mayPass);
  };
  expect(await mayPass('time')).toEqual([true]);
  for (const reason of ['limit', 'runtime', 'syntax', 'result'] as const)
    expect(await mayPass(reason)).toEqual([false]);
});

test('a script that had to be stopped is an obstacle that may pass; an error of ours is none', async () => {
  const stopped: Decide = () => Promise.reject(new ScriptError('s', 1, 'time', 's:1: stopped'));
  expect(await obstacles(one, [{ traffic: '20%' }], [virtualService('web')], undefined, stopped)).toEqual([
    'spec.strategy.canary.steps[0]: VirtualService shop/web: s:1: stopped',
  ]);
  const broken: Decide = () => Promise.reject(new TypeError('ours'));
  await expect(obstacles(one, [{ traffic: '20%' }], [virtualService('web')], undefined, broken)).rejects.toThrow(
    'ours',
  );
});
