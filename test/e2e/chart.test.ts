import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { chartValues } from '../../build/values-table.ts';
import { controllerSettings, webhookSettings } from '../../src/cli/cluster-settings.ts';
import { at, isMap, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { readManifests } from '../../src/manifest/read.ts';
import { fileText, ROOT } from '../chart/chart-files.ts';
import { OTHER_VALUES } from '../chart/other-values.ts';
import { CHART, lint, list, MODES, object, ofKind, rendered, template } from '../chart/rendered.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';

const { helm } = cluster();
const modes = Object.entries(MODES);

test.each(modes)('helm lint has nothing to say: %s', async (_, values) => {
  const { stdout, exitCode } = await lint(helm, values);
  expect({ exitCode, said: stdout.match(/\[(WARNING|ERROR)\].*/g) }).toEqual({ exitCode: 0, said: null });
});

/** What the container of a half gets; what a pod fills in (fieldRef) is something that could come from there. */
function environment(objects: readonly JsonMap[], half: string): Record<string, string> {
  const containers = at(object(objects, 'Deployment', `sluice-${half}`), ['spec', 'template', 'spec', 'containers']);
  const entries = list(containers).flatMap((container) => list(member(container, 'env')));
  return Object.fromEntries(
    entries.map((entry) => [
      stringAt(entry, 'name') ?? '',
      stringAt(entry, 'value') ?? FILLED[stringAt(entry, 'valueFrom', 'fieldRef', 'fieldPath') ?? ''] ?? '',
    ]),
  );
}

const FILLED: Readonly<Record<string, string>> = {
  'metadata.namespace': 'sluice-system',
  'metadata.name': 'sluice-0',
  'status.podIP': '10.0.0.1',
};

/** Set for what is to come; a name that is read by now fails the test below. */
const NOT_READ_YET: Readonly<Record<string, readonly string[]>> = {
  webhook: ['SLUICE_POD_NAME'],
  controller: [],
};

const READERS = { webhook: webhookSettings, controller: controllerSettings };

test.each(
  modes.flatMap(([mode, values]) => (['webhook', 'controller'] as const).map((half) => [half, mode, values] as const)),
)('what the chart tells the %s is known to it, and right: %s', async (half, _, values) => {
  const given = environment(await rendered(helm, values), half);
  const read = new Set<string>();
  const watched = new Proxy(given, {
    get(target, name: string) {
      read.add(name);
      return target[name];
    },
  });
  READERS[half]({}, watched);
  expect(Object.keys(given).filter((name) => !read.has(name))).toEqual(NOT_READ_YET[half]);
});

test('a value that nothing reads yet says so', () => {
  const silent = [...new Set(Object.values(NOT_READ_YET).flat())].flatMap((variable) =>
    chartValues().filter(({ path }) => VARIABLES[path.join('.')] === variable),
  );
  const unsaid = silent.filter(({ about }) => !about.includes('Has no effect yet'));
  expect(unsaid.map(({ path }) => path.join('.'))).toEqual([]);
});

/** What the values of failure policies become. */
const VARIABLES: Readonly<Record<string, string>> = {
  'failurePolicy.gateways': 'SLUICE_FAILURE_POLICY_GATEWAYS',
  'failurePolicy.workloads': 'SLUICE_FAILURE_POLICY_WORKLOADS',
  'failurePolicy.pods': 'SLUICE_FAILURE_POLICY_PODS',
};

test('the pods of the webhook have time for the drain and for what still runs after it', async () => {
  const spec = at(object(await rendered(helm, { webhook: { drainSeconds: 40 } }), 'Deployment', 'sluice-webhook'), [
    'spec',
    'template',
    'spec',
  ]);
  expect(at(spec, ['terminationGracePeriodSeconds'])).toBe(65);
});

test('the CRDs are those of the files, and stay at an uninstall', async () => {
  const crds = ofKind(await rendered(helm, {}), 'CustomResourceDefinition');
  const files = globSync('chart/files/crds/*.yaml', { cwd: ROOT }).sort();
  const kept = files.map((file) => {
    const [document] = readManifests(fileText(file), file).documents;
    const metadata = member(document?.value, 'metadata');
    const marks = {
      // By it the controller knows the CRDs as this chart's.
      labels: { 'app.kubernetes.io/name': 'sluice' },
      annotations: { 'helm.sh/resource-policy': 'keep', 'argocd.argoproj.io/sync-options': 'Prune=false' },
    };
    return { ...(document?.value as JsonMap), metadata: { ...(metadata as JsonMap), ...marks } };
  });
  expect(crds).toEqual(kept);
});

/** `{ 'a.b': 1 }` → `{ a: { b: 1 } }` */
function nested(flat: Readonly<Record<string, Json>>): JsonMap {
  const whole: Record<string, Json> = {};
  for (const [path, value] of Object.entries(flat)) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let map = whole;
    for (const key of keys) {
      map[key] ??= {};
      map = map[key] as Record<string, Json>;
    }
    map[last] = value;
  }
  return whole;
}

test.each(chartValues().map(({ path }) => path.join('.')))('%s makes a difference', async (path) => {
  const other = OTHER_VALUES[path];
  if (other === undefined) throw new Error(`other-values.ts has none for ${path}`);
  const before = succeeded(await template(helm, nested(other.given ?? {})));
  expect(succeeded(await template(helm, nested({ ...other.given, [path]: other.value })))).not.toBe(before);
});

test.each([
  ['an unknown key', { webhooks: {} }, 'webhooks'],
  ['an unknown key inside', { webhook: { replica: 3 } }, 'replica'],
  ['a text for a number', { webhook: { replicas: 'two' } }, 'replicas'],
  ['a number for a text', { image: { tag: 1 } }, 'tag'],
  ['a mode that does not exist', { certificates: { mode: 'manual' } }, 'mode'],
  ['a policy that does not exist', { failurePolicy: { gateways: 'Warn' } }, 'gateways'],
  ['a lifetime in days', { certificates: { lifetime: '365d' } }, 'lifetime'],
  ['a script that is no text', { scripts: { data: { key: {} } } }, 'data'],
  ['a namespace that cannot be one', { excludedNamespaces: ['Kube_System'] }, 'excludedNamespaces'],
  ['a digest that is none', { image: { digest: 'latest' } }, 'digest'],
])('%s is refused, and the message names it', async (_, values, name) => {
  const { exitCode, stderr } = await template(helm, values);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(name);
});

test('a Kubernetes without matchConditions in webhook configurations is refused', async () => {
  const words = ['template', 'sluice', CHART, '--namespace', 'sluice-system', '--kube-version'];
  const { exitCode, stderr } = await helm([...words, '1.29.0']);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('requires kubeVersion: >=1.30.0-0 which is incompatible with Kubernetes v1.29.0');
  succeeded(await helm([...words, '1.30.0']));
});

test('in another chart, with what Helm then sets, it still renders', async () => {
  expect((await template(helm, { global: { any: 'thing' } })).exitCode).toBe(0);
});

test('scripts are text to the letter in the ConfigMap', async () => {
  const script = 'return "{{ .Values }}"\n\n  -- "quoted": yes\n';
  const objects = await rendered(helm, { scripts: { data: { 'lua.traffic.routing.ingress.own': script } } });
  const data = member(object(objects, 'ConfigMap', 'kruise-rollout-configuration'), 'data');
  expect(isMap(data) && data['lua.traffic.routing.ingress.own']).toBe(script);
});
