import { expect, test } from 'vitest';
import { at, type Json, type JsonMap, member, stringAt } from '../../src/json/value.ts';
import { list, MODES, ofKind, rendered } from '../chart/rendered.ts';
import { cluster } from '../cluster/cluster.ts';

const { helm } = cluster();
const modes = Object.entries(MODES);

type Rule = { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] };

/** The rules of every role of one account, or of all. */
function rules(objects: readonly JsonMap[], name?: string): Rule[] {
  return [...ofKind(objects, 'ClusterRole'), ...ofKind(objects, 'Role')]
    .filter((role) => name === undefined || stringAt(role, 'metadata', 'name') === name)
    .flatMap((role) => list(member(role, 'rules')) as unknown as Rule[]);
}

test.each(modes)('no rule of any role has a wildcard: %s', async (_, values) => {
  const all = rules(await rendered(helm, values));
  expect(all.length).toBeGreaterThan(10);
  expect(all.filter((rule) => JSON.stringify(rule).includes('*'))).toEqual([]);
});

test.each(modes)("the webhook's account may only read: %s", async (_, values) => {
  const verbs = rules(await rendered(helm, values), 'sluice-webhook').flatMap((rule) => rule.verbs);
  expect(new Set(verbs)).toEqual(new Set(['get', 'list', 'watch']));
});

test.each(modes)('no account reaches Secrets of others: reading needs a name: %s', async (_, values) => {
  const open = rules(await rendered(helm, values)).filter(
    (rule) => rule.resources.includes('secrets') && !('resourceNames' in rule),
  );
  expect(open.flatMap(({ verbs }) => verbs).filter((verb) => verb !== 'create')).toEqual([]);
});

test('cert-manager keeps the certificates, so nobody of ours may touch a Secret', async () => {
  const all = rules(await rendered(helm, MODES['cert-manager'] ?? {}));
  expect(all.filter(({ resources }) => resources.includes('secrets'))).toEqual([]);
});

/** `verbs resources[names]` of every rule of one kind of role. */
function granted(objects: readonly JsonMap[], kind: string, name: string): string[] {
  const role = ofKind(objects, kind).find((each) => stringAt(each, 'metadata', 'name') === name);
  const all = list(member(role, 'rules')) as unknown as (Rule & { readonly resourceNames?: string[] })[];
  return all.map(({ apiGroups, resources, resourceNames = [], verbs }) => {
    const kinds = apiGroups.flatMap((group) =>
      resources.map((plural) => (group === '' ? plural : `${plural}.${group}`)),
    );
    return `${verbs.join(',')} ${kinds.join(' ')}${resourceNames.length === 0 ? '' : ` [${resourceNames.join(' ')}]`}`;
  });
}

const READ = 'get,list,watch';
const WRITE = 'get,list,watch,patch';
const [MUTATING, VALIDATING] = ['mutating', 'validating'].map(
  (kind) => `${kind}webhookconfigurations.admissionregistration.k8s.io`,
);

/** All that each account may do, so that nobody gives it more in passing. */
const RIGHTS: readonly [kind: string, name: string, managed: readonly string[], certManager?: readonly string[]][] = [
  ['ClusterRole', 'sluice-webhook', [`${READ} rollouts.rollouts.kruise.io`, 'list,watch replicasets.apps']],
  ['Role', 'sluice-webhook', [`${READ} configmaps`, `${READ} secrets [sluice-webhook-tls]`], [`${READ} configmaps`]],
  [
    'ClusterRole',
    'sluice-controller',
    [
      `${WRITE} rollouts.rollouts.kruise.io trafficroutings.rollouts.kruise.io`,
      'patch rollouts/status.rollouts.kruise.io trafficroutings/status.rollouts.kruise.io',
      `${WRITE} deployments.apps`,
      'create,delete deployments.apps',
      `${WRITE},delete replicasets.apps`,
      `${WRITE} pods`,
      `${READ},create,patch,delete services`,
      `${READ} endpointslices.discovery.k8s.io`,
      `${WRITE} ingresses.networking.k8s.io`,
      `${WRITE} virtualservices.networking.istio.io destinationrules.networking.istio.io`,
      `${WRITE} httproutes.gateway.networking.k8s.io`,
      'create,delete ingresses.networking.k8s.io',
      `${READ} customresourcedefinitions.apiextensions.k8s.io`,
      'patch customresourcedefinitions.apiextensions.k8s.io [rollouts.rollouts.kruise.io trafficroutings.rollouts.kruise.io]',
      `${READ} ${MUTATING} [zz-sluice-mutating]`,
      `${READ} ${VALIDATING} [zz-sluice-validating]`,
      `create,patch ${MUTATING} [zz-sluice-mutating]`,
      `create,patch ${VALIDATING} [zz-sluice-validating]`,
      `get ${MUTATING} [kruise-rollout-mutating-webhook-configuration]`,
      `get ${VALIDATING} [kruise-rollout-validating-webhook-configuration]`,
      'get clusterroles.rbac.authorization.k8s.io [sluice-controller]',
      'create,patch events.events.k8s.io events',
    ],
  ],
  [
    'Role',
    'sluice-controller',
    [
      'create leases.coordination.k8s.io',
      'get,update leases.coordination.k8s.io [sluice-controller]',
      'create secrets',
      `${READ},update secrets [sluice-authority sluice-webhook-tls]`,
      `${READ},create,delete configmaps`,
      'patch configmaps [sluice-script-record]',
    ],
    [
      'create leases.coordination.k8s.io',
      'get,update leases.coordination.k8s.io [sluice-controller]',
      `${READ},create,delete configmaps`,
      'patch configmaps [sluice-script-record]',
    ],
  ],
];

test.each(RIGHTS)('the %s %s grants exactly this', async (kind, name, managed, certManager = managed) => {
  expect(granted(await rendered(helm, {}), kind, name)).toEqual(managed);
  expect(granted(await rendered(helm, MODES['cert-manager'] ?? {}), kind, name)).toEqual(certManager);
});

/** Pod specs of everything that runs: Deployments, and the Pod of `helm test`. */
function pods(objects: readonly JsonMap[]): Json[] {
  const templates = ofKind(objects, 'Deployment').map((deployment) => at(deployment, ['spec', 'template', 'spec']));
  return [...templates, ...ofKind(objects, 'Pod').map((pod) => member(pod, 'spec'))].filter(
    (spec) => spec !== undefined,
  );
}

test.each(modes)('every container is non-root, with a read-only root and no rights: %s', async (_, values) => {
  const containers = pods(await rendered(helm, values)).flatMap((pod) => list(member(pod, 'containers')));
  expect(containers).toHaveLength(3);
  for (const container of containers) {
    expect(member(container, 'securityContext')).toEqual({
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      privileged: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(at(container, ['resources', 'requests'])).toBeDefined();
    expect(at(container, ['resources', 'limits', 'memory'])).toBeDefined();
  }
});

test.each(modes)('objects of a namespace are all in that of the release: %s', async (_, values) => {
  const wide = ['ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition'];
  const others = (await rendered(helm, values)).filter((made) => !wide.includes(stringAt(made, 'kind') ?? ''));
  expect(new Set(others.map((made) => stringAt(made, 'metadata', 'namespace')))).toEqual(new Set(['sluice-system']));
});
