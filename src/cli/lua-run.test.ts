import { join } from 'node:path';
import { expect, test } from 'vitest';
import { at } from '../json/value.ts';
import { readManifests } from '../manifest/read.ts';
import { called, folderWith, SEED } from './called.testing.ts';

const SHIPPED = 'lua-scripts/networking.istio.io/VirtualService/trafficRouting.lua';

function argv(script: string, step = '1', object = `${SEED}/virtualservice.yaml`, rollout = `${SEED}/rollout.yaml`) {
  return ['lua', 'run', '--script', script, '--object', object, '--rollout', rollout, '--step', step];
}

/** Runs a script text on the VirtualService of the example, in its first step. */
async function ran(lua: string, step = '1') {
  const file = join(folderWith({ 's.lua': lua }), 's.lua');
  const { code, out, err } = await called(argv(file, step));
  return { code, out, err: err.replaceAll(file, 's.lua') };
}

test('the object is printed as the script makes it', async () => {
  const { code, out, err } = await called(argv(SHIPPED));
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const [document] = readManifests(out, 'out').documents;
  expect(document?.value).toMatchObject({ apiVersion: 'networking.istio.io/v1beta1', metadata: { name: 'nginx-vs' } });
  expect(at(document?.value, ['spec', 'http', 0, 'route', 1, 'weight'])).toBe(20);
});

test('each step is its own run', async () => {
  const { out } = await called(argv(SHIPPED, '2'));
  expect(out).toContain('exact: canary');
  expect(out).not.toContain('weight');
});

test('what the script prints goes to standard error, also when it fails afterwards', async () => {
  expect(await ran('print("weight", obj.canaryWeight)\nreturn obj.data')).toMatchObject({
    code: 0,
    err: 'weight\t20\n',
  });
  expect(await ran('print("here")\nerror("boom")')).toEqual({
    code: 1,
    out: '',
    err: expect.stringMatching(/^here\nerror: s.lua:2: boom\n$/),
  });
});

test.each([
  {
    rule: 'returns nothing',
    lua: 'local x = 1',
    message: 'the script must return a table, not nothing: write `return obj.data` at its end',
  },
  { rule: 'returns a string', lua: 'return "done"', message: 'the script must return a table, not a string' },
  {
    rule: 'returns a sparse table',
    lua: 'obj.data.spec.hosts = {[1] = "a", [3] = "b"}\nreturn obj.data',
    message: 'spec.hosts',
  },
  {
    rule: 'returns a cyclic table',
    lua: 'obj.data.spec.me = obj.data.spec\nreturn obj.data',
    message: 'a table inside itself',
  },
  {
    rule: 'returns NaN',
    lua: 'obj.data.spec.weight = 0/0\nreturn obj.data',
    message: 'spec.weight is not a number (0/0)',
  },
  { rule: 'returns no spec', lua: 'return {}', message: 'has no spec' },
  {
    rule: 'writes a label that is no text',
    lua: 'obj.data.labels = {a = 1}\nreturn obj.data',
    message: 'labels["a"] must be a string',
  },
  { rule: 'does not compile', lua: 'return = 1', message: 's.lua:1: unexpected symbol' },
  { rule: 'never ends', lua: 'while true do end', message: 's.lua:1: stopped after' },
  { rule: 'opens a file', lua: 'return io.open("/etc/passwd")', message: 's.lua:1:' },
])('a script that $rule: an error, and no object', async ({ lua, message }) => {
  const { code, out, err } = await ran(lua);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/^error: /);
  expect(err).toContain(message);
});

test('a script has the modules of its own library, and the shipped ones', async () => {
  const folder = folderWith({
    'modules/mine.lua': 'return {host = "from-a-module"}',
    'networking.istio.io/VirtualService/trafficRouting.lua':
      'require("weights")\nobj.data.spec.hosts = {require("mine").host}\nreturn obj.data',
  });
  const { out } = await called(argv(join(folder, 'networking.istio.io/VirtualService/trafficRouting.lua')));
  expect(out).toContain('- from-a-module\n');
});

test('of an Ingress class the canary Ingress is made from the given one', async () => {
  const folder = folderWith({
    'rollout.yaml': `apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: web}
spec:
  strategy:
    canary:
      steps: [{traffic: 30%, replicas: 1}, {replicas: 2}]
      trafficRoutings: [{service: web, ingress: {name: web}}]
`,
    'ingress.yaml': `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`,
  });
  const files = [join(folder, 'ingress.yaml'), join(folder, 'rollout.yaml')] as const;
  const { code, out } = await called(argv('lua-scripts/ingress/nginx.lua', '1', ...files));
  expect(code).toBe(0);
  expect(out).toContain('name: web-canary\n');
  expect(out).toContain('nginx.ingress.kubernetes.io/canary-weight: "30"\n');
  const resting = await called(argv('lua-scripts/ingress/nginx.lua', '2', ...files));
  expect(resting.err).toContain('step 2 has neither traffic nor matches, so no script runs in it');
});

test.each([
  {
    rule: 'a step that is not there',
    argv: argv(SHIPPED, '3'),
    message: 'there is no step 3: the Rollout has the steps 1 to 2',
  },
  {
    rule: 'a script that is not there',
    argv: argv('nope.lua'),
    message: 'cannot read nope.lua: there is no such file',
  },
  { rule: 'an object that is not there', argv: argv(SHIPPED, '1', 'nope.yaml'), message: 'cannot read nope.yaml' },
  { rule: 'a folder as the object', argv: argv(SHIPPED, '1', SEED), message: 'it is a folder' },
  {
    rule: 'an object that the Rollout does not name',
    argv: argv(SHIPPED, '1', `${SEED}/scripts.yaml`),
    message: 'names VirtualService nginx-vs, DestinationRule nginx-dr, and',
  },
  {
    rule: 'a file without a Rollout',
    argv: argv(SHIPPED, '1', `${SEED}/virtualservice.yaml`, `${SEED}/virtualservice.yaml`),
    message: 'there is no Rollout in',
  },
])('$rule is wrong usage', async ({ argv: words, message }) => {
  const { code, out, err } = await called(words);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
});

test('a Rollout with mistakes is told as lint tells it, but for fields that no script sees', async () => {
  const rollout = join(
    folderWith({ 'r.yaml': 'apiVersion: rollouts.kruise.io/v1beta1\nkind: Rollout\nspec: {disabled: 1}\n' }),
    'r.yaml',
  );
  const { code, err } = await called(argv(SHIPPED, '1', `${SEED}/virtualservice.yaml`, rollout));
  expect(code).toBe(1);
  expect(err.trimEnd().split('\n')).toEqual([
    expect.stringMatching(/r.yaml:3:8: spec.disabled: 1 is not allowed here/),
  ]);
});
