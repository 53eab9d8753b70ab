import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { called, folderWith, SEED } from './called.testing.ts';

/** A Rollout that is right, to be made wrong in one place. */
const ROLLOUT = `apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata:
  name: web
spec:
  workloadRef:
    apiVersion: apps/v1
    kind: Deployment
    name: web
  strategy:
    canary:
      steps:
        - traffic: 20%
          replicas: 20%
      trafficRoutings:
        - service: web
          customNetworkRefs:
            - apiVersion: networking.istio.io/v1
              kind: VirtualService
              name: web
`;

/** Lints one file, and gives its findings without the folder in front. */
async function findings(text: string, file = 'rollout.yaml') {
  const folder = folderWith({ [file]: text });
  const { code, out, err } = await called(['lint', '-f', join(folder, file)]);
  return {
    code,
    lines: out.replaceAll(`${folder}/`, '').split('\n').filter(Boolean),
    err: err.replaceAll(`${folder}/`, ''),
  };
}

test('a Rollout that is right has no findings, and the summary says so', async () => {
  expect(await findings(ROLLOUT)).toEqual({ code: 0, lines: [], err: '1 object in 1 file: 0 errors, 0 warnings\n' });
});

test('the example of the documentation has warnings about outdated names only, and warnings are fine', async () => {
  const { code, out, err } = await called(['lint', '-f', `${SEED}/rollout.yaml`]);
  expect(out).toBe(
    `${SEED}/rollout.yaml:26:11: warning: spec.strategy.canary.trafficRoutings[0].createCanaryService: is deprecated; write spec.strategy.canary.disableGenerateCanaryService: true\n` +
      `${SEED}/rollout.yaml:27:11: warning: spec.strategy.canary.trafficRoutings[0].networkRefs: is deprecated; write customNetworkRefs\n`,
  );
  expect({ code, err }).toEqual({ code: 0, err: '1 object in 1 file: 0 errors, 2 warnings\n' });
});

test.each([
  {
    rule: 'a field of the wrong type is told once, with what to write',
    text: ROLLOUT.replace('traffic: 20%', 'traffic: 20'),
    line: 'rollout.yaml:13:11: spec.strategy.canary.steps[0].traffic: 20 is not allowed here; write a text in quotes, "20%"',
  },
  {
    rule: 'a field that does not exist is told with the likely one',
    text: ROLLOUT.replace('replicas: 20%', 'replica: 20%'),
    line: /^rollout.yaml:14:11: spec.strategy.canary.steps\[0\].replica: there is no such field; did you mean replicas\?$/,
  },
  {
    rule: 'what a Rollout means is checked as at admission',
    text: ROLLOUT.replace('replicas: 20%', 'replicas: 80%'),
    line: /^rollout.yaml:14:11: spec.strategy.canary.steps\[0\].replicas: "80%" is too much/,
  },
  {
    rule: 'a missing field is told where it would stand',
    text: ROLLOUT.replace('    name: web\n  strategy', '  strategy'),
    line: /^rollout.yaml:6:3: spec.workloadRef.name: is missing/,
  },
  {
    rule: 'a kind that the group does not have',
    text: ROLLOUT.replace('kind: Rollout', 'kind: Rolout'),
    line: 'rollout.yaml:2:1: kind: rollouts.kruise.io has no kind Rolout; write Rollout',
  },
  {
    rule: 'a group that is misspelt',
    text: ROLLOUT.replace('rollouts.kruise.io/v1beta1', 'rollout.kruise.io/v1beta1'),
    line: 'rollout.yaml:1:1: apiVersion: there is no group rollout.kruise.io; write rollouts.kruise.io/v1beta1',
  },
  {
    rule: 'a version that the kind does not have',
    text: ROLLOUT.replace('v1beta1', 'v1'),
    line: /^rollout.yaml:1:1: apiVersion: Rollout has no version "rollouts.kruise.io\/v1"/,
  },
  { rule: 'an object without apiVersion', text: 'kind: Rollout\n', line: /^rollout.yaml:1:1: apiVersion: is missing/ },
  { rule: 'an object without kind', text: 'apiVersion: v1\n', line: /^rollout.yaml:1:1: kind: is missing/ },
  { rule: 'a document that is no map', text: '- a\n- b\n', line: /^rollout.yaml:1:1: is no object of Kubernetes/ },
  {
    rule: 'tabs as indentation',
    text: ROLLOUT.replace('  name: web', '\tname: web'),
    line: 'rollout.yaml:4:1: a tab is used as indentation; YAML indents with spaces',
  },
  {
    rule: 'a key that stands twice',
    text: ROLLOUT.replace('kind: Rollout\n', 'kind: Rollout\nkind: Rollout\n'),
    line: 'rollout.yaml:3:1: this key stands twice in the same map; keep one of them',
  },
  {
    rule: 'an alias without its anchor',
    text: ROLLOUT.replace('name: web', 'name: *web'),
    line: /^rollout.yaml:4:9: .*web/,
  },
])('$rule: an error at its place', async ({ text, line }) => {
  const { code, lines } = await findings(text);
  expect(code).toBe(1);
  expect(lines).toContainEqual(typeof line === 'string' ? line : expect.stringMatching(line));
});

