import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonMap } from '../../src/json/value.ts';
import { CHART } from '../chart/rendered.ts';
import { cluster, succeeded } from '../cluster/cluster.ts';
import type { CommandResult } from '../cluster/command.ts';
import { until } from '../cluster/until.ts';

const { apply, as, helm, kubectl, namespace } = cluster();

/** CRDs may be there already, from another file of this run. */
const install = (ns: string) => helm(['install', 'sluice', CHART, '--namespace', ns, '--take-ownership']);

let ns: string;
let controller: { readonly kubeconfig: string };
let webhook: { readonly kubeconfig: string };
beforeAll(async () => {
  ns = await namespace();
  succeeded(await kubectl(['label', 'namespace', ns, 'pod-security.kubernetes.io/enforce=restricted']));
  succeeded(await install(ns));
  controller = { kubeconfig: await as(`system:serviceaccount:${ns}:sluice-controller`) };
  webhook = { kubeconfig: await as(`system:serviceaccount:${ns}:sluice-webhook`) };
});
afterAll(async () => {
  await helm(['uninstall', 'sluice', '--namespace', ns]);
});

const FORBIDDEN = { exitCode: 1, stderr: expect.stringContaining('is forbidden') };

function configuration(name: string, metadata: JsonMap = {}): string {
  const registration = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration' };
  return JSON.stringify({ ...registration, metadata: { name, ...metadata } });
}

function applyConfiguration(stdin: string): Promise<CommandResult> {
  const words = ['apply', '--server-side', '--field-manager=sluice-controller', '-f', '-'];
  return kubectl(words, { ...controller, stdin });
}

test('a namespace that enforces the restricted Pod Security Standard takes all pods', async () => {
  await until('a pod of each replica', async () => {
    const pods = succeeded(
      await kubectl(['get', 'pods', '-n', ns, '-l', 'app.kubernetes.io/name=sluice', '-o', 'name']),
    );
    return pods.trim().split('\n').length === 4;
  });
});

test('the controller creates and changes its own webhook configurations by apply, and no other', async () => {
  succeeded(await applyConfiguration(configuration('zz-sluice-mutating')));
  succeeded(await applyConfiguration(configuration('zz-sluice-mutating', { labels: { again: 'yes' } })));
  expect(await applyConfiguration(configuration('zz-other'))).toMatchObject(FORBIDDEN);
  const named = ['get', 'mutatingwebhookconfigurations', '--field-selector', 'metadata.name=zz-sluice-mutating'];
  expect(succeeded(await kubectl([...named, '-o', 'name'], controller))).toContain('zz-sluice-mutating');
  expect(await kubectl(['get', 'mutatingwebhookconfigurations'], controller)).toMatchObject(FORBIDDEN);
});

test('the webhook sees the Secret that it serves with, and no other', async () => {
  const secret = (name: string) => ['create', 'secret', 'generic', name, '-n', ns, '--from-literal=a=b'];
  succeeded(await kubectl(secret('sluice-authority'), controller));
  succeeded(await kubectl(secret('sluice-webhook-tls'), controller));
  const one = ['get', 'secrets', '-n', ns, '--field-selector', 'metadata.name=sluice-webhook-tls', '-o', 'name'];
  expect(succeeded(await kubectl(one, webhook))).toBe('secret/sluice-webhook-tls\n');
  expect(await kubectl(['get', 'secret', 'sluice-authority', '-n', ns], webhook)).toMatchObject(FORBIDDEN);
  expect(await kubectl(['get', 'secrets', '-n', ns], webhook)).toMatchObject(FORBIDDEN);
  expect(await kubectl(['delete', 'secret', 'sluice-webhook-tls', '-n', ns], webhook)).toMatchObject(FORBIDDEN);
});

test('the controller may write the conversion of our CRDs, and no other CRD', async () => {
  const may = (crd: string) => kubectl(['auth', 'can-i', 'patch', `customresourcedefinitions/${crd}`], controller);
  const name = 'rollouts.rollouts.kruise.io';
  succeeded(
    await kubectl(['patch', 'crd', name, '--type=merge', '-p', '{"metadata":{"labels":{"x":"y"}}}'], controller),
  );
  expect([(await may(name)).stdout, (await may('others.example.com')).stdout]).toEqual(['yes\n', 'no\n']);
});

const ROLES = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' };

