import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { canonicalJson, parseJson } from '../json/text.ts';
import { at, isList, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { readManifests } from '../manifest/read.ts';
import { called, folderWith, SEED } from './called.testing.ts';

const SEED_FILES = ['rollout', 'virtualservice', 'destinationrule'].flatMap((name) => ['-f', `${SEED}/${name}.yaml`]);

type Entry = { readonly step: Json; readonly object: JsonMap };

async function previewed(argv: readonly string[], stdin = ''): Promise<Entry[]> {
  const { code, out, err } = await called(['preview', ...argv, '-o', 'json'], { stdin });
  expect({ code, err: err.replaceAll(/^.*warning:.*\n/gm, '') }).toEqual({ code: 0, err: '' });
  const entries = parseJson(out);
  if (!isList(entries)) throw new Error('no list');
  return entries.map((entry) => entry as Entry);
}

function ofKind(entries: readonly Entry[], kind: string): Entry[] {
  return entries.filter(({ object }) => object['kind'] === kind);
}

function source(file: string): Json {
  return readManifests(readFileSync(file, 'utf8'), file).documents[0]?.value ?? null;
}

test('the example of the documentation: 80/20, then a header rule, then the originals byte for byte', async () => {
  const entries = await previewed(SEED_FILES);
  expect(entries.map(({ step, object }) => [step, object['kind']])).toEqual([
    [1, 'VirtualService'],
    [1, 'DestinationRule'],
    [2, 'VirtualService'],
    [2, 'DestinationRule'],
    ['restore', 'VirtualService'],
    ['restore', 'DestinationRule'],
  ]);
  const [first, second, restored] = ofKind(entries, 'VirtualService').map(({ object }) => object);
  expect(at(first, ['spec', 'http'])).toEqual([
    {
      route: [
        { destination: { host: 'nginx-service', subset: 'version-base' }, weight: 80 },
        { destination: { host: 'nginx-service', subset: 'canary' }, weight: 20 },
      ],
    },
  ]);
  expect(at(second, ['spec', 'http'])).toEqual([
    {
      match: [{ headers: { version: { exact: 'canary' } } }],
      route: [{ destination: { host: 'nginx-service', subset: 'canary' } }],
    },
    { route: [{ destination: { host: 'nginx-service', subset: 'version-base' } }] },
  ]);
  expect(JSON.stringify(restored)).toBe(JSON.stringify(source(`${SEED}/virtualservice.yaml`)));
  const [rule, , restoredRule] = ofKind(entries, 'DestinationRule').map(({ object }) => object);
  expect(at(rule, ['spec', 'subsets', 1])).toEqual({ name: 'canary', labels: { version: 'canary' } });
  expect(JSON.stringify(restoredRule)).toBe(JSON.stringify(source(`${SEED}/destinationrule.yaml`)));
});

test('whole objects carry the annotations that admission keeps', async () => {
  const [first] = await previewed(SEED_FILES);
  const annotations = at(first?.object, ['metadata', 'annotations']);
  expect(Object.keys(annotations as JsonMap)).toEqual([
    'directive.sluice.dev/rollouts-demo',
    'rollouts.kruise.io/original-spec-configuration',
  ]);
  const directive = parseJson(stringAt(annotations, 'directive.sluice.dev/rollouts-demo') ?? '');
  expect(directive).toMatchObject({ step: 1, continues: false, action: { weight: 20 } });
});

test('diffs come by default: a heading for each step and object, what changes, and the proof of the restore', async () => {
  const { code, out } = await called(['preview', ...SEED_FILES]);
  expect(code).toBe(0);
  expect(out).toContain(`Rollout default/rollouts-demo, step 1/2: VirtualService nginx-vs
@@ -12,3 +12,8 @@
     - destination:
         host: nginx-service
         subset: version-base
+      weight: 80
+    - destination:
+        host: nginx-service
+        subset: canary
+      weight: 20
annotations of Sluice: directive.sluice.dev/rollouts-demo, rollouts.kruise.io/original-spec-configuration
`);
  expect(out).toContain('Rollout default/rollouts-demo, step 2/2: DestinationRule nginx-dr\nno change\n');
  expect(out.split('restored: the same, byte for byte as canonical JSON\n')).toHaveLength(3);
  expect(out).not.toContain('\x1b[');
});

test('on a terminal diffs have colours', async () => {
  const { out } = await called(['preview', ...SEED_FILES], { isTTY: true });
  expect(out).toContain('\x1b[32m+      weight: 80\x1b[39m');
});

test('yaml documents read back as the objects of the json list, and each says where it belongs', async () => {
  const { out } = await called(['preview', ...SEED_FILES, '-o', 'yaml']);
  const documents = readManifests(out, 'out').documents.map(({ value }) => value);
  expect(documents).toEqual((await previewed(SEED_FILES)).map(({ object }) => object));
  expect(out.match(/^# .*$/gm)?.slice(0, 2)).toEqual([
    '# Rollout default/rollouts-demo, step 1/2: VirtualService nginx-vs',
    '# Rollout default/rollouts-demo, step 1/2: DestinationRule nginx-dr',
  ]);
});

test('--step shows one step as it is in the whole release', async () => {
  const all = await previewed(SEED_FILES);
  expect(await previewed([...SEED_FILES, '--step', '2'])).toEqual(all.filter(({ step }) => step === 2));
});

test('a step that no Rollout has is refused with the steps that there are', async () => {
  const { code, err } = await called(['preview', ...SEED_FILES, '--step', '3']);
  expect(code).toBe(2);
  expect(err).toContain('error: there is no step 3: Rollout default/rollouts-demo has the steps 1 to 2\n');
});

test.each(['0', '-1', 'two', '1.5', ''])('--step %j is no step', async (step) => {
  const { code, err } = await called(['preview', ...SEED_FILES, '--step', step]);
  expect(code).toBe(2);
  expect(err).toContain('Write a whole number from 1.');
});

test('the order of documents makes no difference, nor whether they come from files or standard input', async () => {
  const texts = ['destinationrule', 'virtualservice', 'rollout'].map((name) =>
    readFileSync(`${SEED}/${name}.yaml`, 'utf8'),
  );
  expect(await previewed(['-f', '-'], texts.join('---\n'))).toEqual(await previewed(SEED_FILES));
});

test('an object that is missing is an error where the Rollout names it, and says what to do', async () => {
  const { code, out, err } = await called([
    'preview',
    '-f',
    `${SEED}/rollout.yaml`,
    '-f',
    `${SEED}/destinationrule.yaml`,
  ]);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain(
    `${SEED}/rollout.yaml:28:15: spec.strategy.canary.trafficRoutings[0].networkRefs[0]: VirtualService nginx-vs is not in the input; add the file that has it: -f FILE\n`,
  );
});

test('an object of another namespace is not the one that is named', async () => {
  const inNamespace = (name: string, namespace: string) =>
    readFileSync(`${SEED}/${name}.yaml`, 'utf8').replace(/^( {2}name: .*)$/m, `$1\n  namespace: ${namespace}`);
  const stdin = [
    inNamespace('rollout', 'shop'),
    inNamespace('virtualservice', 'other'),
    inNamespace('destinationrule', 'shop'),
  ];
  const { code, err } = await called(['preview', '-f', '-'], { stdin: stdin.join('---\n') });
  expect(code).toBe(1);
  expect(err).toContain(
    'VirtualService nginx-vs in the namespace shop is not in the input, only one in other (<stdin>)',
  );
});

test('a Rollout without a namespace is in that of its object, so that short names of Services mean the same', async () => {
  const virtualService = readFileSync(`${SEED}/virtualservice.yaml`, 'utf8').replace(
    '  name: nginx-vs',
    '  name: nginx-vs\n  namespace: shop',
  );
  const argv = ['-f', `${SEED}/rollout.yaml`, '-f', `${SEED}/destinationrule.yaml`, '-f', '-', '--step', '1'];
  const [first] = await previewed(argv, virtualService);
  expect(at(first?.object, ['spec', 'http', 0, 'route', 1, 'weight'])).toBe(20);
});

test('an object that could be either of two is an error', async () => {
  const { code, err } = await called(['preview', ...SEED_FILES, '-f', '-'], {
    stdin: readFileSync(`${SEED}/virtualservice.yaml`, 'utf8'),
  });
  expect(code).toBe(1);
  expect(err).toContain(`VirtualService nginx-vs is written twice, in ${SEED}/virtualservice.yaml:1 and <stdin>:1`);
});

test('what lint finds stops a preview, with the same words', async () => {
  const stdin = readFileSync(`${SEED}/rollout.yaml`, 'utf8').replace('weight: 20', 'weight: 200');
  const { code, out, err } = await called(['preview', '-f', '-', ...SEED_FILES.slice(2)], { stdin });
  const { out: linted } = await called(['lint', '-f', '-'], { stdin });
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(linted).toContain('<stdin>:17:11: spec.strategy.canary.steps[0].weight: 200 is no share of traffic');
  expect(err).toBe(linted);
});

test('input without a Rollout is wrong usage', async () => {
  const { code, err } = await called(['preview', '-f', `${SEED}/virtualservice.yaml`]);
  expect(code).toBe(2);
  expect(err).toContain('there is no Rollout in the input');
});

test('YAML that cannot be read is told before anything else', async () => {
  const { code, err } = await called(['preview', '-f', '-'], { stdin: 'kind: Rollout\n\tspec: 1\n' });
  expect(code).toBe(1);
  expect(err).toContain('<stdin>:2:1: a tab is used as indentation');
});

const CUSTOM = `apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      enableExtraWorkloadForCanary: true
      steps:
      - {traffic: 10%, replicas: 10%}
      - {replicas: 20%}
      - {traffic: 100%, replicas: 100%}
      trafficRoutings:
      - service: web
        customNetworkRefs: [{apiVersion: example.io/v1, kind: Route, name: web}]
---
apiVersion: example.io/v1
kind: Route
metadata:
  name: web
  annotations: {}
  labels: {team: a}
spec: {backend: web, big: 9007199254740993, empty: {}, none: [], nothing: null}
`;

function withScript(lua: string): string {
  const lines = lua.split('\n').map((line) => `    ${line}\n`);
  return `${CUSTOM}---
apiVersion: v1
kind: ConfigMap
metadata: {name: kruise-rollout-configuration, namespace: anywhere}
data:
  lua.traffic.routing.Route.example.io: |
${lines.join('')}`;
}

test('a script of the ConfigMap rewrites a kind that no shipped one knows', async () => {
  const lua = 'obj.data.spec.share = obj.canaryWeight\nobj.data.labels.step = tostring(obj.step)\nreturn obj.data';
  const entries = await previewed(['-f', '-'], withScript(lua));
  expect(
    entries.map(({ step, object }) => [
      step,
      at(object, ['spec', 'share']),
      at(object, ['metadata', 'labels', 'step']),
    ]),
  ).toEqual([
    [1, 10, '1'],
    [2, undefined, undefined],
    [3, 100, '3'],
    ['restore', undefined, undefined],
  ]);
});

test('a step with neither traffic nor matches shows the original, and the next one begins anew', async () => {
  const entries = await previewed(['-f', '-'], withScript('obj.data.spec.share = obj.canaryWeight\nreturn obj.data'));
  expect(at(entries[1]?.object, ['metadata'])).toEqual({ name: 'web', labels: { team: 'a' } });
  expect(at(entries[2]?.object, ['metadata', 'annotations', 'directive.sluice.dev/web'])).toContain(
    '"continues":false',
  );
});

test('numbers beyond doubles, empty maps and lists come back as they were', async () => {
  const entries = await previewed(['-f', '-'], withScript('obj.data.spec.empty.a = 1\nreturn obj.data'));
  expect(canonicalJson(entries[0]?.object['spec'] ?? null)).toContain(
    '"big":9007199254740993,"empty":{"a":1},"none":[]',
  );
  expect(canonicalJson(entries.at(-1)?.object['spec'] ?? null)).toBe(
    '{"backend":"web","big":9007199254740993,"empty":{},"none":[],"nothing":null}',
  );
});

test('without a script for a kind there is no preview, and the message says where to write one', async () => {
  const { code, err } = await called(['preview', '-f', '-'], { stdin: CUSTOM });
  expect(code).toBe(1);
  expect(err).toBe(
    '<stdin>:15:29: spec.strategy.canary.trafficRoutings[0].customNetworkRefs[0]: there is no script for Route; write one into the ConfigMap kruise-rollout-configuration under the key lua.traffic.routing.Route.example.io\n',
  );
});

test.each([
  { rule: 'raises an error', lua: 'local x\nerror("no backend")', message: 'example.io/Route:2: no backend' },
  {
    rule: 'returns nothing',
    lua: 'local x = 1',
    message: 'example.io/Route: the script must return a table, not nothing',
  },
  { rule: 'never ends', lua: 'while true do end', message: 'example.io/Route:1: stopped after' },
  { rule: 'does not compile', lua: 'local = 3', message: 'example.io/Route:1: ' },
])('a script that $rule: the error names script, line, Rollout and step', async ({ lua, message }) => {
  const { code, err } = await called(['preview', '-f', '-'], { stdin: withScript(lua) });
  expect(code).toBe(1);
  expect(err).toContain(`error: Route web: Rollout shop/web, step 1: ${message}`);
});

test('a script that fails in a later step: diffs show the steps before it, programs get nothing', async () => {
  const stdin = withScript(
    'if obj.canaryWeight == 100 then error("full") end\nobj.data.spec.share = 1\nreturn obj.data',
  );
  const diff = await called(['preview', '-f', '-'], { stdin });
  expect(diff.code).toBe(1);
  expect(diff.out).toContain('Rollout shop/web, step 2/3');
  expect(diff.out).not.toContain('restored');
  expect(diff.err).toContain('step 3: example.io/Route:1: full');
  for (const output of ['json', 'yaml']) {
    const { code, out, err } = await called(['preview', '-f', '-', '-o', output], { stdin });
    expect({ code, out, err }).toEqual({ code: 1, out: '', err: diff.err });
  }
});

test('a shipped script goes before that of the ConfigMap, with a warning, unless the ConfigMap says otherwise', async () => {
  const argv = [...SEED_FILES, '-f', `${SEED}/scripts.yaml`];
  const { err } = await called(['preview', ...argv, '-o', 'json']);
  expect(err).toContain('is not used: Sluice ships a script for networking.istio.io/DestinationRule');
  const scripts = readFileSync(`${SEED}/scripts.yaml`, 'utf8');
  const stdin = scripts
    .replace('metadata:\n', 'metadata:\n  annotations: {sluice.dev/override: "true"}\n')
    .replace('canary.name = "canary"', 'canary.name = "mine"');
  const entries = ofKind(await previewed([...SEED_FILES, '-f', '-'], stdin), 'DestinationRule');
  expect(at(entries[0]?.object, ['spec', 'subsets', 1, 'name'])).toBe('mine');
});

const INGRESS = `apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: web}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      enableExtraWorkloadForCanary: true
      steps:
      - {traffic: 20%, replicas: 1}
      - {replicas: 2}
      - {replicas: 3, matches: [{headers: [{name: user, value: test}]}]}
      trafficRoutings: [{service: web, ingress: {name: web}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
  - http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
`;

test('of an Ingress class the canary Ingress is shown; where there is none, the Ingress itself', async () => {
  const entries = await previewed(['-f', '-'], INGRESS);
  expect(entries.map(({ step, object }) => [step, at(object, ['metadata', 'name'])])).toEqual([
    [1, 'web-canary'],
    [2, 'web'],
    [3, 'web-canary'],
    ['restore', 'web'],
  ]);
  expect(at(entries[0]?.object, ['metadata', 'annotations'])).toMatchObject({
    'nginx.ingress.kubernetes.io/canary': 'true',
    'nginx.ingress.kubernetes.io/canary-weight': '20',
  });
  expect(entries.at(-1)?.object).toEqual(readManifests(INGRESS, 'x').documents[1]?.value);
});

test('a diff says when the canary Ingress comes and goes, and that the Ingress itself was not touched', async () => {
  const { out } = await called(['preview', '-f', '-'], { stdin: INGRESS });
  expect(out).toContain('step 1/3: canary Ingress of web\n@@ -0,0 +1,');
  expect(out).toContain('step 2/3: canary Ingress of web\ndeleted in this step\n');
  expect(out).toMatch(/deleted: the canary Ingress is gone; Ingress web was never changed\n$/);
});

test('an Ingress that does not lead to the stable Service cannot be released', async () => {
  const { code, err } = await called(['preview', '-f', '-'], {
    stdin: INGRESS.replace('name: web, port', 'name: api, port'),
  });
  expect(code).toBe(1);
  expect(err).toContain('error: Ingress web: no path of Ingress web leads to web; name the Service that it serves');
});

test('an object that was exported in the middle of a release is previewed from its original', async () => {
  const [middle] = await previewed(SEED_FILES);
  const folder = folderWith({ 'exported.json': JSON.stringify(middle?.object) });
  const argv = [
    '-f',
    `${SEED}/rollout.yaml`,
    '-f',
    `${SEED}/destinationrule.yaml`,
    '-f',
    join(folder, 'exported.json'),
  ];
  expect(await previewed(argv)).toEqual(await previewed(SEED_FILES));
});

test('an original that cannot be read stops the preview', async () => {
  const broken = `apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: nginx-vs
  annotations:
    directive.sluice.dev/rollouts-demo: "{}"
    rollouts.kruise.io/original-spec-configuration: "{"
spec: {}
`;
  const { code, err } = await called(
    ['preview', '-f', '-', '-f', `${SEED}/rollout.yaml`, '-f', `${SEED}/destinationrule.yaml`],
    { stdin: broken },
  );
  expect(code).toBe(1);
  expect(err).toContain(
    'error: VirtualService nginx-vs: annotation rollouts.kruise.io/original-spec-configuration cannot be read',
  );
});

test('a Rollout that steers nothing has nothing to show, and says so', async () => {
  const stdin = INGRESS.replace(/ {6}trafficRoutings.*\n/, '')
    .replace('{traffic: 20%, replicas: 1}', '{replicas: 1}')
    .replace(/, matches: .*\]\}\n/, '}\n');
  const { code, out, err } = await called(['preview', '-f', '-'], { stdin });
  expect({ code, out, err }).toEqual({
    code: 0,
    out: '',
    err: 'Rollout default/web names no gateway object: its release changes pods only\n',
  });
});

test('a Rollout that leaves its traffic to a TrafficRouting has a warning, since that is not shown', async () => {
  const stdin = INGRESS.replace(/ {6}trafficRoutings.*\n/, '      trafficRoutingRef: shared\n');
  const { code, err } = await called(['preview', '-f', '-'], { stdin });
  expect({ code, err }).toEqual({
    code: 0,
    err: 'warning: Rollout default/web: TrafficRouting shared carries its traffic, which a preview does not show\n',
  });
});

test('hundreds of routes, each of them changed, are shown whole', async () => {
  const routes = Array.from({ length: 500 }, (_, index) => ({
    name: `r${index}`,
    route: [{ destination: { host: 'nginx-service', subset: 'version-base' } }],
  }));
  const virtualService = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'nginx-vs' },
    spec: { hosts: ['*'], http: routes },
  };
  const argv = ['-f', `${SEED}/rollout.yaml`, '-f', `${SEED}/destinationrule.yaml`, '-f', '-'];
  const { out } = await called(['preview', ...argv, '--step', '1'], { stdin: JSON.stringify(virtualService) });
  expect(out.match(/^\+ +weight: 20$/gm)).toHaveLength(500);
  expect(out.match(/^-/gm)).toBe(null);
});