test('a value that has the wrong type is not judged a second time', async () => {
  const { lines } = await findings(ROLLOUT.replace('traffic: 20%', 'traffic: 20'));
  expect(lines).toHaveLength(1);
});

test('conditions that cannot be read are not told to be missing', async () => {
  const { lines } = await findings(
    ROLLOUT.replace(
      'replicas: 20%',
      'replicas: 20%\n          matches: [{headers: [{type: Regex, name: a, value: b}]}]',
    ),
  );
  expect(lines).toEqual([expect.stringMatching(/matches\[0\].headers\[0\].type: "Regex" is not known/)]);
});

test('anchors are read as what they stand for, and a finding in one names the anchor', async () => {
  const anchored = ROLLOUT.replace('name: web\nspec', 'name: &name web\nspec').replaceAll(': web\n', ': *name\n');
  expect((await findings(anchored)).lines).toEqual([]);
  const wrong = await findings(anchored.replace('service: *name', 'service: &steps [1]'));
  expect(wrong.lines).toEqual([expect.stringMatching(/^rollout.yaml:16:11: spec.*service: \[1\] is not allowed here/)]);
});

test('a Rollout in which every field is wrong gets all its errors at once, in the order of the file', async () => {
  const { code, lines } = await findings(`apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata:
  name: 7
  labels: []
spec:
  disabled: "no"
  paused: 1
  workloadRef: web
  strategy:
    paused: "yes"
    canary:
      enableExtraWorkloadForCanary: maybe
      failureThreshold: {}
      patchPodTemplateMetadata: 3
      steps:
        - traffic: 200
          replicas: true
          pause: 5
          matches: all
          requestHeaderModifier: []
      trafficRoutings:
        service: web
  extra: 1
`);
  expect(code).toBe(1);
  const fields = lines.map((line) => line.split(': ')[1]);
  expect(fields).toEqual([
    'metadata.name',
    'metadata.labels',
    'spec.disabled',
    'spec.paused',
    'spec.workloadRef',
    'spec.strategy.paused',
    'spec.strategy.canary.enableExtraWorkloadForCanary',
    'spec.strategy.canary.failureThreshold',
    'spec.strategy.canary.patchPodTemplateMetadata',
    'spec.strategy.canary.steps[0].traffic',
    'spec.strategy.canary.steps[0].replicas',
    'spec.strategy.canary.steps[0].pause',
    'spec.strategy.canary.steps[0].matches',
    'spec.strategy.canary.steps[0].requestHeaderModifier',
    'spec.strategy.canary.trafficRoutings',
    'spec.extra',
  ]);
});

test('a kind without any script is a warning, since the cluster may have one', async () => {
  const { code, lines } = await findings(ROLLOUT.replace('kind: VirtualService', 'kind: Gateway'));
  expect(code).toBe(0);
  expect(lines).toEqual([
    'rollout.yaml:18:15: warning: spec.strategy.canary.trafficRoutings[0].customNetworkRefs[0]: there is no script for Gateway; write one into the ConfigMap kruise-rollout-configuration under the key lua.traffic.routing.Gateway.networking.istio.io',
  ]);
});

test('a script of the ConfigMap that a shipped one hides is a warning at its key', async () => {
  const { out } = await called(['lint', '-f', SEED]);
  expect(out).toContain(
    `${SEED}/scripts.yaml:7:3: warning: data[lua.traffic.routing.DestinationRule.networking.istio.io]: is not used: Sluice ships a script for networking.istio.io/DestinationRule`,
  );
});

test('a script that is no text is an error', async () => {
  const { code, lines } = await findings(
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kruise-rollout-configuration}\ndata:\n  lua.traffic.routing.A.b: 7\n',
  );
  expect({ code, lines }).toEqual({
    code: 1,
    lines: ['rollout.yaml:5:3: data[lua.traffic.routing.A.b]: is no text; write the script as a block, "key: |"'],
  });
});

test('two Rollouts of one workload are an error of both', async () => {
  const { code, lines } = await findings([ROLLOUT, ROLLOUT.replace('name: web', 'name: other')].join('---\n'));
  expect(code).toBe(1);
  expect(lines.filter((line) => line.includes('is released by'))).toEqual([
    expect.stringMatching(/^rollout.yaml:6:3: spec.workloadRef: is released by Rollout default\/other already/),
    expect.stringMatching(/^rollout.yaml:27:3: spec.workloadRef: is released by Rollout default\/web already/),
  ]);
});