test('a ClusterRole with our label gives the controller further kinds, and an upgrade leaves them', async () => {
  const rule = { apiGroups: ['traefik.io'], resources: ['ingressroutes'], verbs: ['get', 'patch'] };
  const labels = { 'sluice.dev/aggregate-to-controller': 'true' };
  await apply(ns, { ...ROLES, metadata: { name: `${ns}-traefik`, labels }, rules: [rule] });
  const rules = async () =>
    succeeded(await kubectl(['get', 'clusterrole', 'sluice-gateways', '-o', 'jsonpath={.rules}']));
  await until('the aggregated rule', async () => (await rules()).includes('ingressroutes'));
  succeeded(await helm(['upgrade', 'sluice', CHART, '--namespace', ns, '--set', 'webhook.replicas=3']));
  expect(JSON.parse(await rules())).toEqual([rule]);
  succeeded(await kubectl(['delete', 'clusterrole', `${ns}-traefik`]));
});

test('who may view, edit or administer a namespace may do so with its Rollouts; only the last may rescue', async () => {
  const may = async (role: string, verb: string) => {
    const rules = JSON.parse(succeeded(await kubectl(['get', 'clusterrole', role, '-o', 'jsonpath={.rules}'])));
    return rules.some(
      (rule: { resources?: string[]; verbs: string[] }) =>
        rule.resources?.includes('rollouts') && rule.verbs.includes(verb),
    );
  };
  await until('the aggregation', () => may('admin', 'rescue'));
  const verbs = ['list', 'patch', 'rescue'];
  const table = await Promise.all(
    ['view', 'edit', 'admin'].map((role) => Promise.all(verbs.map((verb) => may(role, verb)))),
  );
  expect(table).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
});

test('a second Sluice is refused', async () => {
  const other = await namespace();
  const { exitCode, stderr } = await helm(['install', 'second', CHART, '--namespace', other]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('invalid ownership metadata') });
});

test('an uninstall takes the webhook configurations along, and leaves the CRDs', async () => {
  const owner = succeeded(
    await kubectl(['get', 'clusterrole', 'sluice-controller', '-o', 'jsonpath={.metadata.uid}'], controller),
  );
  const ownerReferences = [{ ...ROLES, name: 'sluice-controller', uid: owner }];
  succeeded(await applyConfiguration(configuration('zz-sluice-mutating', { ownerReferences })));
  succeeded(await helm(['uninstall', 'sluice', '--namespace', ns]));
  await until('the end of the webhook configuration', async () => {
    const { stderr } = await kubectl(['get', 'mutatingwebhookconfiguration', 'zz-sluice-mutating']);
    return stderr.includes('not found');
  });
  succeeded(await kubectl(['get', 'crd', 'rollouts.rollouts.kruise.io', 'trafficroutings.rollouts.kruise.io']));
});

const MUTATING = 'kruise-rollout-mutating-webhook-configuration';

test('beside the webhooks of OpenKruise Rollouts nothing is installed, and the message says how to migrate', async () => {
  succeeded(await kubectl(['apply', '-f', '-'], { stdin: configuration(MUTATING) }));
  try {
    const { exitCode, stderr } = await install(ns);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`OpenKruise Rollouts runs in this cluster (MutatingWebhookConfiguration ${MUTATING})`);
    expect(stderr).toContain(`kubectl delete mutatingwebhookconfiguration ${MUTATING}`);
    expect((await kubectl(['get', 'deployment', 'sluice-webhook', '-n', ns])).stderr).toContain('not found');
  } finally {
    await kubectl(['delete', 'mutatingwebhookconfiguration', MUTATING]);
  }
});

test('the manager of OpenKruise Rollouts is in the way until it is scaled to 0', async () => {
  const manager = ['kruise-rollout-controller-manager', '-n', 'kruise-rollout'];
  succeeded(await kubectl(['create', 'namespace', 'kruise-rollout']));
  try {
    succeeded(await kubectl(['create', 'deployment', ...manager, '--image=any']));
    expect((await install(ns)).stderr).toContain(
      `kubectl -n kruise-rollout scale deployment ${manager[0]} --replicas=0`,
    );
    succeeded(await kubectl(['scale', 'deployment', ...manager, '--replicas=0']));
    succeeded(await install(ns));
  } finally {
    await kubectl(['delete', 'namespace', 'kruise-rollout', '--wait=false']);
  }
});