test('two Rollouts that share a stable Service are a warning of both, whichever version they are written in', async () => {
  const seed = readFileSync(`${SEED}/rollout.yaml`, 'utf8');
  const { code, lines } = await findings(
    [seed, ROLLOUT.replace('service: web', 'service: nginx-service')].join('---\n'),
  );
  expect(code).toBe(0);
  expect(lines.filter((line) => line.includes('is a stable Service of'))).toHaveLength(2);
});

test('an object that is written twice is a warning that names the first', async () => {
  const { code, lines } = await findings(`${ROLLOUT}---\n${ROLLOUT}`);
  expect({ code, lines }).toEqual({
    code: 0,
    lines: [
      'rollout.yaml:25:3: warning: metadata.name: Rollout web is written in rollout.yaml:1 already; keep one of them',
    ],
  });
});

test('a folder is read with everything below it, but for hidden folders, node_modules and files of other kinds', async () => {
  const folder = folderWith({
    'a.yaml': ROLLOUT,
    'b/c.yml': ROLLOUT.replaceAll('web', 'shop'),
    'b/d.json': '{"apiVersion":"v1","kind":"Service"}',
    'b/kustomization.yaml': 'resources: [c.yml]\n',
    'b/readme.md': 'a: [',
    '.git/e.yaml': 'a: [',
    'node_modules/f.yaml': 'a: [',
  });
  symlinkSync(join(folder, 'a.yaml'), join(folder, 'link.yaml'));
  const { code, err } = await called(['lint', '-f', folder]);
  expect({ code, err }).toEqual({ code: 0, err: '4 objects in 4 files: 0 errors, 1 warning\n' });
});

test('the same file named twice is read once', async () => {
  const folder = folderWith({ 'a.yaml': ROLLOUT });
  const { err } = await called(['lint', '-f', folder, join(folder, 'a.yaml'), '-f', `${folder}/./a.yaml`]);
  expect(err).toBe('1 object in 1 file: 0 errors, 0 warnings\n');
});

test('standard input is called <stdin>', async () => {
  const { out } = await called(['lint', '-f', '-'], { stdin: 'kind: Rollout\n' });
  expect(out).toMatch(/^<stdin>:1:1: apiVersion: is missing/);
});

test('items of a list are objects of their own', async () => {
  const list = `apiVersion: v1\nkind: List\nitems:\n- ${ROLLOUT.replace('20%', '200%').trim().replaceAll('\n', '\n  ')}\n`;
  expect((await findings(list)).lines).toEqual([
    expect.stringMatching(
      /^rollout.yaml:16:13: spec.strategy.canary.steps\[0\].traffic: "200%" is no share of traffic/,
    ),
  ]);
});

test('with -o json findings are a list of objects', async () => {
  const { code, out } = await called(['lint', '-f', '-', '-o', 'json'], { stdin: 'apiVersion: v1\nkind: 3\n' });
  expect(code).toBe(1);
  expect(JSON.parse(out)).toEqual([
    {
      file: '<stdin>',
      line: 2,
      column: 1,
      severity: 'error',
      field: 'kind',
      message: expect.stringContaining('missing'),
    },
  ]);
});

test.each([
  { rule: 'a file that is not there', path: 'nope.yaml', message: /cannot read .*nope.yaml: there is no such file/ },
  { rule: 'a folder without manifests', path: 'empty-folder', message: /no file here ends in .yaml, .yml or .json/ },
  { rule: 'an empty file', path: 'empty.yaml', message: /there is no manifest in it/ },
  { rule: 'a file of comments', path: 'comments.yaml', message: /there is no manifest in it/ },
  { rule: 'a file that is no text', path: 'binary.yaml', message: /is not a text in UTF-8/ },
])('$rule: unreadable input, exit code 2', async ({ path, message }) => {
  const folder = folderWith({ 'empty.yaml': '', 'comments.yaml': '# a\n---\n', 'empty-folder/readme.md': '' });
  writeFileSync(join(folder, 'binary.yaml'), Buffer.from([0xff, 0xfe, 0x00]));
  const { code, out, err } = await called(['lint', '-f', join(folder, path)]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(/^error: /);
  expect(err).toMatch(message);
});

test('empty standard input is unreadable input too', async () => {
  const { code, err } = await called(['lint', '-f', '-'], { stdin: '' });
  expect({ code, err }).toEqual({
    code: 2,
    err: expect.stringContaining('standard input: there is no manifest in it'),
  });
});
